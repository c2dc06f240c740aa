# SPDX-License-Identifier: BSD-2-Clause
"""The tests themselves: whatever ends one, it is named, and nothing that it started stays."""

import os
import shutil
import signal
import subprocess
import tempfile

from wqtest import LIMIT_S, Program, main, shepherd_pids, state_of, until

HERE = os.path.dirname(os.path.abspath(__file__))

COMMANDS = '''default-task-manager = "run"
task-manager "run" { plugin = "fork-exec" options { mode = "command" } }
'''

# Tells the spool and a command of its own, and does as `{then}` says.
MODULE = '''
import os, sys
sys.path.insert(0, {here!r})
from wqtest import Server, main, until

def test_one():
    with Server({commands!r}) as server:
        pid = os.path.join(server.dir, "pid")
        server.enqueue("--", "sh", "-c", 'echo $$ >"$0"; exec sleep 1000', pid)
        until(lambda: os.path.exists(pid) and os.path.getsize(pid), "it runs")
        with open(pid) as f:
            print(server.spool, f.read().strip(), flush=True)
        {then}

def test_two():
    pass

main(globals())
'''


class Module(Program):
    """Tests in a process group of their own, as timeout(1) has them."""

    def __init__(self, then):
        text = MODULE.format(here=HERE, commands=COMMANDS, then=then)
        super().__init__(["/usr/bin/python3", "-B", "-c", text], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         start_new_session=True)
        self.spool, pid = self.stdout.readline().split()
        self.command = int(pid)

    def check_nothing_is_left(self):
        assert not shepherd_pids(self.spool)
        assert state_of(self.command) in (None, "Z"), "its command runs"
        assert not os.path.exists(os.path.dirname(self.spool))


def test_a_server_leaves_no_shepherd_and_no_command():
    for then, lines in (("pass", ["ok one", "ok two"]), ("assert False", ["not ok one", "ok two"]),
                        ("server.kill()", ["ok one", "ok two"])):
        with Module(then) as module:
            out, err = module.rest()
            found = [line for line in out.splitlines() if line.startswith(("ok ", "not ok "))]
            assert [line.split(" (")[0] for line in found] == lines, (out, err)
            module.check_nothing_is_left()


def test_one_that_is_told_to_end_is_named_and_cleans_up():
    with Module("os.mkfifo(pid + 'x'); open(pid + 'x')") as module:
        until(lambda: os.path.exists(os.path.join(os.path.dirname(module.spool), "pidx")), "it hangs")
        os.killpg(module.pid, signal.SIGTERM)
        out, err = module.rest()
        assert module.returncode == 128 + signal.SIGTERM, (module.returncode, out, err)
        assert "\nnot ok one (told to end)\n" in out and "two" not in out, out
        assert "in test_one" in err, err
        module.check_nothing_is_left()


def test_a_suite_that_is_ended_shows_how_far_it_came():
    directory = tempfile.mkdtemp(prefix="wq-system.")
    try:
        os.mkdir(os.path.join(directory, "tests"))
        program = shutil.copy(os.path.join(HERE, "..", "run"), os.path.join(directory, "tests"))
        with open(os.path.join(directory, "tests", "suites"), "w") as f:
            f.write("good 1 a echo ok of another\n"
                    "slow 1 b for i in 1 2 3 4 5 6; do echo ok number $i; done; sleep 1000\n")
        done = subprocess.run([program], capture_output=True, text=True, timeout=LIMIT_S)
        lines = [line.strip() for line in done.stdout.splitlines()]
        assert done.returncode == 1 and lines[-1] == "7 passed, 1 failed", done
        assert "ok number 6" in lines and "ok number 1" not in lines, done.stdout
        assert "ok of another" not in lines, done.stdout
        assert any(line.startswith("not ok slow: ended after ") for line in lines), done.stdout
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main(globals())
