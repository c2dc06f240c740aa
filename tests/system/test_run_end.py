# SPDX-License-Identifier: BSD-2-Clause
"""wq run when things go wrong on the way: servers that end, output that is lost, interruptions."""

import fcntl
import os
import signal
import subprocess

import wqtest
from test_run import COMMANDS, Home, Run, running
from wqtest import LIMIT_S, WQ, Program, Server, open_gate, until

POOL = 'task-manager "pool" { plugin = "thread-pool" }\n'


def limited(size):
    return COMMANDS.replace('mode = "command"', f'mode = "command" output-limit = "{size}"')


# ---- output --------------------------------------------------------------------------------------


def test_output_beyond_the_limit_is_no_success():
    with Server(limited("64K")) as server:
        code, out, err = server.wq("run", "seq", "1", "40000", expect=None)
        assert code == 125 and len(out) == 65536, (code, len(out))
        assert "only the first 65536 of 228894 bytes of its standard output" in err, err
        assert "output-limit of task manager 'run'" in err, err
        code, out, err = server.wq("log", "@", expect=None)
        assert code == 0 and len(out) == 65536 and "65536 of 228894" in err, (code, err)


def test_a_failure_stays_what_it_is_when_output_is_lost():
    with Server(limited("64K")) as server:
        code, _, err = server.wq("run", "sh", "-c", "seq 1 40000 >&2; exit 3", expect=None)
        assert code == 3 and "65536 of 228894 bytes of its standard error" in err, (code, err[-300:])


# ---- servers that end ----------------------------------------------------------------------------


def test_who_waits_hears_that_the_server_has_stopped():
    with Server(COMMANDS) as server:
        gate = os.path.join(server.dir, "gate")
        os.mkfifo(gate)
        with Run(server, "sh", "-c", f"echo one; read x <{gate}; exit 5") as run:
            assert run.line() == "one\n"
            server.stop()
            word = run.stderr.readline().decode()
            assert "no server is running" in word and "waiting for one" in word, word
            server.start()
            open_gate(gate)
            assert run.end() == (5, "", "")


def test_after_a_server_that_drains_another_is_started():
    with Home() as home:
        home.write("drain-limit = 1h\n" + COMMANDS + POOL)
        assert home.wq("run", "true")[0] == 0
        first = home.pid()
        _, sleeper, _ = home.wq("enqueue", "-m", "pool", "handler=sleep", "seconds=3600")
        sleeper = sleeper.strip()
        until(lambda: f'"{sleeper}"' in home.wq("status", "--json")[1], "the one that sleeps")
        os.kill(first, signal.SIGTERM)

        def drains():
            code, out, _ = home.wq("status", "--json")
            return code == 0 and '"reason":"draining"' in out
        until(drains, "the server drains")
        with home.start("run", "echo", "later") as run:
            word = run.stderr.readline()
            assert "is stopping and starts nothing more" in word, word
            home.wq("abort", sleeper)
            out, err = run.rest()
            assert (run.returncode, out) == (0, "later\n"), err
            assert "started wq-server" in err, err
        assert home.pid() not in (None, first)


def test_a_server_that_drains_takes_what_is_enqueued():
    with Server(POOL) as server:
        server.configure(POOL, drain_limit="1h")
        server.stop()
        server.start()
        sleeper = server.enqueue("handler=sleep", "seconds=3600")
        until(lambda: server.begun(sleeper), "the one that sleeps")
        server.process.send_signal(signal.SIGTERM)
        until(lambda: server.status()["server"]["reason"] == "draining", "the server drains")
        request = server.enqueue("handler=echo")
        server.wq("abort", sleeper)
        server.join()
        server.start()
        server.wq("wait", request)


def test_a_lock_that_is_held_a_while_is_waited_for():
    with Home() as home:
        assert home.wq("run", "true")[0] == 0
        pid = home.pid()
        os.kill(pid, signal.SIGTERM)
        until(lambda: wqtest.state_of(pid) in (None, "Z"), "the end of the server")
        with open(f"{home.spool}/.wq/lock", "r+") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            with home.start("run", "echo", "late") as run:

                def tries():
                    with open(home.log) as log:
                        return log.read().count("another wq-server")
                until(lambda: tries() >= 2, "a second try")
                fcntl.lockf(lock, fcntl.LOCK_UN)
                out, err = run.rest()
                assert (run.returncode, out) == (0, "late\n"), err


# ---- the exit status -----------------------------------------------------------------------------


def test_the_exit_status_is_known_when_somebody_else_collects():
    with Server(COMMANDS) as server:
        gate = os.path.join(server.dir, "gate")
        os.mkfifo(gate)
        with Run(server, "sh", "-c", f"echo one; read x <{gate}; exit 5") as run:
            assert run.line() == "one\n"
            request = running(server)
            run.send_signal(signal.SIGSTOP)
            open_gate(gate)
            server.wq("wait", request, expect=5)
            run.send_signal(signal.SIGCONT)
            assert run.end() == (5, "", "")


# ---- signals -------------------------------------------------------------------------------------


def test_an_alarm_of_the_caller_ends_it():
    with Server(COMMANDS) as server:
        with Program(["/usr/bin/env", "perl", "-e", "alarm 1; exec @ARGV", WQ, "run", "sleep",
                      "3600"], env=server.env, stdin=subprocess.DEVNULL,
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            assert run.wait(LIMIT_S) == -signal.SIGALRM
        request = running(server)
        server.wq("abort", request)
        server.wq("wait", request, expect=121)


def test_an_interrupt_while_lines_are_read_counts_what_is_enqueued():
    with Server(COMMANDS, start=False) as server:
        server.start()
        server.stop()
        with Program([WQ, "enqueue", "--each", "--wait", "--", "echo"], env=server.env,
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE) as each:
            each.stdin.write(b"a\nb\n")
            each.stdin.flush()
            until(lambda: len(server.names("1-requested")) == 2, "both are there")
            each.send_signal(signal.SIGINT)
            assert each.wait(LIMIT_S) == -signal.SIGINT
            err = each.stderr.read().decode()
            assert "2 requests are enqueued and go on" in err and "wq wait --all" in err, err


# ---- what a server gets from who starts it -------------------------------------------------------


def test_limits_of_the_caller_are_not_those_of_the_server():
    with Home() as home:
        run = subprocess.run(
            ["/bin/sh", "-c", f"ulimit -S -n 100; ulimit -S -f 8192; '{WQ}' run true; ulimit -S -n"],
            env=home.env, capture_output=True, text=True, timeout=LIMIT_S)
        assert run.returncode == 0 and run.stdout == "100\n", run
        with open(f"/proc/{home.pid()}/limits") as f:
            soft = {line[:26].strip(): line[26:].split()[0] for line in f}
        assert int(soft["Max open files"]) >= 1024, soft
        assert soft["Max file size"] == "unlimited", soft


if __name__ == "__main__":
    wqtest.main(globals())
