# SPDX-License-Identifier: BSD-2-Clause
"""Many requests at once, short names of them, and the history, as wq(1) describes them."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import time

import wqtest
from client import PyClient, make_id
from wqtest import LIMIT_S, WQ, Program, Server, open_gate, until

ECHO = '''default-task-manager = "echo"
task-manager "echo" { plugin = "thread-pool" max-running = 4 options { threads = 4 handler = "echo" } }
'''
RUN = '''default-task-manager = "run"
task-manager "run" { plugin = "fork-exec" max-running = 2 options { mode = "command" } }
'''


def summary(err):
    """The last line of standard error: {"ok": N, ...}."""
    last = err.splitlines()[-1]
    assert last.startswith("wq: "), err
    return {name: int(n) for n, name in
            (part.split(" ", 1) for part in last[4:].split(", "))}


def payloads(server, ids):
    return [json.loads(server.wq("show", "--json", x))["payload"] for x in ids]


def down(task_managers):
    server = Server(task_managers)
    server.stop()
    return server


def has_inotify(pid):
    """Does the process wait by inotify already?  Others of its descriptors come and go."""
    directory = f"/proc/{pid}/fd"
    for fd in os.listdir(directory):
        try:
            if os.readlink(os.path.join(directory, fd)).endswith("inotify"):
                return True
        except FileNotFoundError:
            pass
    return False


def suffix(request, n=13):
    return request[18:18 + n]


# ---- enqueue --each ------------------------------------------------------------------------------


def test_each_line_is_a_request_in_its_order():
    with down(ECHO) as server:
        ids = server.wq("enqueue", "--each", "-k", "k-{}", "-l", "about {}", "p={}", "n=1",
                        input="one\n\ntwo words\n7\nlast").splitlines()
        assert len(ids) == 4 and ids == sorted(ids) == server.names("1-requested")
        assert payloads(server, ids) == [{"p": "one", "n": 1}, {"p": "two words", "n": 1},
                                         {"p": 7, "n": 1}, {"p": "last", "n": 1}]
        shown = json.loads(server.wq("show", "--json", ids[1]))
        assert (shown["key"], shown["label"]) == ("k-two words", "about two words"), shown
        out = server.wq("enqueue", "--each", "--json", "p={}", input="a\nb\n")
        assert [list(json.loads(line)) for line in out.splitlines()] == [["id"], ["id"]]


def test_what_is_wrong_with_each_is_said_and_stops_it():
    with down(ECHO) as server:
        for words in (["p=1"], ["-f", "-", "p={}"], [], ["--peek", "p={}"]):
            code, out, err = server.wq("enqueue", "--each", *words, input="a\n", expect=None)
            assert code == 125 and out == "" and err, (words, code, out, err)
        assert server.names("1-requested") == []
        code, out, err = server.wq("enqueue", "--each", "p={}", input="a\nb\n[\nc\n", expect=None)
        assert code == 125 and "line 3" in err and out.splitlines() == server.names("1-requested")
        assert len(out.splitlines()) == 2


def test_an_id_is_printed_as_soon_as_its_request_is_there():
    with down(ECHO) as server:
        with Program([WQ, "enqueue", "--each", "p={}"], stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE, env=server.env, text=True) as p:
            for line in ("a", "b"):
                p.stdin.write(line + "\n")
                p.stdin.flush()
                assert server.where(p.stdout.readline().strip()) == "1-requested"
            p.stdin.close()
            assert p.wait(LIMIT_S) == 0 and p.stdout.read() == ""


def test_memory_does_not_grow_with_the_lines():
    with down(ECHO) as server, Program([WQ, "enqueue", "--each", "p={}"], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, env=server.env, text=True) as p:
        def peak_kib(lines):
            """What it has needed at most once it has told the ids of so many more."""
            for _ in range(lines):
                p.stdin.write("x" * 100 + "\n")
                p.stdin.flush()
                assert p.stdout.readline()
            with open(f"/proc/{p.pid}/status") as f:
                return int(re.search(r"VmHWM:\s+(\d+) kB", f.read())[1])
        few = peak_kib(100)
        many = peak_kib(20000)
        p.stdin.close()
        assert p.wait(LIMIT_S) == 0
        assert many < few + (8192 if wqtest.SANITIZED else 512), (few, many)


def test_each_with_wait_counts_and_exits_with_the_first_failure():
    with Server(RUN) as server:
        code, out, err = server.wq("enqueue", "--each", "--wait", "--shell", "--", "exit {}",
                                   input="0\n3\n0\n4\n", expect=None)
        assert code == 3 and out == "", (code, out, err)
        assert summary(err) == {"ok": 2, "failed": 2}, err
        assert server.names("4-complete") == []
        out = server.wq("enqueue", "--each", "--wait", "--json", "--", "true", input="a\nb\n")
        assert [json.loads(x)["status"] for x in out.splitlines()] == ["ok", "ok"]
        assert server.wq("enqueue", "--each", "--wait", "--", "true", input="") == ""


def test_a_command_gets_the_line_as_one_word():
    with Server(RUN) as server:
        odd = "a b'c\"$(false);*"
        for words in (["--", "test", odd, "="], ["--", "test", "{}", "=", odd]):
            code, _, err = server.wq("enqueue", "--each", "--wait", *words, input=odd + "\n",
                                     expect=None)
            assert code == 0 and summary(err) == {"ok": 1, "failed": 0}, (words, err)
        path = os.path.join(server.dir, "out")
        server.wq("enqueue", "--each", "--wait", "--shell", "--", f"printf %s {{}} >{path}",
                  input=odd + "\n")
        with open(path) as f:
            assert f.read() == odd


def test_a_terminal_sees_a_bar_and_a_pipe_does_not():
    with Server(RUN) as server:
        gate = os.path.join(server.dir, "gate")
        for n in ("1", "2"):
            os.mkfifo(gate + n)
        _, _, err = server.wq("enqueue", "--each", "--wait", "--", "true", input="1\n2\n",
                              expect=None)
        assert err == "wq: 2 ok, 0 failed\n", err
        parent, child = pty.openpty()
        with Program([WQ, "enqueue", "--each", "--wait", "--shell", "--", f"read x <{gate}{{}}"],
                     stdin=subprocess.PIPE, stderr=child, stdout=subprocess.DEVNULL,
                     env=server.env) as p:
            os.close(child)
            p.stdin.write(b"1\n2\n")
            p.stdin.close()
            seen = b""
            opened = 0
            while b"2 ok" not in seen:
                try:
                    seen += os.read(parent, 4096)
                except OSError:
                    break
                if b"0/2" in seen and opened == 0 or b"1/2" in seen and opened == 1:
                    opened += 1
                    open_gate(f"{gate}{opened}")
            os.close(parent)
            assert p.wait(LIMIT_S) == 0
        assert re.search(rb"\[#*\.*\] 1/2", seen), seen
        assert b"2 ok, 0 failed" in seen, seen


# ---- wait --all ----------------------------------------------------------------------------------


def test_all_waits_for_what_is_there_and_takes_it_away():
    with Server(ECHO) as server:
        server.wq("enqueue", "--each", "p={}", input="".join(f"{i}\n" for i in range(50)))
        code, out, err = server.wq("wait", "--all", expect=None)
        assert (code, out, summary(err)) == (0, "", {"ok": 50, "failed": 0}), err
        assert server.names("4-complete") == []
        code, out, err = server.wq("wait", "--all", expect=None)
        assert (code, out, summary(err)) == (0, "", {"ok": 0, "failed": 0}), err
        kept = server.enqueue("n=1")
        out = server.wq("wait", "--all", "--json", "--peek")
        assert json.loads(out)["id"] == kept and server.where(kept) == "4-complete"
        for wrong in ([kept], ["--cbor"]):
            assert server.wq("wait", "--all", *wrong, expect=None)[0] == 125


def test_a_time_out_of_all_aborts_nothing():
    with down(ECHO) as server:
        request = server.enqueue("n=1")
        code, out, err = server.wq("wait", "--all", "-t", "20ms", expect=None)
        assert code == 120 and out == "" and summary(err)["not finished in time"] == 1, err
        assert server.names("5-aborting") == [] and server.where(request) == "1-requested"


def test_who_waits_beside_it_is_told_too():
    """Of two who wait for one request, one takes it away; both know how it ended."""
    with Server(RUN) as server:
        gate = os.path.join(server.dir, "gate")
        os.mkfifo(gate)
        request = server.enqueue("--shell", "--", f"read x <{gate}; exit 5")
        with contextlib.ExitStack() as stack:
            waits = [stack.enter_context(Program([WQ, "wait", *how], env=server.env,
                                                 stderr=subprocess.PIPE,
                                                 stdout=subprocess.DEVNULL))
                     for how in (["--all"], [request], [suffix(request)])]
            for p in waits:
                until(lambda: has_inotify(p.pid), "waiting")
            open_gate(gate)
            for p in waits:
                _, err = p.communicate(timeout=LIMIT_S)
                assert p.returncode == 5, err


# ---- short names ---------------------------------------------------------------------------------


def test_a_beginning_that_only_one_has_is_enough():
    with down(ECHO) as server:
        client = PyClient(server.spool)
        source = client.path("1-requested", server.enqueue("n=1"))
        with open(source, "rb") as f:
            data = f.read()
        os.unlink(source)
        us = time.time_ns() // 1000
        ids = [client.publish(data, make_id(us + i, s)) for i, s in
               enumerate((1 << 60, (1 << 60) + 1, 5 << 60))]
        server.wq("abort", suffix(ids[2], 1))
        assert server.names("5-aborting") == [ids[2]]
        for given in (suffix(ids[0]), ids[0], ids[0][:-1] if ids[0][:17] != ids[1][:17] else ids[0]):
            assert json.loads(server.wq("show", "--json", given))["id"] == ids[0], given
        code, out, err = server.wq("abort", suffix(ids[0], 4), expect=None)
        assert code == 125 and ids[0] in err and ids[1] in err and ids[2] not in err, err
        assert server.names("5-aborting") == [ids[2]]
        assert json.loads(server.wq("show", "--json", "@"))["id"] == ids[2]
        for wrong in ("x", "", "zz", "vvvvvvv", "@@"):
            assert server.wq("show", wrong, expect=None)[0] == 125, wrong


def test_the_newest_may_be_in_the_history():
    with Server(ECHO) as server:
        code, _, err = server.wq("show", "@", expect=None)
        assert code == 125 and "none" in err, err
        server.wq("enqueue", "--wait", "n=1")
        newest = server.enqueue("n=2")
        server.wq("wait", "@")
        assert json.loads(server.wq("show", "--json", "@"))["id"] == newest


# ---- the history ---------------------------------------------------------------------------------


def test_the_history_has_what_was_taken_away():
    with Server(RUN) as server:
        ids = [server.enqueue("-l", f"exit {n}", "--shell", "--", f"exit {n}") for n in (0, 7, 3)]
        server.wq("wait", ids[1], expect=7)
        server.wq("wait", "--all", "--peek", expect=3)
        out = server.wq("list", "--finished").splitlines()
        assert [line.split()[:3] for line in out] == [
            [ids[0], "ok", "0"], [ids[1], "failed", "7"], [ids[2], "failed", "3"]], out
        assert out[1].endswith("  run  exit 7"), out
        rows = [json.loads(x) for x in
                server.wq("list", "--finished", "-n", "2", "--json").splitlines()]
        assert [(r["id"], r["state"], r["status"], r["code"]) for r in rows] == [
            (ids[1], "finished", "failed", 7), (ids[2], "complete", "failed", 3)], rows
        shown = json.loads(server.wq("show", "--json", ids[1]))
        assert (shown["state"], shown["code"], shown["label"]) == ("finished", 7, "exit 7"), shown
        code, out, err = server.wq("wait", ids[1], expect=None)
        assert code == 121 and out == "" and "history" in err, err
        code, _, err = server.wq("abort", ids[1], expect=None)
        assert code == 121 and "finished" in err, err


# ---- set -----------------------------------------------------------------------------------------


def running(server):
    return len(server.names("3-running"))


def test_max_running_can_be_set_and_stays_set():
    with Server(RUN) as server:
        gate = os.path.join(server.dir, "gate")
        os.mkfifo(gate)
        for _ in range(4):
            server.enqueue("--shell", "--", f"read x <{gate}")
        until(lambda: running(server) == 2, "two run")
        assert server.wq("set", "max-running", "3") == "3\n"
        until(lambda: running(server) == 3, "three run")
        assert json.loads(server.wq("set", "max-running", "4", "-m", "run", "--json")) == {
            "max-running": 4, "task-manager": "run"}
        until(lambda: running(server) == 4, "all run")
        server.wq("abort", *server.names("3-running"))
        until(lambda: running(server) == 0, "none runs")
        server.stop(signal.SIGTERM)
        code, out, err = server.wq("set", "max-running", "1", expect=None)
        assert code == 125 and out == "" and "no server is running" in err, err
        server.start()
        for _ in range(5):
            server.enqueue("--shell", "--", f"read x <{gate}")
        until(lambda: running(server) == 4, "four run after a restart")
        assert server.wq("set", "max-running", "default") == "2\n"
        server.wq("abort", *server.names("3-running"), *server.names("2-pending"))
        for wrong in (["max-running", "0"], ["max-running", "-1"], ["max-running", "x"],
                      ["max-running"], ["colour", "1"], ["max-running", "1", "2"],
                      ["max-running", "1", "-m", "nobody"]):
            code, out, err = server.wq("set", *wrong, expect=None)
            assert code == 125 and out == "" and err, (wrong, code, out, err)


if wqtest.SANITIZED:  # which keeps what was freed, so memory says nothing
    del test_memory_does_not_grow_with_the_lines

if __name__ == "__main__":
    wqtest.main(globals())
