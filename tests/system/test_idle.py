# SPDX-License-Identifier: BSD-2-Clause
"""An idle server does nothing at all: 60 seconds under strace, with requests waiting and without."""

import re
import subprocess
import sys

import wqtest
from wqtest import LIMIT_S, Scripted, Server

IDLE_S = 60


def test_sixty_idle_seconds_make_no_system_call():
    server = Server("", start=False)
    play = Scripted(server.dir)
    # One that has no capacity and wakes by itself, one that must be asked but has nothing to do.
    server.configure(f'''task-manager "pool" {{ plugin = "thread-pool" options {{ threads = 2 }} }}
                         task-manager "asked" {{ plugin = "scripted" options {{ dir = "{play.dir}" }} }}
                         default-task-manager = "pool"''')
    with server.start():
        request = server.enqueue("handler=echo")
        server.wq("wait", request)
        # The server has nothing left to do once its own pass has ended; strace shows it asleep.
        trace = server.dir + "/strace"
        done = subprocess.run(["timeout", "--signal=INT", "--kill-after=5", str(IDLE_S), "strace",
                               "-f", "-qq", "-o", trace, "-p", str(server.process.pid)],
                              capture_output=True, text=True, timeout=IDLE_S + LIMIT_S)
        assert "Operation not permitted" not in done.stderr, done.stderr
        with open(trace) as f:
            calls = [line for line in f if not re.search(r"(resumed|unfinished|restart_syscall|detached)", line)]
        # strace shows the sleep that was going on when it came, as one unfinished call a thread.
        assert calls == [], calls[:20]
        print(f"# {IDLE_S} idle seconds: {len(calls)} system calls")


if __name__ == "__main__":
    if wqtest.SANITIZED:
        sys.exit(0)  # sanitizers have threads of their own
    wqtest.main(globals())
