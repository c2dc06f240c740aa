# SPDX-License-Identifier: BSD-2-Clause
"""More happens than the kernel's event queue holds: nothing is lost, overtaken or run twice."""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import wqtest
from client import PyClient, make_id, request_file
from libwq import Client
from wqtest import LIMIT_S, SANITIZED, STATES, Program, Server, Skip, until

NULL = 'task-manager "null" { plugin = "null" max-running = 64 }'
QUEUE = "/proc/sys/fs/inotify/max_queued_events"
MANY = 20000 if SANITIZED else 100000
FEW = 16


class FewEvents:
    """Event queues that are made meanwhile hold few events.  The sysctl is the machine's, so it is
    changed for a moment only, by one at a time, and put back however this process ends."""

    def __enter__(self):
        if not os.access(QUEUE, os.W_OK):
            raise Skip("sysctls", f"{QUEUE} cannot be written")
        with open(QUEUE, encoding="ascii") as queue:
            fcntl.flock(queue, fcntl.LOCK_EX)  # the keeper has it too, and for longer
            before = queue.read().strip()
            self.keeper = Program(
                ["sh", "-c", f"trap '' HUP INT TERM; read x; echo {before} >{QUEUE}"],
                stdin=subprocess.PIPE, pass_fds=[queue.fileno()])
        with open(QUEUE, "w", encoding="ascii") as queue:
            queue.write(str(FEW))
        return self

    def __exit__(self, *args):
        self.keeper.stdin.close()
        assert self.keeper.wait(LIMIT_S) == 0


@contextlib.contextmanager
def in_memory():
    """Servers made meanwhile live in memory, where that has room: it is the server that is measured."""
    there, before = "/dev/shm", tempfile.tempdir
    if os.access(there, os.W_OK) and shutil.disk_usage(there).free > 2 << 30:
        tempfile.tempdir = there
    try:
        yield
    finally:
        tempfile.tempdir = before


def started(server):
    return re.findall(r"^<6>(\S{31}): started by", server.log_text(), re.M)


def check_all(server, requests, aborted, may_have_run=()):
    """Each that was not aborted has run, once and in its order, and has its result; of the others there
    is nothing left."""
    want = [r for r in requests if r not in aborted]
    until(lambda: server.where(want[-1]) == "4-complete", "the last is complete")
    until(lambda: not any(server.names(s) for s in STATES if s != "4-complete"), "all done")
    assert server.names("4-complete") == want
    assert [r for r in started(server) if r not in may_have_run] == want
    assert server.metric("wq_overflows_total") >= 1
    assert server.metric("wq_completed_total", status="normal", task_manager="null") == \
        len(started(server))


def test_many_that_come_while_the_server_stands_still_run_once_and_in_order():
    with open(QUEUE, encoding="ascii") as f:
        if int(f.read()) >= MANY:
            raise Skip("small-event-queue", "the queue holds more events than we make")
    with in_memory(), Server(NULL, "queue-limit = 200000") as server:
        client, marks = Client(server.spool), PyClient(server.spool)
        server.process.send_signal(signal.SIGSTOP)
        requests = [client.enqueue() for _ in range(MANY)]
        aborted = set(requests[50::997])
        for request in aborted:
            marks.abort(request)
        early = make_id()  # whose marker is there before it
        marks.abort(early)
        marks.publish(request_file({}), request=early)
        begin = time.monotonic()
        server.process.send_signal(signal.SIGCONT)
        check_all(server, requests, aborted)
        took = time.monotonic() - begin
        print(f"# {MANY} null tasks after an overflow in {took:.1f} s")
        assert took < 60
        client.close()


def test_a_queue_of_16_events_loses_nothing_under_way():
    n = 1000 if SANITIZED else 2000
    with in_memory(), Server(NULL, start=False) as server:
        with FewEvents():
            server.start()
        client, marks = Client(server.spool), PyClient(server.spool)
        requests, aborted = [], set()
        for i in range(n):
            requests.append(client.enqueue())
            if i % 7 == 3:  # it may have run, or even be complete
                aborted.add(requests[-1])
                marks.abort(requests[-1])
        check_all(server, requests, aborted, may_have_run=aborted)
        print(f"# {server.metric('wq_overflows_total')} overflows with {n} requests under way")
        client.close()


def test_a_client_whose_queue_holds_16_events_hears_of_all_its_results():
    n = 500
    with in_memory(), Server(NULL) as server:
        client = Client(server.spool)
        server.process.send_signal(signal.SIGSTOP)
        requests, done = [client.enqueue() for _ in range(n)], [False] * n
        with FewEvents():  # it makes its queue when it first waits
            assert client.wait_any(requests, done, timeout_s=0.01) is None
        server.process.send_signal(signal.SIGCONT)
        until(lambda: len(server.names("4-complete")) == n, "all have run")
        begin = time.monotonic()
        while not all(done):
            i = client.wait_any(requests, done)
            assert i is not None and not done[i], i
            done[i] = True
            # The slow look that is made anyway comes after 30 seconds.
            assert time.monotonic() - begin < 25, "an overflow was not noticed"
        client.close()


if __name__ == "__main__":
    wqtest.main(globals())
