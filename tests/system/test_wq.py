# SPDX-License-Identifier: BSD-2-Clause
"""The command line as wq(1) describes it."""

import base64
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time

import cbor2

import wqtest
from client import PyClient, check_item, envelope, make_id
from wqtest import LIMIT_S, WQ, Program, Scripted, Server, until

ECHO = '''default-task-manager = "echo"
task-manager "echo" { plugin = "thread-pool" max-running = 4 options { threads = 4 handler = "echo" } }
task-manager "pool" { plugin = "thread-pool" max-running = 4 options { threads = 4 } }
'''


def scripted(max_running=100, start=True):
    server = Server("", start=False)
    play = Scripted(server.dir)
    server.configure(f'task-manager "play" {{ plugin = "scripted" max-running = {max_running}\n'
                     f'options {{ dir = "{play.dir}" wakes = true }} }}')
    return (server.start() if start else server), play


def in_state(server, request, state):
    until(lambda: server.begun(request) if state == "3-running" else server.where(request) == state,
          f"{request} in {state}")


def stored(server, request):
    """The payload that was published, as an independent reader sees it."""
    with open(os.path.join(server.spool, server.where(request), request), "rb") as f:
        data = f.read()
    for n in range(1, len(data)):  # the envelope is the first item
        try:
            item = cbor2.loads(data[:n])
        except cbor2.CBORDecodeError:
            continue
        head = n
        break
    rest = data[head:-5]
    assert data[-5:] == check_item(data[:-5])
    item = item.value if isinstance(item, cbor2.CBORTag) else item
    return item, rest


def down():
    """A spool whose server has stopped."""
    server = Server(ECHO)
    server.stop()
    return server


# ---- payloads ------------------------------------------------------------------------------------


def test_words_are_typed_as_json_or_text():
    with down() as server:
        for word, value in [
                ("n=1", 1), ("n=-7", -7), ("n=1.5", 1.5), ("n=1e3", 1000), ("n=2.0", 2),
                ("n=true", True), ("n=false", False), ("n=null", None), ("n=[1,\"a\"]", [1, "a"]),
                ('n={"a":{}}', {"a": {}}), ('n="quoted"', "quoted"), ('n="1"', "1"),
                ("n=text", "text"), ("n=", ""), ("n=True", "True"), ("n=1 2", "1 2"),
                ("n=a=b", "a=b"), (r'n="\"open"', '"open'), ('n="[1,"', "[1,"), ("n=01", "01"),
                ("n=9223372036854775807", 2**63 - 1), ("n=-9223372036854775808", -2**63),
                ("n=ünïcode", "ünïcode"), ("n=.5", ".5")]:
            _, payload = stored(server, server.enqueue(word))
            # By RFC 8949 section 6.2 numbers without a fraction are integers.
            want = {"n": value}
            assert payload == cbor2.dumps(want, canonical=True), (word, payload.hex())
        _, payload = stored(server, server.enqueue())
        assert payload == b"\xa0"
        # Equal input gives equal bytes, whatever its order.
        a = stored(server, server.enqueue("b=1", "aa=2", "c=3"))[1]
        b = stored(server, server.enqueue("c=3", "b=1", "aa=2"))[1]
        assert a == b == cbor2.dumps({"b": 1, "aa": 2, "c": 3}, canonical=True)


def test_words_that_are_wrong_publish_nothing():
    with down() as server:
        for words in (["n"], ["=1"], ["n=9223372036854775808"], ["n=1", "n=2"], ["-f", "/absent"],
                      ["n=[1,"], ['n="open'], ["n={make}"], ["-t", "5s", "n=1"],
                      ["--no-abort", "n=1"], ["--peek", "n=1"], ["--progress", "n=1"],
                      ["-f", "-", "n=1"], ["--cbor", "n=1"], ["-m", "Not-A-Name", "n=1"],
                      ["-k", "k" * 257, "n=1"], ["-l", "l" * 129, "n=1"], ["-l", "a\nb", "n=1"],
                      ["--nonsense"]):
            code, out, err = server.wq("enqueue", *words, expect=None, input="{}")
            assert code == 125 and out == "" and err, (words, code, out, err)
        raw = subprocess.run([WQ.encode(), b"enqueue", b"n=\xff"], env=server.env,
                             capture_output=True)
        assert raw.returncode == 125 and raw.stdout == b"", raw
        assert server.names("1-requested") == []


def test_the_envelope_has_task_manager_key_and_label():
    with down() as server:
        request = server.enqueue("-m", "pool", "-k", "k" * 256, "-l", "l" * 128, "n=1")
        head, _ = stored(server, request)
        assert head == {"wq-request": 1, "task-manager": "pool", "key": "k" * 256,
                        "label": "l" * 128}, head
        head, _ = stored(server, server.enqueue("n=1"))
        assert head == {"wq-request": 1}, head
        out = server.wq("enqueue", "--json", "n=1")
        assert server.where(json.loads(out)["id"]) == "1-requested" and list(json.loads(out)) == ["id"]


def test_a_payload_comes_from_a_file_or_standard_input():
    with down() as server:
        path = os.path.join(server.dir, "payload")
        item = cbor2.dumps([cbor2.CBORTag(22, b"\x01"), 2**63, float("inf")])
        for text, want in [('{"b": [1.0, 2.5], "a": null}', {"b": [1, 2.5], "a": None}),
                           ("[]", []), ('"text"', "text"), ("  7\n", 7)]:
            with open(path, "w") as f:
                f.write(text)
            for request in (server.enqueue("-f", path), server.enqueue("--file=-", input=text)):
                assert stored(server, request)[1] == cbor2.dumps(want, canonical=True), text
        with open(path, "wb") as f:
            f.write(item)
        assert stored(server, server.enqueue("-f", path, "--cbor"))[1] == item
        piped = subprocess.run([WQ, "enqueue", "--cbor", "-f", "-"], input=item, env=server.env,
                               capture_output=True)
        assert stored(server, piped.stdout.decode().strip())[1] == item
        n = len(server.names("1-requested"))
        for wrong in ("{", '{"a": 1} 2', "", '{"a": 1, "a": 2}', "[18446744073709551616]"):
            code, out, err = server.wq("enqueue", "-f", "-", input=wrong, expect=None)
            assert code == 125 and out == "" and err, (wrong, code, out, err)
        for wrong in (b"", b"\x82\x01", b"\x01\x02", b"\x9f\xff", b"\xff"):
            piped = subprocess.run([WQ, "enqueue", "--cbor", "-f", "-"], input=wrong,
                                   env=server.env, capture_output=True)
            assert piped.returncode == 125 and piped.stdout == b"", (wrong, piped)
        assert len(server.names("1-requested")) == n


def test_results_are_json_by_rfc_8949_section_6_1():
    item = {"bytes": b"\xfb\xff", "b64": cbor2.CBORTag(22, b"\xfb\xff"),
            "hex": cbor2.CBORTag(23, b"\xfb\xff"), "nan": float("nan"), "inf": float("-inf"),
            "undef": cbor2.undefined, "big": 2**64 - 1, "tag": cbor2.CBORTag(1, 7), 5: "key",
            "text": "\x1b[31m\u202e"}
    with Server(ECHO) as server:
        client = PyClient(server.spool)
        head = envelope(task_manager="echo")
        data = head + cbor2.dumps(item)
        request = client.publish(data + check_item(data))
        out = server.wq("wait", "--peek", request)
        assert out.count("\n") == 1 and "\x1b" not in out and "\u202e" not in out
        shown = json.loads(out)
        assert shown == {
            "bytes": base64.urlsafe_b64encode(b"\xfb\xff").decode().rstrip("="),
            "b64": base64.b64encode(b"\xfb\xff").decode(), "hex": "FBFF", "nan": None,
            "inf": None, "undef": None, "big": float(2**64 - 1), "tag": 7, "5": "key",
            "text": "\x1b[31m\u202e"}, shown
        raw = subprocess.run([WQ, "wait", "--cbor", request], env=server.env, capture_output=True)
        assert raw.returncode == 0 and raw.stdout == cbor2.dumps(item)
        # What JSON cannot hold stays for --cbor.
        payload = b"\xa2\x01\x01\x611\x02"  # {1: 1, "1": 2}
        data = head + payload
        request = client.publish(data + check_item(data))
        code, out, err = server.wq("wait", request, expect=None)
        assert code == 125 and "--cbor" in err and out == "", (code, out, err)
        assert server.where(request) == "4-complete"
        raw = subprocess.run([WQ, "wait", "--cbor", request], env=server.env, capture_output=True)
        assert raw.returncode == 0 and raw.stdout == payload
        assert server.where(request) is None


# ---- waiting -------------------------------------------------------------------------------------


def test_several_ids_exit_with_the_first_that_is_not_0_as_given():
    server, play = scripted()
    with server:
        play.capacity(10)
        good, bad, rejected, gone = (server.enqueue("n=1"), server.enqueue("n=2"),
                                     server.enqueue("-m", "nobody", "n=3"), make_id())
        play.finish(good)
        play.finish(bad, "failed it did")
        wait = lambda *ids: server.wq("wait", "--peek", *ids, expect=None)[0]
        assert [wait(x) for x in (good, bad, rejected, gone)] == [0, 1, 123, 121]
        assert wait(good, bad, rejected, gone) == 1
        assert wait(good, rejected, bad) == 123
        assert wait(gone, good, rejected) == 121
        code, out, err = server.wq("wait", bad, rejected, good, expect=None)
        assert code == 1 and out == "", (code, out)  # none has a payload
        assert "it did" in err and bad in err and rejected in err, err
        assert server.names("4-complete") == []


def test_several_payloads_are_told_apart_by_their_ids():
    with Server(ECHO) as server:
        requests = [server.enqueue(f"n={i}") for i in range(3)]
        out = server.wq("wait", *requests)
        lines = dict(line.split(" ", 1) for line in out.splitlines())
        assert {k: json.loads(v) for k, v in lines.items()} == {
            r: {"n": i} for i, r in enumerate(requests)}
        assert json.loads(server.wq("enqueue", "--wait", "n=7")) == {"n": 7}
        code, out, err = server.wq("wait", "--cbor", make_id(), make_id(), expect=None)
        assert code == 125 and err
        request = make_id()
        assert server.wq("wait", request, request, expect=None)[0] == 125


def test_one_deadline_holds_for_all_of_them():
    server, play = scripted()
    with server:
        play.capacity(1)
        done, running, pending = (server.enqueue(f"n={i}") for i in range(3))
        play.finish(done)
        in_state(server, running, "3-running")
        begin = time.monotonic()
        code, out, err = server.wq("wait", "-t", "300ms", running, done, pending, expect=None)
        took = time.monotonic() - begin
        assert code == 120 and 0.3 <= took < 3, (code, took)
        assert running in err and pending in err and done not in err, err
        for request in (running, done, pending):
            until(lambda: server.where(request) is None, "aborted or collected")
        left = server.enqueue("n=4")
        in_state(server, left, "3-running")
        for how in (["-t", "0s"], ["-t", "20ms", "--no-abort"]):
            assert server.wq("wait", *how, left, expect=None)[0] == 120
        assert server.names("5-aborting") == [] and server.where(left) == "3-running"
        for wrong in ("5", "x", "-1s", ""):
            assert server.wq("wait", "-t", wrong, left, expect=None)[0] == 125, wrong
        assert server.where(left) == "3-running"


def test_the_time_limits_of_the_manual_are_understood():
    with Server(ECHO) as server:
        for text in ("250ms", "90s", "15m", "1.5h"):
            assert json.loads(server.wq("enqueue", "--wait", "-t", text, "n=1")) == {"n": 1}


def test_a_result_is_collected_only_after_its_output_was_written():
    with Server(ECHO) as server:
        request = server.enqueue("n=1")
        in_state(server, request, "4-complete")
        for words in (["wait", request], ["wait", "--json", request], ["wait", "--cbor", request]):
            with open("/dev/full", "w") as full:
                done = subprocess.run([WQ, *words], stdout=full, stderr=subprocess.PIPE,
                                      env=server.env, text=True)
            assert done.returncode == 125 and done.stderr, done
            assert server.where(request) == "4-complete", words
            closed = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", WQ, *words],
                                    stderr=subprocess.PIPE, env=server.env, text=True)
            assert closed.returncode == 125 and closed.stderr, closed
            assert server.where(request) == "4-complete", words
            read, write = os.pipe()
            os.close(read)
            broken = subprocess.run([WQ, *words], stdout=write, stderr=subprocess.PIPE,
                                    env=server.env, text=True)
            os.close(write)
            assert broken.returncode in (125, -signal.SIGPIPE), broken
            assert server.where(request) == "4-complete", words
        assert json.loads(server.wq("wait", request)) == {"n": 1}
        assert server.where(request) is None
        for words in (["list"], ["status"], ["metrics"], ["version"], ["help"], ["--version"],
                      ["enqueue", "n=1"], ["show", server.enqueue("n=2")]):
            with open("/dev/full", "w") as full:
                done = subprocess.run([WQ, *words], stdout=full, stderr=subprocess.PIPE,
                                      env=server.env, text=True)
            assert done.returncode == 125, (words, done)


def test_peek_leaves_and_show_leaves_and_wait_takes():
    with Server(ECHO) as server:
        request = server.enqueue("n=1")
        for _ in range(2):
            assert json.loads(server.wq("wait", "--peek", request)) == {"n": 1}
            assert json.loads(server.wq("show", "--json", request))["payload"] == {"n": 1}
        assert json.loads(server.wq("wait", request)) == {"n": 1}
        assert server.wq("wait", request, expect=121) == ""
        # it is in the history now
        assert json.loads(server.wq("show", "--json", request))["payload"] == {"n": 1}
        assert os.path.exists(os.path.join(server.spool, "finished", request))


def test_json_says_all_that_the_result_says():
    server, play = scripted()
    with server:
        play.capacity(1)
        request = server.enqueue("-l", "the label", "-k", "the key", "n=1")
        play.finish(request, "failed no space")
        code, out, _ = server.wq("wait", "--json", request, expect=None)
        r = json.loads(out)
        assert code == 1 and out.count("\n") == 1
        assert set(r) == {"id", "status", "code", "signal", "error", "text", "attempt",
                          "task-manager", "plugin", "key", "label", "accepted-us", "started-us",
                          "ended-us", "waiting-ns", "running-ns", "payload"}, r
        assert (r["id"], r["status"], r["code"], r["signal"]) == (request, "failed", 1, 0), r
        assert (r["text"], r["attempt"], r["task-manager"]) == ("no space", 1, "play"), r
        assert (r["key"], r["label"], r["payload"]) == ("the key", "the label", None), r
        assert r["plugin"].startswith("scripted "), r
        now = time.time() * 1e6
        assert now - 60e6 < r["accepted-us"] <= r["started-us"] <= r["ended-us"] <= now + 1e6, r
        assert r["waiting-ns"] >= 0 and r["running-ns"] > 0
        server.stop()
        lost = server.enqueue("n=2")
        server.start()
        server.wq("abort", lost)
        assert server.wq("wait", "--json", lost, expect=121) == ""


def has_inotify(pid):
    """Does the process wait by inotify already?  Others of its descriptors come and go."""
    directory = f"/proc/{pid}/fd"
    for fd in os.listdir(directory):
        try:
            if "inotify" in os.readlink(os.path.join(directory, fd)):
                return True
        except FileNotFoundError:
            pass
    return False


def test_interrupting_leaves_the_request_alone():
    server, play = scripted()
    with server:
        play.capacity(1)
        request = server.enqueue("n=1")
        in_state(server, request, "3-running")
        inotify = lambda p: has_inotify(p.pid)
        gone = make_id()
        for words in (["wait", "-t", "1h", request], ["wait", request, gone],
                      ["enqueue", "--wait", "n=2"]):
            with Program([WQ, *words], env=server.env, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE) as p:
                if gone in words:
                    assert gone in p.stderr.readline().decode()
                until(lambda: inotify(p), "waiting")
                if words[0] == "enqueue":
                    until(lambda: server.names("2-pending"), "accepted")
                p.send_signal(signal.SIGINT)
                out, err = p.rest()
            told = re.findall(r"wq: interrupted; (\S+) goes on: 'wq wait \1' or 'wq abort \1'\n",
                              err.decode())
            if words[0] == "enqueue":
                assert told == server.names("2-pending"), (told, err)
            else:
                assert told == [request], (told, err)
            # A shell shows both as 130.
            assert p.returncode in (130, -signal.SIGINT) and out == b"", p.returncode
        assert server.where(request) == "3-running" and server.names("5-aborting") == []
        assert play.events("terminate") == []
        many = [server.enqueue(f"n={i}") for i in range(7)]
        with Program([WQ, "wait", *many], env=server.env, stderr=subprocess.PIPE, text=True) as p:
            until(lambda: inotify(p), "waiting")
            p.send_signal(signal.SIGINT)
            _, err = p.communicate(timeout=LIMIT_S)
        lines = err.splitlines()
        assert len(lines) == 6 and lines[5].endswith("and 2 more"), err
        assert [re.search(r"; (\S+) goes on", l)[1] for l in lines[:5]] == many[:5], err
        # Where it is ignored it stays so.
        with Program(["sh", "-c", 'trap "" INT; exec "$@"', "sh", WQ, "wait", request],
                     env=server.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
            until(lambda: inotify(p), "waiting")
            p.send_signal(signal.SIGINT)
            play.finish(request)
            _, err = p.communicate(timeout=LIMIT_S)
        assert p.returncode == 0 and err == b"", (p.returncode, err)


def test_who_waits_for_no_server_is_told_and_served_when_one_comes():
    with down() as server:
        note = f"wq: no server is running on '{server.spool}'; waiting for one"
        for enqueues in (True, False):
            words = ["enqueue", "--wait", "n=1"] if enqueues else ["wait", server.enqueue("n=1")]
            with Program([WQ, *words], env=server.env, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True) as p:
                first = p.stderr.readline()
                assert first.startswith(note), first
                server.start()
                out, err = p.rest()
                assert p.returncode == 0 and json.loads(out) == {"n": 1} and err == "", (out, err)
            server.stop()
        code, out, err = server.wq("enqueue", "--wait", "-t", "1s", "n=1", expect=None)
        assert code == 120 and out == "" and err.count(note) == 1, err
        assert err.endswith("no result within 1s (no server is running), aborted\n"), err
        server.start()
        server.process.send_signal(signal.SIGSTOP)  # it is there, though it does not answer
        try:
            _, _, err = server.wq("enqueue", "--wait", "-t", "1s", "n=1", expect=None)
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert "no server" not in err and "no result within 1s, aborted" in err, err


def test_progress_where_the_plugin_tells_none():
    server, play = scripted(max_running=1)
    with server:
        play.capacity(1)
        first, second = server.enqueue("n=1"), server.enqueue("n=2")
        for request in (first, second):
            in_state(server, request, "3-running")
            with Program([WQ, "wait", "--progress", request], env=server.env,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
                line = p.stderr.readline()
                play.finish(request)
                _, rest = p.rest()
                assert p.returncode == 0 and (line, rest) == (f"wq: {request}: running\n", ""), rest
        request = server.enqueue("n=3")
        in_state(server, request, "3-running")
        waiting = server.enqueue("n=4")
        code, _, err = server.wq("wait", "--progress", "-t", "400ms", "--no-abort", waiting,
                                 expect=None)
        assert code == 120 and f"wq: {waiting}: waiting to start\n" in err, err


def test_progress_of_a_running_copy():
    with Server(ECHO) as server:
        source, target = (os.path.join(server.dir, n) for n in ("source", "target"))
        with open(source, "wb") as f:
            f.write(os.urandom(1 << 20))
        request = server.enqueue("-m", "pool", "-l", "big file", "handler=copy",
                                 f"from={source}", f"to={target}", 'rate="512K"')
        in_state(server, request, "3-running")
        until(lambda: server.status()["server"]["running"], "told")
        listed = json.loads(server.wq("list", "--json"))
        assert listed["id"] == request and listed["task-manager"] == "pool", listed
        assert listed["label"] == "big file" and 0 <= listed["permille"] <= 1000, listed
        line = server.wq("list")
        assert "pool" in line and "big file" in line and "%" in line, line
        code, out, err = server.wq("wait", "--progress", request, expect=None)
        assert code == 0 and json.loads(out)["bytes"] == 1 << 20, (code, out)
        shown = [int(x) for x in re.findall(r"(\d+) %", err)]
        assert request in err and len(shown) >= 2 and shown == sorted(shown), err
        assert shown[-1] <= 100 and shown[0] < shown[-1], err
        with open(source, "rb") as a, open(target, "rb") as b:
            assert a.read() == b.read()
        # Without a server nothing is shown, and it still waits.
        server.stop()
        request = server.enqueue("n=1")
        code, _, err = server.wq("wait", "--progress", "-t", "1.2s", "--no-abort", request,
                                 expect=None)
        assert code == 120 and "%" not in err, err


def open_terminal():
    try:
        return pty.openpty()
    except OSError as e:
        raise wqtest.Skip("pty", str(e)) from e


def test_enqueue_and_wait_on_a_terminal_tell_the_id():
    with Server(ECHO) as server:
        ours, theirs = open_terminal()
        done = subprocess.run([WQ, "enqueue", "--wait", "n=1"], env=server.env, stderr=theirs,
                              stdout=subprocess.PIPE)
        os.close(theirs)
        told = os.read(ours, 4096).decode()
        os.close(ours)
        assert done.returncode == 0 and json.loads(done.stdout) == {"n": 1}
        assert re.search(r"\d{10}\.\d{6}-[0-9a-v]{13}", told), told
        quiet = subprocess.run([WQ, "enqueue", "--wait", "n=1"], env=server.env,
                               capture_output=True)
        assert quiet.stderr == b"", quiet


def test_exit_status_of_killed_and_lost():
    server, play = scripted()
    with server:
        play.capacity(2)
        killed = server.enqueue("n=1")
        in_state(server, killed, "3-running")
        server.stop()  # its drain limit is 0
        assert server.wq("wait", killed, expect=None)[0] == 124
        server.start()
        lost = server.enqueue("n=2")
        in_state(server, lost, "3-running")
        server.kill()
        server.start()
        assert server.wq("wait", lost, expect=None)[0] == 122


# ---- abort ---------------------------------------------------------------------------------------


def test_abort_exits_with_121_for_what_is_gone():
    server, play = scripted()
    with server:
        pending, gone = server.enqueue("n=1"), make_id()
        in_state(server, pending, "2-pending")
        assert server.wq("abort", pending) == ""
        server.wq("wait", pending, expect=121)
        for ids in ([pending], [gone], [gone, server.enqueue("n=2")], [server.enqueue("n=3"), gone]):
            code, out, err = server.wq("abort", *ids, expect=None)
            assert code == 121 and out == "" and "gone" in err, (ids, code, err)
        until(lambda: server.names("2-pending") == [] and server.names("5-aborting") == [],
              "the others were aborted all the same")
        twice = server.enqueue("n=4")
        server.process.send_signal(signal.SIGSTOP)
        server.wq("abort", twice)
        server.wq("abort", twice)
        server.process.send_signal(signal.SIGCONT)
        server.wq("wait", twice, expect=121)


# ---- looking -------------------------------------------------------------------------------------


def test_list_in_order_with_states_and_without_a_server():
    server, play = scripted(max_running=1)
    with server:
        play.capacity(1)
        done = server.enqueue("n=1")
        play.finish(done)
        in_state(server, done, "4-complete")
        running = server.enqueue("-l", "it runs", "n=2")
        in_state(server, running, "3-running")
        pending = server.enqueue("n=3")
        in_state(server, pending, "2-pending")
        server.process.send_signal(signal.SIGSTOP)
        try:
            requested, aborting = server.enqueue("n=4"), server.enqueue("n=5")
            server.wq("abort", aborting)
        finally:
            server.kill()
        want = [(done, "complete", False), (running, "running", False),
                (pending, "pending", False), (requested, "requested", False),
                (aborting, "requested", True)]
        assert want == sorted(want)
        listed = [json.loads(l) for l in server.wq("list", "--json").splitlines()]
        assert [(e["id"], e["state"], e["aborting"]) for e in listed] == want, listed
        for e in listed:
            assert e["made-us"] == int(e["id"][:10]) * 1000000 + int(e["id"][11:17]), e
        lines = [re.split(r" {2,}", l) for l in server.wq("list").splitlines()]
        assert [(l[0], l[1].split(" ")[0]) for l in lines] == [w[:2] for w in want], lines
        assert ["(aborting)" in l[1] for l in lines] == [w[2] for w in want], lines
        assert all(re.fullmatch(r" *\d+[smhd]", l[2]) for l in lines), lines
        assert lines[0][3:] == ["ok", "play"] and all(len(l) == 3 for l in lines[1:]), lines
        assert lines[1][1] == "running (no server)", lines
        assert (listed[0]["status"], listed[0]["error"], listed[0]["label"],
                listed[0]["task-manager"]) == ("ok", "", "", "play"), listed
        for state in ("requested", "pending", "running", "complete"):
            out = server.wq("list", "--state", state, "--json").splitlines()
            assert [json.loads(l)["id"] for l in out] == [w[0] for w in want if w[1] == state]
        for wrong in (["-s", "nonsense"], ["-s", ""], ["word"]):
            assert server.wq("list", *wrong, expect=None)[0] == 125
        # Everything that only needs files works.
        assert json.loads(server.wq("show", "--json", running))["state"] == "running"
        assert server.wq("wait", "-t", "0s", pending, expect=None)[0] == 120
        server.wq("wait", done)
        server.wq("abort", pending)
        for words in (["metrics"],):
            assert server.wq(*words, expect=None)[0] == 125
        server.start()
        server.wq("wait", pending, expect=121)


def test_list_reads_the_newest_results():
    with Server(ECHO) as server:
        client = PyClient(server.spool)
        head = envelope(task_manager="echo", label="many")
        data = head + b"\xa0"
        for _ in range(1003):
            client.publish(data + check_item(data))
        until(lambda: len(server.names("4-complete")) == 1003, "all are complete")
        listed = [json.loads(l) for l in server.wq("list", "--json").splitlines()]
        assert len(listed) == 1003 and [e["id"] for e in listed] == server.names("4-complete")
        assert ["status" in e for e in listed] == [False] * 3 + [True] * 1000
        assert listed[3]["status"] == "ok" and listed[3]["label"] == "many", listed[3]


def test_show_of_each_state():
    server, play = scripted(max_running=1)
    with server:
        play.capacity(1)
        args = ("-m", "play", "-k", "host-7", "-l", "night\u202ely", 'a=[1,"x"]')
        done = server.enqueue(*args)
        in_state(server, done, "3-running")
        waiting = server.enqueue(*args)
        in_state(server, waiting, "2-pending")
        for request, state in ((done, "running"), (waiting, "pending")):
            r = json.loads(server.wq("show", "--json", request))
            assert r == {"id": request, "state": state, "task-manager": "play", "key": "host-7",
                         "label": "night\u202ely", "uid": os.getuid(), "payload": {"a": [1, "x"]}}, r
            text = server.wq("show", request)
            for wanted in (request, state, "play", "host-7", '{"a":[1,"x"]}'):
                assert wanted in text.replace(" [", "[").replace(": ", ":") or wanted in text, text
            assert "\u202e" not in text
        play.finish(done)
        in_state(server, done, "4-complete")
        r = json.loads(server.wq("show", "--json", done))
        assert r["state"] == "complete" and r["status"] == "ok" and r["label"] == "night\u202ely"
        assert "ok" in server.wq("show", done) and server.where(done) == "4-complete"
        server.stop()
        requested = server.enqueue("n=1")
        assert json.loads(server.wq("show", "--json", requested))["state"] == "requested"
        for wrong in ([], [done, requested]):
            assert server.wq("show", *wrong, expect=None)[0] == 125
        assert server.wq("show", make_id(), expect=None)[0] == 121


def test_json_where_the_manual_offers_it():
    with Server(ECHO) as server:
        request = json.loads(server.wq("enqueue", "--json", "n=1"))["id"]
        in_state(server, request, "4-complete")
        assert json.loads(server.wq("list", "--json"))["id"] == request
        assert json.loads(server.wq("show", "--json", request))["id"] == request
        status = json.loads(server.wq("status", "--json"))
        assert set(status) == {"spool", "spool-from", "server", "page"}, status
        assert isinstance(json.loads(server.wq("metrics", "--json")), list)
        assert json.loads(server.wq("wait", "--json", request))["id"] == request
        assert json.loads(server.wq("enqueue", "--wait", "--json", "n=2"))["payload"] == {"n": 2}


# ---- which spool, and mistakes -------------------------------------------------------------------


def test_the_three_rules_of_which_spool():
    first, second, third = (Server(ECHO) for _ in range(3))
    with first, second, third:
        env = {k: v for k, v in os.environ.items() if k != "WQ_SPOOL"}
        env["WQ_CONFIG"] = third.conf

        def chosen(*options, **more):
            out = subprocess.run([WQ, *options, "status", "--json"], env=dict(env, **more),
                                 capture_output=True, text=True, timeout=LIMIT_S)
            assert out.returncode == 0, out
            status = json.loads(out.stdout)
            return status["spool"], status["spool-from"]
        assert chosen("-S", first.spool, WQ_SPOOL=second.spool)[0] == first.spool
        assert chosen(f"--spool={first.spool}", WQ_SPOOL=second.spool)[0] == first.spool
        assert chosen(WQ_SPOOL=second.spool) == (second.spool, "WQ_SPOOL")
        spool, rule = chosen()
        assert spool == third.spool and "configuration" in rule, (spool, rule)
        # By PATH, where no wq-server is beside it.
        alone = os.path.join(first.dir, "bin")
        os.makedirs(alone)
        shutil.copy(WQ, alone)
        found = subprocess.run(
            [os.path.join(alone, "wq"), "list"],
            env=dict(env, PATH=os.path.dirname(WQ) + ":" + env["PATH"],
                     LD_LIBRARY_PATH=os.path.join(wqtest.BUILD, "lib")),
            capture_output=True, text=True)
        assert found.returncode == 0, found
        env["WQ_CONFIG"] = os.path.join(first.dir, "absent.conf")
        wrong = subprocess.run([WQ, "list"], env=env, capture_output=True, text=True)
        assert wrong.returncode == 125 and "WQ_SPOOL" in wrong.stderr, wrong


def test_a_spool_that_is_none():
    with Server(ECHO) as server:
        for path in ("/absent", server.conf, server.dir):
            for words in (["list"], ["enqueue", "n=1"], ["wait", make_id()], ["status"]):
                code, out, err = server.wq("-S", path, *words, expect=None)
                assert code == 125 and out == "" and path in err, (path, words, code, err)


def test_a_spool_with_no_name():
    with Server(ECHO) as server:
        code, out, err = server.wq("-S", "", "list", expect=None)
        assert (code, out, err) == (125, "", "wq: -S: the spool's name is empty\n")


def test_bad_ids_and_words():
    with Server(ECHO) as server:
        for bad in ("x", "", "../1-requested", make_id()[:-1], make_id() + "0", make_id().upper(),
                    make_id()[:18] + "z" + make_id()[19:], "a/b", "\x1b[31m"):
            for verb in ("wait", "abort", "show"):
                code, out, err = server.wq(verb, "--", bad, expect=None)
                assert code == 125 and out == "" and err, (verb, bad, code, out, err)
                assert "\x1b" not in err
        for verb in ("wait", "abort", "show"):
            assert server.wq(verb, expect=None)[0] == 125
        for wrong in ([], ["nonsense"], ["--nonsense"], ["enqeue"], ["status", "word"],
                      ["metrics", "word"], ["help", "nonsense"], ["-S"], ["abort", "--json", "x"]):
            code, out, err = server.wq(*wrong, expect=None)
            assert code == 125 and out == "" and err, (wrong, code, out, err)
        assert "enqueue" in server.wq("enqeue", expect=None)[2]
        assert server.names("1-requested") == server.names("5-aborting") == []


def test_help_and_version():
    with Server(ECHO) as server:
        verbs = ("enqueue", "wait", "abort", "list", "show", "status", "metrics", "help", "version")
        for words in (["help"], ["--help"], ["-?"]):
            out = server.wq(*words)
            assert all(v in out for v in verbs), out
        for wrong in (["version", "x"], ["help", "list", "x"], ["help", "--nonsense"]):
            assert server.wq(*wrong, expect=None)[0] == 125
        for verb in verbs:
            assert server.wq("help", verb) == server.wq(verb, "--help")
            assert f"wq {verb}" in server.wq("help", verb)
        version = server.wq("version")
        assert re.fullmatch(r"wq \d+\.\d+\.\d+\S*\n", version), version
        assert server.wq("--version") == server.wq("-V") == version


if __name__ == "__main__":
    wqtest.main(globals())
