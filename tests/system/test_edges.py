# SPDX-License-Identifier: BSD-2-Clause
"""wq at the edge of what it is given: few inotify watches, no words -- as wq(1) describes it."""

import os
import subprocess
import time

import wqtest
from wqtest import LIMIT_S, WQ, Program, Server, Skip, open_gate

COMMANDS = '''default-task-manager = "run"
task-manager "run" { plugin = "fork-exec" max-running = 2 options { mode = "command" } }
'''
LOOK_S = 1  # where there is no watch, two looks are at most so far apart


def limited(name, n):
    """What to put before a command, so that its user has at most `n` of something of inotify."""
    wrapper = ["unshare", "-Ur", "sh", "-c", f'echo {n} >/proc/sys/user/{name} && exec "$@"', "sh"]
    if subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode != 0:
        raise Skip("user-namespaces", "a limit of its own takes a user namespace")
    return wrapper


# ---- output while it comes -----------------------------------------------------------------------


def lines_come_at_once(wrapper):
    with Server(COMMANDS) as server:
        gates = [os.path.join(server.dir, f"gate{i}") for i in range(3)]
        for gate in gates:
            os.mkfifo(gate)
        with Program([*wrapper, WQ, "run", "sh", "-c", 'for i; do read x <"$i"; echo "$x"; done',
                      "sh", *gates], env=server.env, stdin=subprocess.DEVNULL,
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as run:
            for i, gate in enumerate(gates):
                open_gate(gate, f"{i}\n")
                begin = time.monotonic()
                assert run.stdout.readline() == f"{i}\n".encode()
                assert time.monotonic() - begin < 10 * LOOK_S, (wrapper, i)
            _, err = run.communicate(timeout=LIMIT_S)
            assert (run.returncode, err) == (0, b""), err


def test_run_shows_each_line_with_one_inotify_instance():
    lines_come_at_once(limited("max_inotify_instances", 1))


def test_run_shows_each_line_without_inotify():
    lines_come_at_once(limited("max_inotify_instances", 0))


def test_run_shows_each_line_with_few_inotify_watches():
    for n in range(1, 4):
        lines_come_at_once(limited("max_inotify_watches", n))


def test_run_uses_one_inotify_instance():
    with Server(COMMANDS) as server:
        gate = os.path.join(server.dir, "gate")
        os.mkfifo(gate)
        with Program([WQ, "run", "sh", "-c", f"echo here; read x <{gate}"], env=server.env,
                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0) as run:
            assert run.stdout.readline() == b"here\n"
            directory = f"/proc/{run.pid}/fd"
            links = [os.readlink(os.path.join(directory, fd)) for fd in os.listdir(directory)]
            assert len([x for x in links if x.endswith("inotify")]) == 1, links
            open_gate(gate)


# ---- no words ------------------------------------------------------------------------------------


def test_a_command_without_words_is_not_enqueued():
    with Server(COMMANDS, start=False) as server:
        server.start()
        server.stop()
        for words in (["--"], ["-m", "run", "--"], ["a=1", "--"], ["--each", "--"],
                      ["--wait", "--"], ["-f", "-", "--"]):
            code, out, err = server.wq("enqueue", *words, input="{}\n", expect=None)
            assert (code, out) == (125, ""), (words, code, out, err)
            assert "which command?" in err, (words, err)
        assert server.names("1-requested") == []
        server.enqueue()  # an empty map is a payload


if __name__ == "__main__":
    wqtest.main(globals())
