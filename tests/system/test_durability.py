# SPDX-License-Identifier: BSD-2-Clause
"""The levels of durability as a user sees them: what is synced by whom, by the kernel's own account,
and what is said about it.  Power cuts themselves are in tests/torture."""

import os
import re
import signal
import subprocess

import wqtest
from wqtest import LIMIT_S, SANITIZED, WQ, Server, until

NULL = 'task-manager "null" { plugin = "null" }\n'
SYNCS = "fsync,fdatasync,syncfs,sync,sync_file_range"


def traced(server, *args):
    """Run wq under strace: its output, and the paths that it has synced."""
    trace = os.path.join(server.dir, "trace")
    done = subprocess.run(["strace", "-f", "-y", "-e", f"trace={SYNCS}", "-o", trace, WQ, *args],
                          env=server.env, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    with open(trace) as f:
        return done.stdout, re.findall(r"^\d+ +f(?:data)?sync\(\d+<([^>]*)>", f.read(), re.M)


def test_clients_sync_at_strict_and_where_it_is_asked_for():
    for level, option, syncs in (("none", (), 0), ("batch", (), 0), ("batch", ("--durable",), 2),
                                 ("strict", (), 2), ("none", ("--durable",), 2)):
        with Server(NULL, top=f"durability = {level}") as server:
            _, synced = traced(server, "enqueue", *option, "n=1")
            assert len(synced) == syncs, (level, option, synced)
            server.process.send_signal(signal.SIGSTOP)
            _, synced = traced(server, "abort", server.enqueue("n=2"))
            server.process.send_signal(signal.SIGCONT)
            assert len(synced) == (1 if level == "strict" else 0), (level, synced)


def test_a_durable_request_is_synced_by_its_file_before_and_after_it_has_its_name():
    with Server(NULL, top="durability = strict") as server:
        trace = os.path.join(server.dir, "trace")
        subprocess.run(["strace", "-f", "-y", "-e", "trace=fsync,linkat,renameat2", "-o", trace, WQ,
                        "enqueue", "n=1"], env=server.env, check=True, timeout=LIMIT_S,
                       stdout=subprocess.DEVNULL)
        with open(trace) as f:
            calls = re.findall(r"^\d+ +(\w+)\(.*1-requested", f.read(), re.M)
        assert calls[0] == "fsync" and calls[-1] == "fsync" and len(calls) == 3, calls


def wholly_traced(trace, pid):
    with open(trace) as f:
        said = f.read()
    return said if re.search(rf"^{pid} +\+\+\+ exited", said, re.M) else None


def test_a_server_syncs_from_batch_on():
    for level in "none", "batch", "strict":
        server = Server(NULL, top=f"durability = {level}", start=False)
        trace = os.path.join(server.dir, "server-trace")
        with server:
            server.start()  # to make a spool takes syncs at each level
            server.stop()
            server.start(wrapper=("strace", "-D", "-f", "-y", "-e", f"trace={SYNCS}", "-o", trace))
            for n in range(3):
                server.wq("wait", server.enqueue(f"n={n}"))
            pid = server.process.pid
            server.stop()
            said = until(lambda: wholly_traced(trace, pid), "strace has written all")
        synced = re.findall(r"^\d+ +fsync\(\d+<([^>]*)>", said, re.M)
        if level == "none":
            assert synced == [], synced
        else:
            where = [os.path.basename(p.removesuffix(" (deleted)")) for p in synced]
            results = [p for p in synced if "/.wq/tmp/" in p or re.search(r"/3-running/\d", p)]
            assert where.count("3-running") >= 6, where  # a start and a result each
            assert len(results) == 3, synced


def test_status_says_what_a_power_cut_may_take():
    for level, text in (("none", "run again"), ("batch", "that have not begun"),
                        ("strict", "nothing that was acknowledged")):
        with Server(NULL, top=f"durability = {level}") as server:
            assert server.status()["server"]["durability"] == level
            assert text in server.wq("status"), level


def test_on_a_file_system_in_memory_a_level_is_told_to_promise_nothing():
    server = Server(NULL, top="durability = strict", start=False)
    where = subprocess.run(["stat", "-f", "-c", "%T", server.dir], capture_output=True, text=True,
                           check=True).stdout.strip()
    with server:
        server.start()
        said = "promises no more than none here: the spool is on a file system in memory"
        assert (said in server.log_text()) == (where == "tmpfs"), (where, server.log_text())


if SANITIZED:  # strace and a leak checker get in each other's way
    del test_clients_sync_at_strict_and_where_it_is_asked_for
    del test_a_durable_request_is_synced_by_its_file_before_and_after_it_has_its_name
    del test_a_server_syncs_from_batch_on

if __name__ == "__main__":
    wqtest.main(globals())
