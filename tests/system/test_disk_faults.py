# SPDX-License-Identifier: BSD-2-Clause
"""What the system can refuse at each step of a request's life: no space, no inodes, no descriptors, an
error of the device, a file system that is read-only.  Meanwhile nothing is lost and wq status says why;
and when it is over the server goes on by itself, and nothing has run twice."""

import concurrent.futures
import json
import os
import resource
import signal
import socket
import time

import wqtest
from client import PyClient, make_id, request_file
from faults import Failing, Volume, fails
from libwq import Client
from wqtest import (LIMIT_S, SANITIZED, STATES, WQ, Scripted, Server, open_gate, shepherd_pids,
                    until)

TMP = ".wq/tmp"
AT_ONCE = 4 if SANITIZED else 8  # cases side by side: each waits most of its time


def said(server, text):
    until(lambda: text in server.log_text(), f"the log says {text!r}")


def text_of(path):
    with open(path) as f:
        return f.read()


class Play(Server):
    """Task manager `play`, which the test plays, and `run`, for commands."""

    def __init__(self, spool=None, capacity=0, start=True, durability="batch"):
        super().__init__("", start=False)
        if spool:
            self.use_spool(spool)
        self.play = Scripted(self.dir)
        self.play.capacity(capacity)
        self.configure(f'''default-task-manager = "play"
            task-manager "play" {{ plugin = "scripted" max-running = 100
            options {{ dir = "{self.play.dir}" wakes = true }} }}
            task-manager "run" {{ plugin = "fork-exec" max-running = 2 }}''',
            f'durability = "{durability}"', drain_limit="100ms")
        if start:
            self.start()
        self.client = PyClient(self.spool)

    def path(self, *names):
        return os.path.join(self.spool, *names)

    def command(self, text):
        return self.client.enqueue({"shell": text, "dir": self.dir}, task_manager="run")

    def in_state(self, request, state):
        until(lambda: self.where(request) == state, f"{request} in {state}")

    def check_ok(self, *requests):
        for request in requests:
            head, _ = self.client.result(request)
            assert head["status"] == "ok", head

    def check_idle(self):
        until(lambda: not any(self.names(s) for s in (*STATES, TMP)),
              f"nothing left: {[(s, self.names(s)) for s in (*STATES, TMP)]}")

    def check_started_once(self, *requests):
        started = self.play.started()
        for request in requests:
            assert started.count(request) == 1, (request, started)


def tells(server, *words):
    """Does wq status say one of these?"""
    _, out, _ = server.wq("status", expect=None)
    return any(word in out for word in words)


# ---- a volume ------------------------------------------------------------------------------------


def goes_without_space(fill, empty):
    with Volume(mkfs=["-N", "128"]) as volume, Play(os.path.join(volume.at, "spool"), 1) as s:
        gate, ran = os.path.join(s.dir, "gate"), os.path.join(s.dir, "ran")
        os.mkfifo(gate)
        running = s.client.enqueue({"n": 1})
        s.in_state(running, "3-running")
        waiting = [s.client.enqueue({"n": n}) for n in range(3)]
        unwanted = s.client.enqueue({"n": 9})
        command = s.command(f"echo 1 >>{ran}; read x <{gate}; echo 2 >>{ran}; echo done")
        s.in_state(unwanted, "2-pending")
        until(lambda: os.path.exists(ran), "the command runs")
        s.client.abort(unwanted)
        until(lambda: s.where(unwanted) is None and s.names("5-aborting") == [], "aborted")

        fill(volume)
        # 119 when the server has said so before; else 1-requested itself refuses it.
        code, out, err = s.wq("enqueue", "--no-block", "-f", "-", input=json.dumps("x" * 100000),
                              expect=None)
        assert code in (119, 125) and out == "", (code, out, err)
        assert code == 119 or "1-requested: " in err, err
        s.play.finish(running)
        open_gate(gate)
        until(lambda: tells(s, "pace"), "wq status says what is the matter")
        assert s.process.poll() is None
        assert s.where(running) in ("3-running", "4-complete")
        s.wq("list")

        empty(volume)
        s.play.finish("all")
        s.play.capacity(10)
        s.check_ok(running, *waiting, command)
        assert s.play.started() == [running, *waiting]
        assert text_of(ran) == "1\n2\n"
        until(lambda: not tells(s, "pace"), "and that it is over")
        s.check_ok(s.client.enqueue({"n": "after"}))
        s.check_idle()


def test_without_space_results_wait_and_all_goes_on_when_there_is_some():
    goes_without_space(Volume.fill, Volume.empty)


def test_without_inodes_results_wait_and_all_goes_on_when_there_are_some():
    goes_without_space(Volume.use_inodes, Volume.free_inodes)


def test_a_file_system_that_breaks_keeps_what_was_synced():
    with Volume() as volume, Play(os.path.join(volume.at, "spool"), 1) as s:
        running, waiting = s.client.enqueue({"n": 1}), s.client.enqueue({"n": 2})
        s.in_state(running, "3-running")
        s.in_state(waiting, "2-pending")
        done = s.command("true")
        s.in_state(done, "4-complete")
        until(lambda: s.play.started() == [running], "begun")
        os.sync()
        volume.break_it()
        code, _, err = s.wq("enqueue", "n=3", expect=None)
        assert code == 125 and "1-requested: Read-only file system" in err, (code, err)
        code, _, err = s.wq("abort", waiting, expect=None)
        assert code == 125 and "5-aborting: Read-only file system" in err, (code, err)
        s.play.finish(running)
        s.play.capacity(5)
        until(lambda: tells(s, "Read-only file system"), "wq status says what is the matter")
        assert s.play.started() == [running]
        s.process.send_signal(signal.SIGTERM)
        s.join(expect=1)  # it leaves with a result that it could not publish

        wqtest.end_shepherds(s.spool)
        volume.mend()
        s.start()
        s.play.finish("all")
        s.check_ok(waiting, done)
        head, _ = s.client.result(running)
        assert (head["status"], head["error"]) == ("lost", "server-restart"), head
        s.check_started_once(running, waiting)
        s.check_idle()


# ---- each step -----------------------------------------------------------------------------------

# Of the server: which calls, about what; the errors that this step can meet.
RENAME, OPEN, READ = ("EIO", "ENOSPC"), ("EMFILE", "EIO"), ("EIO",)
STEPS = [
    ("accept, look", "newfstatat", "3-running", READ),
    ("accept", "renameat2", "1-requested", ("EROFS", "ENOSPC")),
    ("sort, open", "openat", "2-pending", OPEN),
    ("sort, read", "pread64", "2-pending/ID", READ),
    ("start", "renameat2", "3-running", RENAME),
    ("start, commit", "fsync", "3-running", ("ENOSPC",)),
    ("begin, open", "openat", "3-running", ("ENFILE", "EIO")),
    ("begin, read", "pread64", "3-running/ID", READ),
    ("result, open", "openat", TMP, ("EMFILE", "ENOSPC")),
    ("result, write", "write", TMP + "/ID", ("EDQUOT", "EIO")),
    ("exchange", "renameat2", TMP, ("EROFS", "EIO")),
    ("result, commit", "fsync", "3-running/ID", ("EIO", "ENOSPC")),
    ("publish", "renameat2", "4-complete", RENAME),
    ("retire", "unlinkat", TMP, ("EIO", "EROFS")),
    ("page", "pwrite64", "wq.status", ("ENOSPC", "EIO")),
]


def side_by_side(case, rows):
    """All rows; what failed is told together."""
    failures = []
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for row, done in [(row, pool.submit(case, *row)) for row in rows]:
            try:
                done.result(2 * LIMIT_S)
            except wqtest.Skip:
                raise
            except Exception as e:
                failures.append(f"{row}: {type(e).__name__}: {e}")
    assert not failures, "\n".join(failures)


def through_all_but(s, calls, path, error):
    """A request that meets this error, until the system is mended."""
    request = make_id()
    with Failing(s.process.pid, calls, s.path(path.replace("ID", request)), error) as failing:
        s.client.publish(request_file({"n": error}), request=request)
        until(failing.hits, "the call fails")
        waiter = Client(s.spool)
        until(lambda: tells(s, "trouble") or s.where(request) == "4-complete", "it is told")
    begin = time.monotonic()
    assert waiter.wait(request) == "ok"
    assert time.monotonic() - begin < 10, "its waiter was not woken"
    waiter.close()
    s.check_started_once(request)
    s.check_idle()


def test_each_step_of_a_life_is_done_when_it_can_be():
    def case(_, calls, path, errors):
        with Play(capacity=4) as s:
            s.play.finish("all")
            for error in errors:
                through_all_but(s, calls, path, error)
            assert s.process.poll() is None
    side_by_side(case, STEPS)


ABORTS = [
    ("pending", "unlinkat", "2-pending", "EIO"),
    ("pending", "newfstatat", "5-aborting", "EIO"),
    ("pending", "unlinkat", "5-aborting", "EROFS"),
    ("running", "unlinkat", "3-running", "EROFS"),
    ("running", "unlinkat", TMP, "EIO"),
    ("running", "unlinkat", "5-aborting", "EIO"),
    ("complete", "newfstatat", "4-complete", "EIO"),
    ("complete", "unlinkat", "4-complete", "EIO"),
    ("complete", "unlinkat", "5-aborting", "EROFS"),
    ("unknown", "newfstatat", "2-pending", "EIO"),
    ("unknown", "unlinkat", "5-aborting", "EIO"),
]


def test_each_step_of_an_abort_is_done_when_it_can_be():
    def case(state, calls, path, error):
        with Play(capacity=0 if state == "pending" else 1) as s:
            request = make_id()
            if state != "unknown":
                s.client.publish(request_file({}), request=request)
                s.in_state(request, "2-pending" if state == "pending" else "3-running")
            if state == "complete":
                s.play.finish(request)
                s.in_state(request, "4-complete")
            with Failing(s.process.pid, calls, s.path(path), error) as failing:
                s.client.abort(request)
                until(failing.hits, "the call fails")
                assert s.names("5-aborting") == [request]
                said(s, "trying again")
            until(lambda: s.names("5-aborting") == [], "aborted")
            assert s.where(request) is None
            s.play.finish("all")
            s.play.capacity(2)
            s.check_ok(s.client.enqueue({}))
            assert s.play.started().count(request) == (state in ("running", "complete"))
            s.check_idle()
    side_by_side(case, ABORTS)


REFUSALS = [
    ("an id", "openat", ".wq/quarantine", "EMFILE"),
    ("an id", "getdents64", ".wq/quarantine", "EIO"),
    ("an id", "renameat2", ".wq/quarantine", "ENOSPC"),
    ("no id", "openat", ".wq/quarantine", "EMFILE"),
    ("no id", "renameat2", ".wq/quarantine", "ENOSPC"),
]


def test_what_is_refused_comes_to_quarantine_when_it_can():
    def case(what, calls, path, error):
        with Play() as s:
            name = make_id() if what == "an id" else "strange"
            with Failing(s.process.pid, calls, s.path(path), error) as failing:
                if what == "an id":
                    s.client.publish(b"bad", request=name)
                else:
                    os.close(os.open(s.path("1-requested", name), os.O_CREAT | os.O_WRONLY, 0o600))
                until(failing.hits, "the call fails")
            # The call may fail for the reason alone, which goes first and is no more than that.
            until(lambda: name in s.names(".wq/quarantine"), "in quarantine")
            if what == "an id":
                head, _ = s.client.result(name)
                assert head["status"] == "rejected", head
            s.check_idle()
    side_by_side(case, REFUSALS)


# Of the shepherd, but for the first.
COMMANDS = [
    ("mkdirat", "work", "ENOSPC", "server"),
    ("openat", ".wq/run", "ENOSPC", "shepherd"),
    ("write", ".wq/run/RECORD", "EIO", "shepherd"),
    ("openat", "work/ID.1", "EMFILE", "shepherd"),
    ("openat", "work/ID.1", "ENOSPC", "shepherd"),
    ("pipe2", None, "ENFILE", "shepherd"),
    ("clone3,clone,vfork", None, "EAGAIN", "shepherd"),
]


def test_a_command_begins_when_it_can_and_runs_once():
    def case(calls, path, error, who):
        with Play() as s:
            s.check_ok(s.command("true"))
            ran, request = os.path.join(s.dir, "ran"), make_id()
            uuid = text_of(s.path(".wq/spool")).split()[-1]
            if path:
                path = path.replace("RECORD", f"{uuid}.ID.1").replace("ID", request, 2)
                path = s.path(path.replace(f"U{request}", "UUID"))
            pid = s.process.pid if who == "server" else shepherd_pids(s.spool)[0]
            with Failing(pid, calls, path, error, threads=who == "server") as failing:
                s.client.publish(request_file({"shell": f"echo ran >>{ran}", "dir": s.dir},
                                              task_manager="run"), request=request)
                until(failing.hits, "the call fails")
                until(lambda: tells(s, "trouble"), "wq status says why")
                assert not os.path.exists(ran)
            s.check_ok(request)
            assert text_of(ran) == "ran\n"
            s.check_idle()
    side_by_side(case, COMMANDS)


def test_a_second_attempt_begins_only_when_that_can_be_written_down():
    with Server('task-manager "run" { plugin = "fork-exec" on-crash = requeue }') as s:
        gate, ran = os.path.join(s.dir, "gate"), os.path.join(s.dir, "ran")
        os.mkfifo(gate)
        client = PyClient(s.spool)
        request = client.enqueue({"shell": f"echo $WQ_ATTEMPT >>{ran}; read x <{gate}",
                                  "dir": s.dir})
        until(lambda: os.path.exists(ran), "the first has begun")
        with Failing(s.process.pid, "openat", os.path.join(s.spool, ".wq/attempts"),
                     "ENOSPC") as failing:
            os.kill(shepherd_pids(s.spool)[0], signal.SIGKILL)
            until(failing.hits, "the call fails")
            until(lambda: tells(s, "No space left"), "wq status says why")
        until(lambda: text_of(ran) == "1\n2\n", "the second has begun")
        open_gate(gate)
        head, _ = client.result(request)
        assert (head["status"], head["attempt"]) == ("ok", 2), head
        until(lambda: s.names(".wq/attempts") == [], "nothing left")
        assert text_of(ran) == "1\n2\n"


# ---- what cannot be synced -----------------------------------------------------------------------


def test_a_directory_that_cannot_be_synced_stops_all_starts_until_a_restart():
    with Play(capacity=1) as s:
        s.play.finish("all")
        request = make_id()
        with Failing(s.process.pid, "fsync", s.path("3-running"), "EIO") as failing:
            s.client.publish(request_file({}), request=request)
            until(failing.hits, "the sync fails")
            until(lambda: tells(s, "storage-error"), "wq status says so")
        code, _, err = s.wq("enqueue", "n=1", expect=None)
        assert code == 125 and "storage-error" in err, (code, err)
        second = s.client.enqueue({})  # who does not ask is taken all the same
        assert s.play.started() == []
        s.process.send_signal(signal.SIGTERM)
        s.join(expect=1)
        s.start()
        s.check_ok(request, second)
        s.check_started_once(request, second)
        s.check_idle()


def test_a_result_that_cannot_be_synced_three_times_is_not_shown():
    with Play(capacity=1) as s:
        request = make_id()
        with Failing(s.process.pid, "fsync", s.path("3-running", request), "EIO") as failing:
            s.client.publish(request_file({}), request=request)
            until(lambda: s.play.started() == [request], "begun")
            s.play.finish(request)
            until(lambda: failing.hits() >= 3, "three times")
            until(lambda: tells(s, "storage-error"), "wq status says so")
        assert s.names("4-complete") == []
        s.process.send_signal(signal.SIGTERM)
        s.join(expect=1)
        s.start()
        head, _ = s.client.result(request)
        assert head["status"] in ("ok", "lost"), head
        s.check_started_once(request)
        s.check_idle()


# ---- no descriptors ------------------------------------------------------------------------------


def descriptors(pid):
    return [int(fd) for fd in os.listdir(f"/proc/{pid}/fd")]


def use_up_descriptors(s, connections):
    """Lower the limit to what is open, and fill what is free below it; the limit of before."""
    pid = s.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    limit = max(descriptors(pid)) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    for _ in range(limit - len(descriptors(pid))):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.connect(s.path("wq.sock"))
        connections.append(sock)
    until(lambda: len(descriptors(pid)) == limit, "none is left")
    return before


def test_without_descriptors_it_answers_and_goes_on_when_there_are_some():
    with Play(capacity=1) as s:
        gate, connections = os.path.join(s.dir, "gate"), []
        os.mkfifo(gate)
        s.check_ok(s.command("true"))
        running, command = s.client.enqueue({"n": 1}), s.command(f"read x <{gate}; echo done")
        s.in_state(running, "3-running")
        s.in_state(command, "3-running")
        before = use_up_descriptors(s, connections)
        waiting, later = s.client.enqueue({"n": 2}), s.command("echo hi")
        refused = s.client.publish(b"bad")
        s.play.finish(running)
        open_gate(gate)
        said(s, f"{command}: cannot publish its result, keeping it and trying again")
        until(lambda: tells(s, "Too many open files"), "wq status says what is the matter")
        assert s.names("4-complete") == []
        resource.prlimit(s.process.pid, resource.RLIMIT_NOFILE, before)
        for sock in connections:
            sock.close()
        s.play.finish("all")
        s.play.capacity(2)
        s.check_ok(running, waiting)
        for request, wrote in ((command, "done\n"), (later, "hi\n")):
            head, payload = s.client.result(request)
            assert head["status"] == "ok" and payload["stdout"]["tail"] == wrote, (head, payload)
        head, _ = s.client.result(refused)
        assert head["status"] == "rejected", head
        assert s.names(".wq/quarantine") == [refused, refused + ".why"]
        s.check_started_once(running, waiting)
        s.check_idle()


# ---- what the server keeps for itself ------------------------------------------------------------


def test_a_setting_that_cannot_be_kept_is_not_set():
    with Play() as s:
        running = lambda: {t["name"]: t["max-running"] for t in
                           s.status()["server"]["task-managers"]}["run"]
        for calls, path, error, text in (
                ("openat", TMP, "ENOSPC", "No space left on device"),
                ("write", TMP + "/settings", "EIO", "Input/output error"),
                ("renameat,renameat2", TMP, "EROFS", "Read-only file system")):
            with Failing(s.process.pid, calls, s.path(path), error) as failing:
                code, _, err = s.wq("set", "max-running", "7", "-m", "run", expect=None)
                assert failing.hits() == 1, calls
            assert code == 125 and ".wq/settings" in err and text in err, (code, err)
            assert running() == 2 and not os.path.exists(s.path(".wq/settings"))
        s.wq("set", "max-running", "7", "-m", "run")
        assert running() == 7


def test_a_mark_that_cannot_be_saved_costs_nothing_but_a_warning():
    with Play(capacity=1) as s:
        s.play.finish("all")
        first = s.client.enqueue({})
        s.check_ok(first)
        with Failing(s.process.pid, "openat", s.path(TMP), "ENOSPC") as failing:
            s.process.send_signal(signal.SIGTERM)
            until(failing.hits, "the call fails")
        s.join()
        assert "cannot save the id high-water mark: No space left" in s.log_text()
        s.start()
        second = s.enqueue("n=2")
        assert second > first
        s.wq("wait", second)


def test_a_stopped_server_is_told_from_none():
    with Play() as s:
        s.process.send_signal(signal.SIGSTOP)
        code, out, err = s.wq("status", expect=None)
        s.process.send_signal(signal.SIGCONT)
        assert code == 125 and "did not answer" in err, (code, err)
        assert "does not answer" in out and "none is running" not in out, out


# ---- clients -------------------------------------------------------------------------------------

CLIENTS = [
    ("openat", "1-requested", "ENOSPC", ["enqueue", "n=1"], "1-requested: No space left"),
    ("openat", "1-requested", "EROFS", ["enqueue", "n=1"], "1-requested: Read-only file system"),
    ("openat", "1-requested", "EMFILE", ["enqueue", "n=1"], "1-requested: Too many open files"),
    ("linkat", "1-requested", "ENOSPC", ["enqueue", "n=1"], "1-requested: No space left"),
    ("linkat", "1-requested", "EIO", ["enqueue", "n=1"], "1-requested: Input/output error"),
    ("openat", "5-aborting", "ENOSPC", ["abort", "ID"], "5-aborting: No space left"),
    ("openat", "5-aborting", "EROFS", ["abort", "ID"], "5-aborting: Read-only file system"),
    ("openat", "4-complete", "EIO", ["wait", "ID"], "4-complete/ID: Input/output error"),
    ("openat", "4-complete", "EMFILE", ["wait", "ID"], "4-complete/ID: Too many open files"),
    ("renameat,renameat2,unlinkat", "4-complete", "EROFS", ["wait", "ID"],
     "cannot take the result of 'ID' away: Read-only file system"),
    ("getdents64", "4-complete", "EIO", ["list"], "cannot list '4-complete': Input/output error"),
]


def test_clients_are_told_what_failed_and_why_and_leave_all_as_it_was():
    with Play(capacity=4) as s:
        s.play.finish("all")
        done = s.client.enqueue({})
        s.in_state(done, "4-complete")
        for calls, path, error, words, text in CLIENTS:
            command = [WQ, *(w.replace("ID", done) for w in words)]
            code, out, err, hits = fails(calls, s.path(path), error, command, s.env)
            assert hits >= 1, (calls, path)
            assert code == 125 and out == "", (words, error, code, out)
            assert text.replace("ID", done) in err, (text, err)
            assert [s.names(state) for state in STATES] == [[], [], [], [done], []], words
        # A history that cannot take it does not keep a result from being collected.
        code, _, err, hits = fails("renameat,renameat2", s.path("finished"), "ENOSPC",
                                   [WQ, "wait", done], s.env)
        assert (code, err) == (0, "") and hits == 1, (code, err, hits)
        s.check_idle()


if __name__ == "__main__":
    wqtest.main(globals())
