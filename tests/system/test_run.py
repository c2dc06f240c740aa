# SPDX-License-Identifier: BSD-2-Clause
"""wq run, wq log and wq enqueue -- as wq(1) describes them."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

import wqtest
from wqtest import LIMIT_S, PLUGINS, WQ, Program, Server, open_gate, until

COMMANDS = '''default-task-manager = "run"
task-manager "run" { plugin = "fork-exec" max-running = 2 options { mode = "command" } }
'''


class Run(Program):
    """wq run as a process of its own."""

    def __init__(self, server, *args):
        # Without a buffer a line takes nothing of what follows it.
        super().__init__([WQ, "run", *args], env=server.env, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)

    def line(self):
        return self.stdout.readline().decode()

    def end(self):
        out, err = self.communicate(timeout=LIMIT_S)
        return self.returncode, out.decode(), err.decode()


def running(server):
    """The id of the one that runs."""
    return until(lambda: [r for r in server.names("3-running") if server.begun(r)],
                 "one that runs")[0]


# ---- run -----------------------------------------------------------------------------------------


def test_run_is_as_if_it_ran_here():
    with Server(COMMANDS) as server:
        here = os.path.join(server.dir, "a dir")
        os.mkdir(here)
        env = dict(server.env, MINE="ünï 'x'", WQ_TASK="an outer one")
        done = subprocess.run(
            [WQ, "run", "sh", "-c",
             'pwd; umask; printf "%s\\n" "$MINE" "$#" "$@"; cat; echo err >&2; '
             'test "$WQ_TASK" != "an outer one" || echo outer; exit 9', "sh", "-x", "a b", ""],
            cwd=here, env=env, umask=0o027, capture_output=True, text=True, timeout=LIMIT_S)
        assert done.stdout == f"{os.path.realpath(here)}\n0027\nünï 'x'\n3\n-x\na b\n\n", done
        assert done.stderr == "err\n", done.stderr
        assert done.returncode == 9
        assert server.names("4-complete") == [], "the result was not taken away"


def test_the_environment_is_that_of_run_and_nothing_else():
    with Server(COMMANDS) as server:
        env = {"PATH": os.environ["PATH"], "WQ_SPOOL": server.spool, "MINE": "1"}
        done = subprocess.run([WQ, "run", "/usr/bin/env"], env=env, capture_output=True, text=True,
                              timeout=LIMIT_S)
        own = {"WQ_ID", "WQ_ATTEMPT", "WQ_TASK_MANAGER", "WQ_WORK_DIR", "WQ_TASK"}
        assert {line.split("=")[0] for line in done.stdout.splitlines()} == set(env) | own, done


def test_words_that_are_not_utf8_arrive_as_they_are():
    with Server(COMMANDS) as server:
        env = {os.fsencode(k): os.fsencode(v) for k, v in server.env.items()}
        env[b"RAW"] = b"\xfe\xff"
        done = subprocess.run([WQ, "run", "sh", "-c", 'printf %s "$1$RAW"', "sh", b"\xff\x80"],
                              env=env, capture_output=True, timeout=LIMIT_S)
        assert (done.returncode, done.stdout) == (0, b"\xff\x80\xfe\xff"), done


def test_options_end_at_the_first_word():
    with Server(COMMANDS) as server:
        assert server.wq("run", "echo", "-m", "--json", "-l") == "-m --json -l\n"
        assert server.wq("run", "--", "echo", "--") == "--\n"
        code, out, err = server.wq("run", "--nonsense", "true", expect=None)
        assert code == 125 and out == "" and err


def test_shell_takes_one_word():
    with Server(COMMANDS) as server:
        assert server.wq("run", "--shell", "echo b a | tr ' ' '\\n' | sort") == "a\nb\n"
        code, _, err = server.wq("run", "--shell", "echo", "a", expect=None)
        assert code == 125 and "one word" in err, err


def test_standard_input_goes_with_it_only_where_asked():
    with Server(COMMANDS) as server:
        data = os.urandom(200000)
        done = subprocess.run([WQ, "run", "--stdin", "cat"], env=server.env, input=data,
                              capture_output=True, timeout=LIMIT_S)
        assert (done.returncode, done.stdout) == (0, data), done.stderr
        assert server.wq("run", "cat", input="not this") == ""


def test_too_much_standard_input_names_the_limit():
    with Server(COMMANDS, top='request-limit = "64K"') as server:
        code, out, err = server.wq("run", "--stdin", "cat", input="x" * 70000, expect=None)
        assert code == 125 and out == "" and "request-limit" in err, err
        assert server.names("1-requested") + server.names("2-pending") == []


def test_output_comes_as_it_is_written():
    with Server(COMMANDS) as server:
        gate = os.path.join(server.dir, "gate")
        os.mkfifo(gate)
        with Run(server, "sh", "-c", f"echo one; read x <{gate}; echo two; exit 3") as run:
            assert run.line() == "one\n"
            open_gate(gate)
            assert run.line() == "two\n"
            assert run.end() == (3, "", "")


def test_much_output_comes_whole():
    with Server(COMMANDS) as server:
        n = 3000000
        done = subprocess.run([WQ, "run", "sh", "-c", f"yes out | head -c {n}; "
                               f"yes err | head -c {n} >&2"], env=server.env,
                              capture_output=True, timeout=LIMIT_S)
        assert done.returncode == 0
        assert done.stdout == (b"out\n" * n)[:n] and done.stderr == (b"err\n" * n)[:n]


def test_exit_statuses_are_those_of_the_table():
    with Server(COMMANDS) as server:
        for status in (0, 1, 2, 77, 255):
            code, out, err = server.wq("run", "sh", "-c", f"exit {status}", expect=None)
            assert (code, out, err) == (status, "", ""), (status, code, err)
        code, _, err = server.wq("run", "sh", "-c", "kill -KILL $$", expect=None)
        assert code == 128 + 9 and err, (code, err)
        code, _, err = server.wq("run", "/nonexistent/program", expect=None)
        assert code not in (0, 125) and "/nonexistent/program" in err, (code, err)


def test_json_prints_the_result_at_the_end():
    with Server(COMMANDS) as server:
        code, out, _ = server.wq("run", "--json", "sh", "-c", "echo out; exit 4", expect=None)
        assert code == 4 and out.startswith("out\n"), out
        result = json.loads(out[4:])
        assert (result["status"], result["code"]) == ("failed", 4), result
        assert result["label"] == "sh -c 'echo out; exit 4'"


def test_the_label_is_the_command_line_cut_or_the_one_given():
    with Server(COMMANDS) as server:
        for args, label in ([["echo", "x" * 200], "echo " + "x" * 120 + "..."],
                            [["-l", "mine", "echo"], "mine"]):
            out = server.wq("run", "--json", *args)
            assert json.loads(out.splitlines()[-1])["label"] == label, out


def test_a_run_limit_ends_it():
    with Server(COMMANDS) as server:
        code, out, err = server.wq("run", "--run-limit", "200ms", "sh", "-c",
                                   "echo began; exec sleep 60", expect=None)
        assert code not in (0, 125) and out == "began\n" and err, (code, out, err)


def test_an_interrupt_aborts_and_shows_the_rest():
    cleans_up = "trap 'echo cleaned; exit' TERM; echo began; while :; do sleep 0.05; done"
    with Server(COMMANDS) as server, Run(server, "sh", "-c", cleans_up) as run:
        assert run.line() == "began\n"
        request = running(server)
        run.send_signal(signal.SIGINT)
        code, out, err = run.end()
        assert code == -signal.SIGINT and out == "cleaned\n", (code, out, err)
        assert "aborting; Ctrl-C again to leave it" in err, err
        assert server.where(request) is None


def test_a_second_interrupt_leaves_it():
    with Server(COMMANDS) as server:
        gate = os.path.join(server.dir, "gate")
        os.mkfifo(gate)
        with Run(server, "sh", "-c", f"trap '' TERM; echo began; read x <{gate}") as run:
            assert run.line() == "began\n"
            request = running(server)
            run.send_signal(signal.SIGINT)
            word = run.stderr.readline()
            assert b"aborting" in word, word
            run.send_signal(signal.SIGINT)
            code, _, err = run.end()
            assert code == -signal.SIGINT and request in err, (code, err)
            open_gate(gate)  # it would take its grace to the end


def test_other_signals_leave_it_alone():
    with Server(COMMANDS) as server, Run(server, "sh", "-c", "echo began; exec sleep 60") as run:
        assert run.line() == "began\n"
        request = running(server)
        run.send_signal(signal.SIGTERM)
        code, _, _ = run.end()
        assert code == -signal.SIGTERM
        assert server.where(request) == "3-running" and server.names("5-aborting") == []
        server.wq("abort", request)
        server.wq("wait", request, expect=121)


def test_a_closed_pipe_leaves_it_and_says_so():
    with Server(COMMANDS) as server:
        gate, second = (os.path.join(server.dir, name) for name in ("gate", "second"))
        os.mkfifo(gate)
        os.mkfifo(second)
        with Run(server, "sh", "-c",
                 f"echo one; read x <{gate}; echo two; read x <{second}; exit 6") as run:
            assert run.line() == "one\n"
            request = running(server)
            run.stdout.close()
            open_gate(gate)
            code = run.wait(LIMIT_S)
            err = run.stderr.read().decode()
            assert code == 141 and "goes on" in err and request in err, (code, err)
            assert server.where(request) == "3-running"
            open_gate(second)
            assert server.wq("log", "-f", request) == "one\ntwo\n"
            server.wq("wait", request, expect=6)


def test_a_command_outlives_its_server():
    with Server(COMMANDS) as server:
        gate = os.path.join(server.dir, "gate")
        os.mkfifo(gate)
        with Run(server, "sh", "-c", f"echo one; read x <{gate}; echo two; exit 5") as run:
            assert run.line() == "one\n"
            server.kill()
            open_gate(gate)
            assert run.line() == "two\n", "output needs no server"
            server.start()
            code, out, err = run.end()
            assert (code, out) == (5, ""), (code, out, err)


# ---- log -----------------------------------------------------------------------------------------


def test_log_prints_both_or_one():
    with Server(COMMANDS) as server:
        request = server.enqueue("--", "sh", "-c", "echo e1 >&2; echo o1; echo e2 >&2; exit 1")
        assert server.wq("log", "-f", request).splitlines() != []
        for _ in range(2):  # complete, and collected
            assert server.wq("log", request) == "o1\ne1\ne2\n"
            assert server.wq("log", "--stdout", request) == "o1\n"
            assert server.wq("log", "--stderr", "-f", request) == "e1\ne2\n"
            server.wq("wait", request, expect=None)


def test_log_knows_abbreviated_ids():
    with Server(COMMANDS) as server:
        request = server.enqueue("--", "echo", "text")
        server.wq("wait", "--peek", request)
        assert server.wq("log", "@") == "text\n"
        assert server.wq("log", request.split("-")[1][:6]) == "text\n"


def test_log_of_one_that_waits_is_empty_and_of_one_that_is_gone_121():
    with Server(COMMANDS) as server:
        server.stop()
        request = server.enqueue("--", "echo", "text")
        assert server.wq("log", request) == ""
        server.wq("log", "1511472984.123456-0k3v9q2m7t1dh", expect=121)


# ---- enqueue -- ----------------------------------------------------------------------------------


def test_enqueue_takes_a_command_behind_two_dashes():
    with Server(COMMANDS) as server:
        request = server.enqueue("--", "sh", "-c", "echo out; exit 8")
        assert re.fullmatch(r"\d{10}\.\d{6}-[0-9a-v]{13}", request), request
        server.wq("wait", request, expect=8)
        assert server.wq("log", request) == "out\n"
        request = server.enqueue("--shell", "--stdin", "--", "cat | wc -c", input="12345")
        server.wq("wait", request)
        assert server.wq("log", request).strip() == "5"


def test_enqueue_without_the_dashes_says_what_was_meant():
    with Server(COMMANDS) as server:
        code, out, err = server.wq("enqueue", "make", expect=None)
        assert (code, out) == (125, "")
        assert err == "wq: 'make' is not key=value; to run a command: wq enqueue -- make\n", err
        _, _, err = server.wq("enqueue", "make", "-j4", "a b", expect=None)
        hint = err.split("to run a command: wq ")[1]
        assert hint == "enqueue -- make -j4 'a b'\n", err


def test_each_line_makes_a_command():
    with Server(COMMANDS) as server:
        ids = server.wq("enqueue", "--each", "--", "echo", input="a b\nc\n").split()
        for request, text in zip(ids, ["a b\n", "c\n"]):
            server.wq("wait", request)
            assert server.wq("log", request) == text


# ---- starting a server ---------------------------------------------------------------------------


class Home:
    """A user who has never run a server: wq.conf in XDG_CONFIG_HOME, and no spool."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="wq-home.")
        self.spool = os.path.join(self.dir, "spool")
        self.log = os.path.join(self.dir, "state", "wq", "server.log")
        config = os.path.join(self.dir, "config", "wq")
        os.makedirs(config)
        self.conf = os.path.join(config, "wq.conf")
        self.write(COMMANDS)
        self.env = dict(os.environ, HOME=self.dir, XDG_CONFIG_HOME=os.path.join(self.dir, "config"),
                        XDG_STATE_HOME=os.path.join(self.dir, "state"))
        for name in ("WQ_SPOOL", "WQ_CONFIG"):
            self.env.pop(name, None)
        return self

    def write(self, task_managers):
        with open(self.conf, "w") as f:
            f.write(f'spool = "{self.spool}"\nplugin-path = "{PLUGINS}"\n{task_managers}\n')

    def start(self, *args, **kw):
        return Program([WQ, *args], env=self.env, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw)

    def wq(self, *args, **kw):
        with self.start(*args, **kw) as process:
            out, err = process.communicate(timeout=LIMIT_S)
        return process.returncode, out, err

    def pid(self):
        code, out, _ = self.wq("status", "--json")
        return json.loads(out)["server"]["pid"] if code == 0 else None

    def __exit__(self, kind, value, tb):
        try:
            pid = self.pid()
            if pid:
                os.kill(pid, signal.SIGTERM)
                until(lambda: wqtest.state_of(pid) in (None, "Z"), "the end of the server")
        finally:
            wqtest.end_shepherds(self.spool)
            shutil.rmtree(self.dir, ignore_errors=True)


def test_run_starts_a_server_where_there_is_none():
    with Home() as home:
        code, out, err = home.wq("run", "echo", "hello")
        pid = home.pid()
        assert (code, out) == (0, "hello\n"), err
        assert err == ("wq: no server was running; started wq-server "
                       f"(pid {pid}), log in {home.log}\n"), err
        # In a session of its own, with nothing of ours.
        assert os.getsid(pid) == pid
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
        assert os.readlink(f"/proc/{pid}/fd/2") == home.log
        assert os.stat(home.log).st_mode & 0o777 == 0o600
        code, out, err = home.wq("run", "echo", "again")
        assert (code, out, err) == (0, "again\n", ""), err
        assert home.pid() == pid


def test_of_two_that_start_a_server_one_does():
    with Home() as home:
        with contextlib.ExitStack() as stack:
            runs = [stack.enter_context(home.start("run", "echo", str(i))) for i in range(6)]
            ends = [run.communicate(timeout=LIMIT_S) for run in runs]
        assert [run.returncode for run in runs] == [0] * 6, ends
        assert [out for out, _ in ends] == [f"{i}\n" for i in range(6)], ends
        assert sum("started wq-server" in err for _, err in ends) == 1, ends


def test_a_server_that_cannot_start_is_explained():
    with Home() as home:
        home.write('task-manager "run" { plugin = "no-such-plugin" }')
        code, out, err = home.wq("run", "true")
        assert (code, out) == (125, ""), (code, out)
        assert "could not be started" in err and "no-such-plugin" in err and home.log in err, err
        # What stands above it in the log is not shown again.
        home.write(COMMANDS)
        code, _, err = home.wq("run", "true")
        assert code == 0 and "no-such-plugin" not in err, err


def test_no_server_is_started_on_another_spool():
    with Home() as home, Server(COMMANDS) as other:
        other.stop()
        with home.start("-S", other.spool, "run", "echo", "late") as run:
            word = run.stderr.readline()
            assert "no server is running" in word and "waiting" in word, word
            assert not os.path.exists(home.log)
            other.start()
            out, _ = run.rest()
            assert (run.returncode, out) == (0, "late\n")


def test_only_run_starts_a_server():
    with Home() as home:
        for args in (["enqueue", "--", "true"], ["list"], ["status"], ["log", "@"]):
            home.wq(*args)
            assert not os.path.exists(home.log), args


if __name__ == "__main__":
    wqtest.main(globals())
