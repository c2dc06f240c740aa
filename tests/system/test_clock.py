# SPDX-License-Identifier: BSD-2-Clause
"""Clocks that are wrong: set back an hour, forward ten years, frozen, a second twice, 1970, the ends of
ten digits.  Order, limits and what is kept do not depend on them."""

import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time

import wqtest
from client import PyClient
from wqtest import LIMIT_S, SANITIZED, WQ, Program, Server, open_gate, until

NULL = 'task-manager "null" { plugin = "null" max-running = 64 }'
RUN = 'task-manager "run" { plugin = "fork-exec" max-running = 4 }'
S = 10**6  # the clock's unit is a microsecond
HOUR, YEAR = 3600 * S, 365 * 24 * 3600 * S


class Clock:
    """The wall clock of what is run with its `env`."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="wq-clock.")
        self.path = os.path.join(self.dir, "clock")
        shim = os.path.join(self.dir, "shim.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clock_shim.c")
        subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", shim, source], check=True,
                       timeout=LIMIT_S)
        with open(self.path, "wb") as f:
            f.write(bytes(16))
        self.env = {"WQ_TEST_CLOCK": self.path, "LD_PRELOAD": shim}
        if SANITIZED:  # its runtime wants to be the first
            options = os.environ.get("ASAN_OPTIONS", "")
            self.env["ASAN_OPTIONS"] = f"{options}:verify_asan_link_order=0".lstrip(":")

    def write(self, offset, frozen):
        with open(self.path, "r+b", buffering=0) as f:
            f.write(struct.pack("=qq", offset, frozen))

    def step(self, offset):
        """So much from the real one, and it runs."""
        self.write(offset, 0)

    def is_now(self, now):
        self.step(now - time.time_ns() // 1000)

    def freeze(self, at):
        self.write(0, at)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        shutil.rmtree(self.dir, ignore_errors=True)


class Ids:
    """Clients that enqueue: each id is greater than the one before, and so is the mark of the page never
    less."""

    def __init__(self, server):
        self.server = server
        self.all = []
        self.mark = 0
        self.wq = Program([WQ, "enqueue", "--each", "n={}"], env=server.env, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def took(self, request):
        assert not self.all or request > self.all[-1], (self.all[-1:], request)
        self.all.append(request)

    def one_of_a_long_life(self):
        self.wq.stdin.write(f"{len(self.all)}\n")
        self.wq.stdin.flush()
        self.took(self.wq.stdout.readline().strip())

    def one_of_its_own(self):
        self.took(self.server.enqueue("n=1"))

    def accepted(self):
        """What has no id of the server's knowing yet may be overtaken by another client's."""
        until(lambda: self.server.where(self.all[-1]) == "4-complete", "the last has run")
        mark = self.server.status()["page"]["hwm-us"]
        assert mark >= self.mark, (mark, self.mark)
        self.mark = mark

    def some(self):
        for _ in range(3):
            self.one_of_a_long_life()
        self.accepted()
        for _ in range(2):
            self.one_of_its_own()
            self.accepted()
        self.one_of_a_long_life()
        self.accepted()

    def started(self):
        lines = self.server.log_text().splitlines()
        return [line[3:34] for line in lines if ": started by '" in line]

    def end(self):
        self.wq.stdin.close()
        assert self.wq.wait(LIMIT_S) == 0
        self.wq.stdout.close()
        assert self.started() == self.all == sorted(self.all)
        assert len(set(self.all)) == len(self.all)


def test_ids_go_up_and_requests_are_started_in_order_whatever_the_clock_does():
    with Clock() as clock, Server(NULL, env=clock.env) as server:
        ids = Ids(server)
        ids.some()
        clock.step(-HOUR)
        ids.some()
        clock.step(0)
        ids.some()
        clock.is_now(1483228799 * S)  # 2016-12-31 23:59:59, which came twice, though it is long ago
        ids.some()
        clock.is_now(1483228799 * S)
        ids.some()
        clock.freeze(time.time_ns() // 1000)
        ids.some()
        clock.freeze(-5)
        ids.some()
        clock.is_now(0)  # 1970
        ids.some()
        clock.step(10 * YEAR)
        ids.some()
        ahead = ids.all[-1]
        clock.step(0)
        ids.some()
        assert ids.all[-1][:10] == ahead[:10]  # it goes on there
        mark = ids.mark
        server.stop()
        clock.step(-YEAR)
        server.start()
        ids.some()
        assert ids.mark > mark
        ids.end()


def test_a_second_that_comes_twice_repeats_nothing():
    with Clock() as clock, Server(NULL, env=clock.env) as server:
        clock.is_now(4102444799 * S)
        ids = Ids(server)
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            ids.one_of_a_long_life()
        ids.accepted()
        clock.is_now(4102444799 * S)
        for _ in range(50):
            ids.one_of_a_long_life()
        ids.some()
        ids.end()


def test_ten_digits_from_their_first_to_their_last():
    with Clock() as clock, Server(NULL, env=clock.env) as server:
        ids = Ids(server)
        clock.freeze(1)
        ids.some()
        assert ids.all[0].startswith("0000000000.0000")
        clock.freeze(10**9 * S - 2)  # two microseconds before the tenth digit is needed
        ids.some()
        assert ids.all[-1].startswith("1000000000.0000")
        clock.freeze(10**10 * S - 500)
        for _ in range(5):
            ids.one_of_a_long_life()
        ids.accepted()
        assert ids.all[-1].startswith("9999999999.9995")
        clock.freeze(10**10 * S)
        code, out, err = server.wq("enqueue", "n=1", expect=None)
        assert (code, out) == (125, "") and "past the year 2286" in err, (code, out, err)
        assert server.names("1-requested") == []
        # It is set right: the spool is as good as before, though its mark is far ahead.
        clock.step(0)
        for _ in range(3):
            request = server.enqueue("n=1")
            server.wq("wait", request)
        server.stop()
        server.start()
        server.wq("wait", server.enqueue("n=1"))
        ids.wq.kill()
        ids.wq.wait(LIMIT_S)
        ids.wq.stdout.close()


def test_a_server_whose_clock_is_not_that_of_its_clients_keeps_order():
    for offset in (-56 * YEAR, -HOUR, HOUR, 10 * YEAR):
        with Clock() as clock, Server(NULL, start=False) as server:
            server.env.update(clock.env)
            clock.step(offset)
            server.start()
            for name in clock.env:
                del server.env[name]
            ids = Ids(server)
            for _ in range(3):
                ids.some()
            ids.end()


# ---- durations -----------------------------------------------------------------------------------


def test_no_limit_and_no_wait_depends_on_the_wall_clock():
    pool = ('task-manager "pool" { plugin = "thread-pool" max-running = 4\n'
            'options { threads = 4 handler = "sleep" } }')
    with Clock() as clock, Server(pool, env=clock.env) as server:
        server.configure(pool, drain_limit="1s")
        server.stop()
        server.start()
        begin = time.monotonic()
        long = server.enqueue("--run-limit", "1h", "seconds=3000")
        short = server.enqueue("--run-limit", "1s", "seconds=3000")
        until(lambda: server.where(short) == "3-running", "running")
        with Program([WQ, "wait", "-t", "2s", "--no-abort", long], env=server.env,
                     stderr=subprocess.PIPE) as waiting:
            clock.step(10 * YEAR)
            server.wq("list")
            clock.step(-HOUR)
            code, out, _ = server.wq("wait", "--json", short, expect=None)
            result = json.loads(out)
            assert (result["status"], result["error"]) == ("killed", "run-limit"), result
            assert 0.9e9 < result["running-ns"] < 10e9, result
            assert 0 <= result["waiting-ns"] < 10e9, result
            assert waiting.wait(LIMIT_S) == 120
        assert 2 <= time.monotonic() - begin < 30
        assert server.where(long) == "3-running"
        clock.step(10 * YEAR)
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        clock.step(-YEAR)
        server.join()
        assert 1 <= time.monotonic() - begin < 20
        assert server.where(long) == "4-complete"


def test_the_run_limit_of_a_command_counts_on_over_a_restart_whatever_the_clock_says():
    with Clock() as clock, Server(RUN, env=clock.env) as server:
        gate = os.path.join(server.dir, "gate")
        os.mkfifo(gate)
        client = PyClient(server.spool)
        in_time = client.enqueue({"shell": f"read x <{gate}", "dir": server.dir},
                                 run_limit_ns=20 * 10**9)
        begin = time.monotonic()
        overdue = client.enqueue({"shell": "sleep 1000", "dir": server.dir}, run_limit_ns=5 * 10**9)
        until(lambda: server.names("3-running") == [in_time, overdue], "both run")
        until(lambda: "started by" in server.log_text().split(overdue)[-1], "begun")
        server.stop()
        clock.step(30 * S)  # as if the one had run too long
        server.start()
        until(lambda: f"{overdue}: adopted" in server.log_text(), "adopted")
        server.stop()
        clock.step(-HOUR)  # as if the other had just begun
        server.start()
        head, _ = client.result(overdue)
        assert (head["status"], head["error"]) == ("killed", "run-limit"), head
        assert 4.9 < time.monotonic() - begin < 20, time.monotonic() - begin
        assert server.where(in_time) == "3-running"
        open_gate(gate)
        head, _ = client.result(in_time)
        assert head["status"] == "ok", head


# ---- what is kept --------------------------------------------------------------------------------


def with_bounds(clock, bounds):
    """A server that looks every second for what is too old."""
    server = Server(NULL, start=False, env=clock.env)
    with open(server.conf) as f:
        text = f.read()
    with open(server.conf, "w") as f:
        f.write(text.replace("safety-interval = 1h", "safety-interval = 1s") + bounds)
    return server


def looked_twice(server):
    """Two safety looks from now on have been made: each writes the mark."""
    for _ in range(2):
        before = os.stat(os.path.join(server.spool, ".wq/hwm")).st_ino
        until(lambda: os.stat(os.path.join(server.spool, ".wq/hwm")).st_ino != before, "a look")


def test_a_clock_that_jumps_ahead_makes_nothing_old():
    with Clock() as clock, with_bounds(
            clock, "keep-finished-for = 1d\nkeep-results-for = 1d\n") as server:
        server.start()
        collected, left = server.enqueue("n=1"), server.enqueue("n=2")
        server.wq("wait", collected)
        until(lambda: server.where(left) == "4-complete", "complete")
        clock.step(10 * YEAR)
        looked_twice(server)
        server.kill()
        server.start()
        looked_twice(server)
        clock.step(0)
        looked_twice(server)
        assert server.names("finished") == [collected]
        assert server.names("4-complete") == [left]
        server.wq("wait", left)
        assert server.names("finished") == [collected, left]


def test_what_is_too_old_goes_all_the_same():
    with Clock() as clock, with_bounds(clock, "keep-finished-for = 2s\n") as server:
        server.start()
        collected = server.enqueue("n=1")
        server.wq("wait", collected)
        until(lambda: server.names("finished") == [], "removed")
        # A clock that was missed for a while, as when nothing ran, is caught up with.
        clock.step(3 * S)
        again = server.enqueue("n=1")
        server.wq("wait", again)
        until(lambda: server.names("finished") == [], "removed")


if __name__ == "__main__":
    wqtest.main(globals())
