# SPDX-License-Identifier: BSD-2-Clause
"""Work shared out among processes, which end with us whatever ends us."""

import json
import os
import signal
import sys
import traceback

from life import catch_signals, wait_for


ENDS = (signal.SIGTERM, signal.SIGINT)


class Worker:
    def __init__(self, work, items):
        read, write = os.pipe()
        parent = os.getpid()
        sys.stdout.flush()
        # A signal that comes before it has a pipe of its own would wake its parent.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
        self.pid = os.fork()
        if self.pid == 0:
            os.close(read)
            self.run(work, items, write, parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
        os.close(write)
        self.fd, self.heard, self.code = read, b"", None

    def run(self, work, items, fd, parent):
        code = 1
        try:
            catch_signals()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
            for item in items:
                if os.getppid() != parent:
                    break
                os.write(fd, json.dumps(work(item)).encode() + b"\n")
            code = 0
        except SystemExit as e:
            code = e.code
        except BaseException:  # pylint: disable=broad-except
            traceback.print_exc()
        finally:
            os._exit(code)

    def listen(self):
        """What it has said; None: it has ended."""
        data = os.read(self.fd, 65536)
        lines = (self.heard + data).split(b"\n")
        self.heard = lines.pop()
        if not data:
            os.close(self.fd)
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return [json.loads(line) for line in lines] if data else None

    def end(self):
        if self.code is None:
            os.kill(self.pid, signal.SIGTERM)
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def share(work, items, n=None, enough=lambda: False):
    """Yield work(item), which JSON must be able to say, for all items or until it is enough."""
    n = n or os.cpu_count() or 1
    workers = [w for w in (items[i::n] for i in range(n)) if w]
    workers = [Worker(work, w) for w in workers]
    try:
        while any(w.code is None for w in workers) and not enough():
            by_fd = {w.fd: w for w in workers if w.code is None}
            for fd in wait_for(by_fd, 1):
                said = by_fd[fd].listen()
                yield from said or ()
                if said is None and by_fd[fd].code != 0:
                    raise RuntimeError(f"a worker ended with {by_fd[fd].code}")
    finally:
        for w in workers:
            w.end()
