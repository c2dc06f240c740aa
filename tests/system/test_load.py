# SPDX-License-Identifier: BSD-2-Clause
"""Many requests: nothing lost, nothing twice, order kept, nothing grows."""

import multiprocessing
import os
import re
import signal
import time

import wqtest
from libwq import Client
from wqtest import SANITIZED, Scripted, Server, until

CLIENTS = 8
REQUESTS = 2000 if SANITIZED else 10000
ROUNDS = 20
POOL_LIMIT_S = 120  # a client that dies is never answered for


def submit(args):
    """One client: publishes in small groups while earlier ones run, and waits for each."""
    spool, n, task_manager, payload = args
    client, ids, ok = Client(spool), [], 0
    while len(ids) < n:
        group = [client.enqueue(payload, task_manager) for _ in range(min(25, n - len(ids)))]
        ok += sum(client.wait(request) == "ok" for request in group)
        ids += group
    client.close()
    return ids, ok


def clients():
    """Processes that the pool can end: they do not clean up as the test itself does."""
    return multiprocessing.Pool(CLIENTS, signal.signal, (signal.SIGTERM, signal.SIG_DFL))


def check_order(log, requests):
    """Starts are in order of id, but for requests accepted after a larger one had started."""
    accepted, started = {}, []
    for n, line in enumerate(log.splitlines()):
        m = re.match(r"<6>(\S{31}): (accepted|started)", line)
        if m and m[2] == "accepted":
            accepted[m[1]] = n
        elif m:
            started.append((m[1], n))
    ids = [x[0] for x in started]
    assert len(ids) == len(set(ids)), "a request was started twice"
    assert set(ids) == set(requests), "other requests were started than were made"
    largest, started_at = "", 0
    late = 0
    for request, n in started:
        if request < largest:
            late += 1
            assert accepted[request] > started_at, f"{request} was overtaken by {largest}"
        else:
            largest, started_at = request, n
    return late


def through(task_manager, payload):
    conf = '''task-manager "null" { plugin = "null" max-running = 64 }
              task-manager "pool" { plugin = "thread-pool" max-running = 4
                                    options { threads = 4 handler = "echo" } }
              default-task-manager = "null"'''
    server = Server("", start=False)
    server.configure(conf)
    with server.start(), clients() as pool:
        begin = time.monotonic()
        work = [(server.spool, REQUESTS // CLIENTS, task_manager, payload)] * CLIENTS
        done = pool.map_async(submit, work).get(POOL_LIMIT_S)
        took = time.monotonic() - begin
        requests = [request for ids, _ in done for request in ids]
        assert len(set(requests)) == REQUESTS
        assert sum(ok for _, ok in done) == REQUESTS
        late = check_order(server.log_text(), requests)
        for state in wqtest.STATES:
            assert server.names(state) == [], state
        assert server.metric("wq_received_total") == REQUESTS
        print(f"# {REQUESTS} requests from {CLIENTS} clients through {task_manager}: "
              f"{REQUESTS / took:.0f}/s, {late} late arrivals")


def test_ten_thousand_through_null():
    through("null", b"\xa0")


def test_ten_thousand_through_thread_pool():
    through("pool", b"\x65hello")


def rss_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


def test_twenty_rounds_grow_nothing():
    server = Server('task-manager "null" { plugin = "null" max-running = 64 }',
                    top='log-level = "warn"', start=False)
    with server.start(), clients() as pool:
        pid, rss, fds = server.process.pid, [], []
        for _ in range(ROUNDS):
            work = [(server.spool, REQUESTS // 5 // CLIENTS, "null", b"\xa0")] * CLIENTS
            done = pool.map_async(submit, work).get(POOL_LIMIT_S)
            assert sum(ok for _, ok in done) == REQUESTS // 5
            rss.append(rss_kb(pid))
            fds.append(sorted(os.readlink(f"/proc/{pid}/fd/{x}")
                              for x in os.listdir(f"/proc/{pid}/fd")))
        assert fds[1] == fds[-1], (fds[1], fds[-1])
        print(f"# resident memory, first to last round: {rss[0]}, {rss[1]} ... {rss[-1]} KiB")
        if not SANITIZED:  # a sanitizer keeps freed memory back on purpose
            assert rss[-1] <= rss[1] * 1.05, rss


def test_a_full_task_manager_with_100_000_waiting_does_not_hold_a_free_one():
    n = 20000 if SANITIZED else 100000
    server = Server("", start=False)
    play = Scripted(server.dir)
    server.configure(f'''task-manager "full" {{ plugin = "scripted"
                         options {{ dir = "{play.dir}" wakes = true }} }}
                         task-manager "free" {{ plugin = "null" }}
                         default-task-manager = "free" log-level = "warn" queue-limit = 200000''')
    with server.start():
        client = Client(server.spool)
        first = [client.enqueue(task_manager="full") for _ in range(n)]
        waiting = lambda: server.status()["server"]["task-managers"][0]["waiting"]
        until(lambda: waiting() == n, f"{n} sorted")
        begin = time.monotonic()
        one = client.enqueue(task_manager="free")
        assert client.wait(one) == "ok"
        took = time.monotonic() - begin
        print(f"# behind {n} waiting requests the one was done in {took * 1000:.2f} ms")
        assert play.started() == []
        play.capacity(20)
        play.write("done/all", "ok")
        until(lambda: len(play.started()) >= 50, "some of the many started")
        begun = play.started()
        assert begun == first[:len(begun)]
        client.close()


if __name__ == "__main__":
    wqtest.main(globals())
