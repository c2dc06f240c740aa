# SPDX-License-Identifier: BSD-2-Clause
"""Queues that get long, file systems that get full, results that nobody collects, and requests that
are not started in time."""

import errno
import json
import os
import signal
import subprocess
import tempfile
import time

import cbor2

import wqtest
from client import PyClient, make_id, request_file
from test_shepherd import AsUser
from wqtest import LIMIT_S, WQ, Program, Scripted, Server, open_gate, until

NULL = 'task-manager "null" { plugin = "null" max-running = 64 }\n'
COMMANDS = 'task-manager "run" { plugin = "fork-exec" }\n'
POOL = 'task-manager "pool" { plugin = "thread-pool" options { threads = 2 } max-running = 2 }\n'
NOBODY = 65534


def scripted(top="", capacity=0):
    """A server whose only task manager starts what the test says."""
    server = Server("", start=False)
    play = Scripted(server.dir)
    server.configure(f'task-manager "play" {{ plugin = "scripted" max-running = 64\n'
                     f'options {{ dir = "{play.dir}" wakes = true }} }}', top)
    play.capacity(capacity)
    return server, play


def envelope(server, request, state="4-complete"):
    with open(os.path.join(server.spool, state, request), "rb") as f:
        return cbor2.load(f)


def is_complete(server, request):
    return until(lambda: request in server.names("4-complete"), f"{request} complete")


def accepting(server):
    return server.status()["server"]["accepting"]


# ---- the queue is full ---------------------------------------------------------------------------


def test_above_95_percent_clients_enqueue_nothing_and_above_the_limit_they_are_answered():
    server, play = scripted("queue-limit = 20")
    with server.start():
        client = PyClient(server.spool)
        for n in range(20):
            code, out, err = server.wq("enqueue", "--no-block", f"n={n}", expect=None)
            assert code == 0, err
            until(lambda: server.status()["page"]["depth"] == n + 1, "its page")
        code, out, err = server.wq("enqueue", "--no-block", "n=1", expect=None)
        assert code == 119 and out == "", (code, out)
        assert "the queue is full: 20 requests wait, and queue-limit is 20" in err, err
        status = server.status()
        assert status["server"]["accepting"] is False and status["server"]["why"] == "queue-full"
        assert status["page"]["accepting"] is False and status["page"]["queue-limit"] == 20
        assert "queue        20 of at most 20 requests wait" in server.wq("status")
        assert server.metric("wq_accepting") == 0

        # One that does not look at the page is answered at once, though nothing can be started.
        request = client.enqueue({}, label="x")
        is_complete(server, request)
        said = envelope(server, request)
        assert (said["status"], said["error"]) == ("rejected", "queue-full"), said
        assert server.metric("wq_queue_full_total") == 1
        assert server.names(".wq/quarantine") == []
        assert server.wq("wait", request, expect=None)[0] == 123
        assert len(server.names("2-pending")) == 20
        play.capacity(64)
        until(lambda: len(play.started()) == 20, "all the others")


def test_who_enqueues_into_a_full_queue_waits_for_room():
    server, play = scripted("queue-limit = 2")
    with server.start():
        for n in range(2):
            server.enqueue(f"n={n}")
        until(lambda: not accepting(server), "full")
        with Program([WQ, "enqueue", "n=3"], env=server.env, stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE, text=True) as p:
            said = p.stderr.readline()
            assert "queue is full: 2 requests wait, and queue-limit is 2" in said, said
            assert len(server.names("2-pending")) == 2 and p.poll() is None
            play.capacity(1)
            out, err = p.rest()
            assert p.returncode == 0 and err == "", (p.returncode, err)
        assert server.where(out.strip()) is not None


def test_an_interrupt_ends_the_waiting_for_room_and_nothing_is_enqueued():
    server, _ = scripted("queue-limit = 1")
    with server.start():
        server.enqueue("n=1")
        until(lambda: not accepting(server), "full")
        for command in (["enqueue", "n=2"], ["run", "true"]):
            with Program([WQ, *command], env=server.env, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True) as p:
                assert "queue is full" in p.stderr.readline()
                p.send_signal(signal.SIGINT)
                out, _ = p.rest()
                assert p.returncode == -signal.SIGINT and out == "", (p.returncode, out)
        assert len(server.names("2-pending")) == 1 and server.names("1-requested") == []


def test_many_lines_go_through_a_short_queue():
    with Server(NULL, "queue-limit = 20") as server:
        lines = "".join(f"{n}\n" for n in range(2000))
        code, _, err = server.wq("enqueue", "--each", "--wait", "n={}", input=lines, expect=None)
        assert code == 0 and "2000 ok" in err, err


def test_a_longer_queue_of_an_earlier_server_is_served():
    server, play = scripted()
    with server.start():
        requests = [server.enqueue(f"n={n}") for n in range(30)]
        server.stop()
        with open(server.conf) as f:
            text = f.read()
        with open(server.conf, "w") as f:
            f.write("queue-limit = 3\n" + text)
        play.capacity(64)
        server.start()
        until(lambda: len(play.started()) == 30, "all")
        assert play.started() == requests


# ---- the file system gets full -------------------------------------------------------------------


class Volume:
    """A small ext4 of its own, with what is on it owned by a user without privilege."""

    def __init__(self, *options, size="16M"):
        if os.getuid() != 0:
            raise wqtest.Skip("root", "only root can mount")
        if not os.access("/dev/loop-control", os.W_OK):
            raise wqtest.Skip("loop-mounts", "no loop devices")
        self.dir = tempfile.mkdtemp(prefix="wq-volume.")
        self.path = os.path.join(self.dir, "m")
        self.fill = os.path.join(self.path, "fill")
        self.device = None
        os.mkdir(self.path)
        image = os.path.join(self.dir, "image")
        subprocess.run(["truncate", "-s", size, image], check=True)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", *options, image], check=True)
        self.device = subprocess.run(["losetup", "-f", "--show", image], check=True,
                                     capture_output=True, text=True).stdout.strip()
        subprocess.run(["mount", self.device, self.path], check=True)
        os.chmod(self.dir, 0o755)

    def free(self):
        fs = os.statvfs(self.path)
        return fs.f_bavail * fs.f_frsize

    def leave(self, size):
        """Take all space but so many bytes."""
        with open(self.fill, "ab", buffering=0) as f:
            while self.free() > size:
                try:
                    f.write(b"x" * max(1, min(1 << 20, (self.free() - size) // 2)))
                except OSError as e:
                    if e.errno != errno.ENOSPC:
                        raise
                    break
                os.fsync(f.fileno())

    def take_inodes(self, but=0):
        directory = os.path.join(self.path, "inodes")
        os.makedirs(directory, exist_ok=True)
        n = 0
        while os.statvfs(self.path).f_favail > but:
            os.mknod(os.path.join(directory, str(n)), 0o600)
            n += 1

    def give_inodes(self):
        directory = os.path.join(self.path, "inodes")
        for name in os.listdir(directory):
            os.unlink(os.path.join(directory, name))

    def empty(self):
        os.unlink(self.fill)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, tb):
        subprocess.run(["umount", self.path], check=kind is None)
        subprocess.run(["losetup", "-d", self.device], check=kind is None)
        subprocess.run(["rm", "-rf", "--one-file-system", self.dir], check=True)


class OnVolume(Server):
    """A server without privilege whose spool is there."""

    def __init__(self, volume, task_managers, top=""):
        super().__init__("", start=False)
        home = os.path.join(volume.path, "home")
        os.mkdir(home)
        for path in (home, self.dir):
            os.chown(path, NOBODY, NOBODY)
        os.chmod(self.dir, 0o755)
        self.use_spool(os.path.join(home, "spool"))
        self.configure(task_managers, "shepherd-linger = 1s\n" + top)
        self.client = AsUser(PyClient(self.spool), NOBODY)
        self.start()

    def start(self):
        return super().start(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                              "--clear-groups"])

    def as_nobody(self, *args):
        """wq as the user of the spool."""
        return subprocess.run(
            ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", WQ, *args],
            env=self.env, capture_output=True, text=True, timeout=LIMIT_S, cwd="/")

    def shell(self, text):
        return self.client.enqueue({"shell": text, "dir": "/", "env": {"PATH": os.environ["PATH"]}})

    def mode(self):
        return os.stat(os.path.join(self.spool, "1-requested")).st_mode & 0o7777

    def why(self):
        return self.status()["server"]["task-managers"][0]["why"]


def assert_closed(server):
    """Nobody enqueues: wq does not try, and who does try fails in the kernel."""
    done = server.as_nobody("enqueue", "--no-block", "n=1")
    assert done.returncode == 119 and done.stdout == "", done
    try:
        server.client.enqueue({})
    except PermissionError:
        return done.stderr
    raise AssertionError("it was enqueued")


def test_with_too_little_free_the_gate_closes_and_it_opens_by_itself():
    with Volume() as volume, OnVolume(volume, NULL) as server:
        assert server.mode() == 0o700
        volume.leave(400 << 10)
        first = server.client.enqueue({})
        is_complete(server, first)
        until(lambda: server.mode() == 0o500, "closed")
        said = assert_closed(server)
        assert "free on the file system, and min-free is" in said, said
        status = server.status()["server"]
        assert status["accepting"] is False and status["why"] == "no-space", status
        assert "accepting    no: only" in server.wq("status")
        assert server.metric("wq_gate_closed_total") == 1 and server.metric("wq_accepting") == 0

        # Who waits for room gets it.
        with Program([WQ, "enqueue", "n=1"], env=server.env, stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE, text=True) as p:
            assert "takes no requests now" in p.stderr.readline()
            volume.empty()
            out, _ = p.rest()
            assert p.returncode == 0
        is_complete(server, out.strip())
        assert server.mode() == 0o700
        assert server.as_nobody("enqueue", "--no-block", "n=2").returncode == 0


def test_with_too_few_inodes_free_it_closes_too():
    with Volume("-N", "400") as volume, OnVolume(volume, NULL) as server:
        volume.take_inodes(but=10)
        is_complete(server, server.client.enqueue({}))
        until(lambda: server.mode() == 0o500, "closed")
        assert "inodes are free" in assert_closed(server)
        volume.give_inodes()
        until(lambda: server.mode() == 0o700, "open")
        is_complete(server, server.client.enqueue({}))


def test_a_server_that_is_killed_leaves_it_closed_and_the_next_one_judges_anew():
    with Volume() as volume, OnVolume(volume, NULL) as server:
        volume.leave(400 << 10)
        is_complete(server, server.client.enqueue({}))
        until(lambda: server.mode() == 0o500, "closed")
        server.kill()
        assert server.mode() == 0o500
        assert_closed(server)
        server.start()
        until(lambda: server.mode() == 0o500, "closed again")
        assert not accepting(server)
        server.kill()
        volume.empty()
        server.start()
        assert server.mode() == 0o700 and accepting(server)
        is_complete(server, server.client.enqueue({}))

        # One that ends in order leaves it open: nobody would open it.
        volume.leave(400 << 10)
        is_complete(server, server.client.enqueue({}))
        until(lambda: server.mode() == 0o500, "closed")
        server.stop()
        assert server.mode() == 0o700
        waits = server.client.enqueue({})
        volume.empty()
        server.start()
        is_complete(server, waits)


def test_on_a_full_disk_results_are_written_with_the_ballast_and_nothing_starts():
    with Volume() as volume, OnVolume(volume, COMMANDS, "min-free = 0") as server:
        ballast = os.path.join(server.spool, ".wq/ballast")
        assert os.stat(ballast).st_blocks * 512 >= 1 << 20
        gate = os.path.join(server.dir, "gate")
        os.mkfifo(gate, 0o666)
        os.chmod(gate, 0o666)
        first = server.shell(f"read x <{gate}; exit 7")
        until(lambda: server.begun(first), "it runs")
        others = [server.shell("exit 0") for _ in range(3)]
        until(lambda: len(server.names("2-pending")) == 3, "the others wait")
        volume.leave(0)
        open_gate(gate)
        is_complete(server, first)
        assert envelope(server, first)["code"] == 7
        assert not os.path.exists(ballast)
        until(lambda: server.why() == "no-space", "it says so")
        assert "the file system is full" in server.wq("status")
        assert server.metric("wq_no_space_total") == 1 and server.metric("wq_no_space") == 1
        volume.leave(0)  # what the ballast has left, too
        assert server.names("2-pending") == others and server.names("3-running") == []
        assert_closed(server)

        volume.empty()
        for request in others:
            is_complete(server, request)
        assert [envelope(server, r)["status"] for r in others] == ["ok"] * 3
        assert os.path.exists(ballast) and server.mode() == 0o700
        assert server.metric("wq_no_space") == 0


def test_results_that_find_no_space_at_all_wait_in_memory():
    with Volume() as volume, OnVolume(volume, COMMANDS.replace("}", "max-running = 4 }"),
                                      "min-free = 0") as server:
        gate = os.path.join(server.dir, "gate")
        os.mkfifo(gate, 0o666)
        os.chmod(gate, 0o666)
        requests = [server.shell(f"read x <{gate}; exit {n}") for n in range(1, 5)]
        for request in requests:
            until(lambda: server.begun(request), "it runs")
        volume.leave(0)
        os.unlink(os.path.join(server.spool, ".wq/ballast"))
        volume.leave(0)
        with open(gate, "w") as f:
            f.write("go\n" * 4)
        until(lambda: server.log_text().count("keeping it and trying again") >= 4, "all have failed")
        assert server.names("4-complete") == [] and len(server.names("3-running")) == 4

        volume.empty()
        for n, request in enumerate(requests, 1):
            is_complete(server, request)
            assert envelope(server, request)["code"] == n
        assert server.log_text().count("started by 'run'") == 4
        assert server.names(".wq/tmp") == []


def test_without_inodes_nothing_is_lost_and_it_goes_on_when_there_are_some():
    with Volume("-N", "400") as volume, OnVolume(volume, COMMANDS, "min-free = 0") as server:
        gate = os.path.join(server.dir, "gate")
        os.mkfifo(gate, 0o666)
        os.chmod(gate, 0o666)
        first = server.shell(f"read x <{gate}; exit 7")
        until(lambda: server.begun(first), "it runs")
        others = [server.shell("exit 0") for _ in range(3)]
        until(lambda: len(server.names("2-pending")) == 3, "the others wait")
        volume.take_inodes()
        open_gate(gate)
        is_complete(server, first)
        assert envelope(server, first)["code"] == 7
        until(lambda: server.why() == "no-space", "it says so")
        volume.give_inodes()
        for request in others:
            is_complete(server, request)
        assert [envelope(server, r)["status"] for r in others] == ["ok"] * 3


# ---- results that stay ---------------------------------------------------------------------------


def test_results_that_nobody_collects_are_bounded_by_number():
    with Server(NULL, "keep-results = 5") as server:
        requests = []
        for n in range(8):
            requests.append(server.enqueue(f"n={n}"))
            until(lambda: server.where(requests[-1]) in ("4-complete", None), "done")
        until(lambda: server.names("4-complete") == requests[3:], "the oldest have gone")
        assert server.metric("wq_results_dropped_total") == 3
        assert f"{requests[0]}: its result is removed, nobody has collected it" in server.log_text()
        assert server.wq("wait", requests[0], expect=None)[0] == 121
        assert server.wq("wait", requests[7], expect=None)[0] == 0


def test_a_result_goes_when_its_request_said_and_what_it_left_goes_with_it():
    with Server(COMMANDS) as server:
        short = server.wq("enqueue", "--keep-for=1s", "--", "echo", "hello").strip()
        taken = server.wq("enqueue", "--keep-for=1s", "--", "echo", "hello").strip()
        long = server.wq("enqueue", "--", "echo", "hello").strip()
        server.wq("wait", taken)
        until(lambda: server.where(short) is None, "it has gone")
        until(lambda: server.names("finished") == [], "from the history too")
        is_complete(server, long)
        assert server.names("4-complete") == [long]
        until(lambda: server.names("work") == [f"{long}.1"], "the work directories too")
        assert server.metric("wq_results_dropped_total") == 1
        assert server.metric("wq_history_removed_total") == 1


def test_a_result_that_is_too_old_goes_when_a_server_starts():
    with Server(NULL, "keep-results-for = 1h") as server:
        past = time.time() - 3601
        # A result is never older than its id says.
        old = PyClient(server.spool).publish(request_file({}), request=make_id(int(past * 1e6)))
        new = server.enqueue("n=2")
        is_complete(server, old)
        is_complete(server, new)
        server.stop()
        os.utime(os.path.join(server.spool, "4-complete", old), (past, past))
        server.start()
        until(lambda: server.names("4-complete") == [new], "the old one has gone")


def test_the_history_is_bounded_by_what_it_takes():
    with Server(COMMANDS, "keep-finished-bytes = 1M") as server:
        requests = []
        for n in range(4):
            requests.append(server.wq("enqueue", "--", "head", "-c", "400000", "/dev/zero").strip())
            server.wq("wait", requests[-1])
        server.stop()
        server.start()
        until(lambda: server.names("finished") == requests[2:], "the oldest have gone")
        until(lambda: server.names("work") == [f"{r}.1" for r in requests[2:]], "their output too")
        assert server.wq("log", requests[3]) == "\0" * 400000


# ---- requests that are not started in time -------------------------------------------------------


def test_one_that_is_not_started_in_time_is_answered_while_another_runs():
    with Server(COMMANDS) as server:
        gate = os.path.join(server.dir, "gate")
        os.mkfifo(gate)
        first = server.wq("enqueue", "--", "sh", "-c", f"read x <{gate}").strip()
        until(lambda: server.begun(first), "it runs")
        second = server.wq("enqueue", "--", "true").strip()
        began = time.monotonic()
        code, out, err = server.wq("enqueue", "--wait", "--start-within=1s", "--", "true", expect=None)
        assert code == 122 and "expired: it was not started within 1s" in err, (code, err)
        assert 0.9 <= time.monotonic() - began < 20
        code, _, err = server.wq("run", "--start-within=200ms", "true", expect=None)
        assert code == 122 and "expired: it was not started within 200ms" in err, (code, err)
        assert server.where(second) == "2-pending" and server.where(first) == "3-running"
        assert server.metric("wq_expired_total", task_manager="run") == 2
        open_gate(gate)
        is_complete(server, second)
        # In time it is what it would be without.
        assert server.wq("enqueue", "--wait", "--start-within=1h", "--", "sh", "-c", "exit 3",
                         expect=None)[0] == 3
        history = [json.loads(line) for line in
                   server.wq("list", "--finished", "--json").splitlines()]
        assert sorted(r["status"] for r in history) == ["expired", "expired", "failed", "ok", "ok"]


def test_the_time_goes_on_while_no_server_runs():
    server, play = scripted(capacity=64)
    with server.start():
        server.stop()
        client = PyClient(server.spool)
        hour = 3600 * 10**9
        members = {"start-within-ns": hour}
        past = make_id(time.time_ns() // 1000 - 3700 * 10**6)
        late = client.publish(request_file({}, **members), request=past)
        punctual = client.enqueue({}, **members)
        # Ahead of all clocks, as after one was set back: it has an hour from now on.
        future = client.publish(request_file({}, **members),
                                request=make_id(time.time_ns() // 1000 + 7200 * 10**6))
        server.start()
        until(lambda: len(play.started()) == 2, "the others")
        assert play.started() == [punctual, future]
        is_complete(server, late)
        said = envelope(server, late)
        assert (said["status"], said["error"]) == ("expired", "start-within"), said
        assert "attempt" not in said and "started-us" not in said, said


def test_a_thousand_expire_while_one_runs():
    server, play = scripted(capacity=1)
    with server.start():
        client = PyClient(server.spool)
        first = client.enqueue({})
        until(lambda: play.started() == [first], "it runs")
        data = request_file({}, **{"start-within-ns": 2 * 10**9})
        requests = [client.publish(data) for _ in range(1000)]
        last = client.enqueue({})
        until(lambda: len(server.names("4-complete")) == 1000, "all expired")
        assert {envelope(server, r)["status"] for r in requests} == {"expired"}
        assert server.names("3-running") == [first] and server.names("2-pending") == [last]
        play.finish(first)
        until(lambda: play.started() == [first, last], "the next")


# ---- limits of size ------------------------------------------------------------------------------


def padded(size):
    """A request file of just this size."""
    data = request_file("")
    data = request_file("x" * (size - len(data) - 2))
    assert len(data) == size, len(data)
    return data


def test_a_request_of_just_request_limit_runs_and_one_byte_more_does_not():
    with Server(NULL, "request-limit = 2K") as server:
        client = PyClient(server.spool)
        fits, large = client.publish(padded(2048)), client.publish(padded(2049))
        assert client.result(fits)[0]["status"] == "ok"
        said = client.result(large)[0]
        assert (said["status"], said["error"]) == ("rejected", "too-big"), said


def test_a_result_of_just_result_limit_arrives_and_one_byte_more_does_not():
    with Server(POOL, "result-limit = 2K") as server:
        client = PyClient(server.spool)

        def echo(size):
            """What comes back is the payload itself, an item of this size."""
            payload = {"handler": "echo", "x": ""}
            payload["x"] = "x" * (size - len(cbor2.dumps(payload, canonical=True)) - 2)
            assert len(cbor2.dumps(payload, canonical=True)) == size
            return client.result(client.enqueue(payload))

        said, payload = echo(2048)
        assert said["status"] == "ok" and len(payload["x"]) > 2000, said
        said, payload = echo(2049)
        assert (said["status"], said["error"]) == ("failed", "result-too-large"), said
        assert payload is None


if __name__ == "__main__":
    wqtest.main(globals())
