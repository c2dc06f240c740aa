# SPDX-License-Identifier: BSD-2-Clause
"""The recovery table of wq-spool(7), row by row, by files planted while no server runs; and a server
that is killed again and again under load."""

import os
import random
import subprocess
import threading
import time

import cbor2

import wqtest
from client import PyClient, check_item, make_id, read_sequence, request_file
from libwq import Client
from wqtest import LIMIT_S, SANITIZED, SERVER, Program, Scripted, Server, until

TMP = ".wq/tmp"
PLACES = dict(zip("12345", wqtest.STATES), t=TMP)
HALF = b"\xd9\xd9\xf7\xa2jwq-req"  # neither request nor whole result


def result_file(request, payload=None, **members):
    """From wq-result.cddl alone."""
    fields = {"wq-result": 1, "id": request, "status": "ok", "uid": os.getuid(), "attempt": 1}
    fields.update((k.replace("_", "-"), v) for k, v in members.items())
    data = cbor2.dumps(cbor2.CBORTag(55799, fields), canonical=True)
    if payload is not None:
        data += cbor2.dumps(payload, canonical=True)
    return data + check_item(data)


class Spool:
    """A server of task manager `play`, and files put beside it while it does not run."""

    def __init__(self):
        self.server = Server("", start=False)
        self.play = Scripted(self.server.dir)
        self.server.configure(f'task-manager "play" {{ plugin = "scripted" max-running = 1000\n'
                              f'options {{ dir = "{self.play.dir}" wakes = true }} }}',
                              "log-level = info")
        self.server.start()
        self.server.stop()
        self.client = PyClient(self.server.spool)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        return self.server.__exit__(*args)

    def path(self, place, name):
        return os.path.join(self.server.spool, place, name)

    def put(self, place, request, kind):
        """`kind`: Q a request, R a result, J the answer to what is no request, X neither, m a
        marker."""
        data = {"Q": request_file({"n": place}, label=f"in {place}"), "X": HALF, "m": b"",
                "R": result_file(request, {"planted": place}),
                "J": result_file(request, status=REFUSED[0], error=REFUSED[1], text="why")}[kind]
        fd = os.open(self.path(PLACES[place], request), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        os.write(fd, data)
        os.close(fd)

    def plant(self, what):
        """A row: words like `3Q`, or `3Q=1` for one inode with two names; its id."""
        request = make_id()
        for word in what.split():
            self.put(word[0], request, word[1])
            for place in word[3:]:
                os.link(self.path(PLACES[word[0]], request), self.path(PLACES[place], request))
        return request

    def standing(self, request):
        return "".join(p for p, d in PLACES.items() if os.path.lexists(self.path(d, request)))

    def reasons(self):
        """{name: error} of the quarantine."""
        found = {}
        for name in self.server.names(".wq/quarantine"):
            if name.endswith(".why"):
                with open(self.path(".wq/quarantine", name), "rb") as f:
                    found[name[:-4]] = cbor2.loads(f.read())["error"]
        return found

    def contents(self):
        """All names with their bytes; what a start writes for itself left out."""
        found = {}
        for place in [*wqtest.STATES, TMP, ".wq/run", ".wq/quarantine", "work"]:
            for name in self.server.names(place):
                with open(self.path(place, name), "rb") as f:
                    found[place, name] = f.read()
        return found


# What is found, where it stands afterwards, its result (status, error, or the place that its payload
# names), what comes to quarantine and why.
LOST = ("lost", "server-restart")
REFUSED = ("rejected", "bad-cbor")
TORN = ("lost", "torn")
ROWS = [
    ("1Q", "2", None, None),
    ("1Q=2", "2", None, None),
    ("1Q 2Q", "2", None, "duplicate-id"),
    ("1Q=3", "4", LOST, None),
    ("1Q 3Q", "4", LOST, "duplicate-id"),
    ("1Q 3R", "4", "3", "duplicate-id"),
    ("1Q 4R", "4", "4", "duplicate-id"),
    ("2Q", "2", None, None),
    ("2Q=3", "4", LOST, None),
    ("1Q=23", "4", LOST, None),
    ("2Q 3Q", "4", LOST, "duplicate-id"),
    ("2Q 3R", "4", "3", None),
    ("2Q 4R", "4", "4", None),
    ("3Q", "4", LOST, None),
    ("3Q tR", "4", "t", None),
    ("3X tR", "4", "t", None),
    ("3Q tX", "4", LOST, None),
    ("3R", "4", "3", None),
    ("3R tQ", "4", "3", None),
    ("3R tX", "4", "3", None),
    ("3X tQ", "4", LOST, None),
    ("3X", "4", TORN, "torn"),
    ("3X tX", "4", TORN, "torn"),
    ("tQ", "", None, None),
    ("tR", "", None, None),
    ("tX", "", None, None),
    ("4R", "4", "4", None),
    ("4R 3Q", "4", "4", None),
    ("4R 3R", "4", "4", None),
    ("4R 3X", "4", "4", None),
    ("4R tQ", "4", "4", None),
    ("4R tX", "4", "4", None),
    ("4R 3Q tX", "4", "4", None),
    ("4X tQ", "4", TORN, "torn"),
    ("4X 2Q", "4", TORN, "torn"),
    ("4X 3Q", "4", LOST, "torn"),
    ("4X 3R", "4", "3", "torn"),
    ("4X 3Q tR", "4", "t", "torn"),
    ("3J", "4", REFUSED, None),
    ("3J tX", "4", REFUSED, "bad-cbor"),
    ("3J tQ", "4", REFUSED, "bad-cbor"),
    ("3X tJ", "4", REFUSED, "bad-cbor"),
    ("4J tX", "4", REFUSED, "bad-cbor"),
    ("4J 3X", "4", REFUSED, "bad-cbor"),
    ("4J 3Q tX", "4", REFUSED, "bad-cbor"),
    ("5m", "", None, None),
    ("5m 1Q", "", None, None),
    ("5m 2Q", "", None, None),
    ("5m 3Q", "", None, None),
    ("5m 3R", "", None, None),
    ("5m 3Q tR", "", None, None),
    ("5m 3R tQ", "", None, None),
    ("5m 3X", "", None, None),
    ("5m 4R", "", None, None),
    ("5m 4X", "", None, None),
    ("5m tR", "", None, None),
    ("5m 1Q 2Q 3Q 4R tX", "", None, None),
]


def check_row(s, request, row, quarantine=True):
    what, stands, result, why = row
    assert s.standing(request) == stands, (what, s.standing(request))
    if quarantine:
        reasons = s.reasons()
        assert reasons.get(request) == why, (what, reasons.get(request))
        assert why or not os.path.lexists(s.path(".wq/quarantine", request)), what
    if result is None:
        return
    with open(s.path("4-complete", request), "rb") as f:
        data = f.read()
    items = read_sequence(data)
    head, payload = items[0][1], items[1][1] if len(items) == 3 else None
    head = head.value if isinstance(head, cbor2.CBORTag) else head
    assert head["id"] == request, what
    if isinstance(result, str):
        assert head["status"] == "ok" and payload == {"planted": result}, (what, head, payload)
    else:
        assert (head["status"], head["error"]) == result, (what, head)
        assert payload is None and head["text"] and head["attempt"] == 1, (what, head)
        assert head["uid"] == os.getuid(), (what, head)


def settled(s, rows):
    """All results are out and all accepted are pending."""
    want = {place: sum(row[1] == place for row in rows) for place in "24"}
    until(lambda: not any(s.server.names(p) for p in ("1-requested", "3-running", "5-aborting", TMP)),
          f"nothing left in between: {[s.server.names(p) for p in PLACES.values()]}")
    assert len(s.server.names("4-complete")) == want["4"], s.server.names("4-complete")
    assert len(s.server.names("2-pending")) == want["2"], s.server.names("2-pending")


def failures(s, planted, quarantine=True):
    found = []
    for request, row in planted:
        try:
            check_row(s, request, row, quarantine)
        except AssertionError as e:
            found.append(str(e))
    return found


def test_each_row_of_the_recovery_table_and_once_more():
    with Spool() as s:
        planted = [(s.plant(row[0]), row) for row in ROWS]
        s.server.start()
        settled(s, ROWS)
        assert not failures(s, planted), "\n".join(failures(s, planted))
        # Nothing that is told is found again by another start, however the last one ended.
        before = s.contents()
        for end in (s.server.stop, s.server.kill):
            end()
            s.server.start()
            assert s.contents() == before
        # What a client gets, and that the pending ones run, once, in their order.
        for request, row in planted:
            if row[1] == "":
                assert s.client.result(request) is None, row
            elif row[1] == "4":
                assert s.client.result(request) is not None, row
        s.play.finish("all")
        s.play.capacity(100)
        waiting = [request for request, row in planted if row[1] == "2"]
        for request in waiting:
            assert s.client.result(request)[0]["status"] == "ok"
        assert s.play.started() == waiting
        assert all(s.server.names(p) == [] for p in PLACES.values())


def test_what_was_no_request_is_kept_although_its_answer_was_collected():
    with Spool() as s:
        request = s.plant("4J tX")
        os.rename(s.path("4-complete", request), s.path("finished", request))
        s.server.start()
        assert s.standing(request) == "" and s.reasons() == {request: "bad-cbor"}
        with open(s.path(".wq/quarantine", request), "rb") as f:
            assert f.read() == HALF


def test_a_lost_result_tells_whose_it_was():
    with Spool() as s:
        request = s.client.publish(request_file({"n": 1}, label="nightly", key="host-7"))
        os.rename(s.path("1-requested", request), s.path("3-running", request))
        s.server.start()
        head, _ = s.client.result(request)
        assert head["status"] == "lost" and head["label"] == "nightly" and head["key"] == "host-7"
        assert head["task-manager"] == "play" and "started-us" not in head, head
        assert s.play.started() == []


def test_a_result_that_stands_alone_is_not_opened():
    """So a torn one is found by its client, and stays until somebody removes it."""
    with Spool() as s:
        request = s.plant("4X")
        s.server.start()
        code, out, err = s.server.wq("wait", request, expect=None)
        assert code == 125 and out == "" and request in err, (code, out, err)
        assert s.standing(request) == "4" and s.reasons() == {}
        s.server.wq("abort", request)
        until(lambda: s.standing(request) == "", "removed")
        s.server.wq("wait", request, expect=121)


def test_strange_names():
    with Spool() as s:
        for place in (*wqtest.STATES, TMP):
            for name in ("strange", ".hidden"):
                with open(s.path(place, name), "w") as f:
                    f.write(place)
        s.server.start()
        assert s.server.names(TMP) == []
        for place in ("1-requested", "5-aborting"):
            until(lambda: s.server.names(place) == [".hidden"], f"set aside from {place}")
        for place in ("2-pending", "3-running", "4-complete"):
            assert ".hidden" in s.server.names(place)
        assert set(s.reasons().values()) == {"bad-name"}


def test_a_crash_in_the_midst_of_recovery_is_a_smaller_recovery():
    rng = random.Random(7)
    with Spool() as s:
        rows = [row for row in ROWS if row[0][:2] != "4X"] * 6
        planted = [(s.plant(row[0]), row) for row in rows]
        for _ in range(25):  # killed before, in, or after its recovery
            with open(s.server.log_path, "ab") as log, Program(
                    [SERVER, "-c", s.server.conf], stderr=log, stdin=subprocess.DEVNULL) as p:
                end = time.monotonic() + rng.uniform(0.001, 0.02)
                while time.monotonic() < end:
                    pass
                p.kill()
        s.server.start()
        settled(s, rows)
        # What a killed server was about to put aside may be removed by the next.
        bad = failures(s, planted, quarantine=False)
        assert not bad, "\n".join(bad)


def test_a_spool_that_was_never_finished_is_completed():
    with Spool() as s:
        marker = s.path(".wq", "spool")
        os.unlink(marker)
        waiting = s.client.publish(request_file({"n": 1}))
        os.rmdir(s.path("", "work"))
        s.server.start()
        with open(marker) as f:
            assert f.readline() == "wq-spool 1\n" and f.readline().startswith("uuid ")
        until(lambda: s.server.where(waiting) == "2-pending", "accepted")


# ---- killed at random ----------------------------------------------------------------------------


class Load:
    """A client that enqueues, aborts some, and collects some, until told to end."""

    def __init__(self, spool, seed, task_manager):
        self.rng = random.Random(seed)
        self.libwq, self.plain = Client(spool), PyClient(spool)
        self.task_manager = task_manager
        self.enqueued, self.aborted, self.collected = [], set(), {}
        self.over = threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.over.is_set():
                self.step()
        except Exception as e:  # told by join
            self.failure = e

    def step(self):
        self.enqueued.append(self.libwq.enqueue(task_manager=self.task_manager))
        if self.rng.random() < 0.2:
            request = self.rng.choice(self.enqueued[-20:])
            if request not in self.aborted and request not in self.collected:
                self.aborted.add(request)
                self.plain.abort(request)
        if self.rng.random() < 0.2:
            request = self.rng.choice(self.enqueued)
            if request not in self.aborted and request not in self.collected and \
                    os.path.exists(self.plain.path("4-complete", request)):
                self.collected[request] = self.plain.result(request)[0]
        self.over.wait(self.rng.uniform(0, 0.008))

    def join(self):
        self.over.set()
        self.thread.join(LIMIT_S)
        assert not self.thread.is_alive(), "a client hangs"
        if self.failure:
            raise self.failure


def test_killed_at_random_every_request_has_one_fate():
    rng = random.Random(20)
    rounds = 12 if SANITIZED else 40
    server = Server("", start=False)
    with server:
        play = Scripted(server.dir)
        play.capacity(8)
        play.finish("all")
        server.configure(f'''default-task-manager = "null"
task-manager "null" {{ plugin = "null" max-running = 64 }}
task-manager "play" {{ plugin = "scripted" max-running = 8
options {{ dir = "{play.dir}" }} }}''', "sample-interval = 10ms")
        server.start()
        loads = [Load(server.spool, n, tm) for n, tm in enumerate(("null", "play", "null"))]
        try:
            server.kill()
            for _ in range(rounds):
                with open(server.log_path, "ab") as log, Program(
                        [SERVER, "-c", server.conf], stderr=log, stdin=subprocess.DEVNULL) as p:
                    try:
                        p.wait(rng.uniform(0.005, 0.25))
                        raise AssertionError(f"the server ended with {p.returncode}")
                    except subprocess.TimeoutExpired:
                        p.kill()
        finally:
            for load in loads:
                load.join()
        server.start()
        until(lambda: not any(server.names(s) for s in
                              ("1-requested", "2-pending", "3-running", "5-aborting")), "all done")
        client = PyClient(server.spool)
        starts = {}
        for line in server.log_text().splitlines():
            if ": started by '" in line:
                starts[line[3:34]] = starts.get(line[3:34], 0) + 1
        played = play.started()
        n_lost = 0
        for load in loads:
            for request in load.enqueued:
                head = load.collected.get(request)
                if head is None and request not in load.aborted:
                    found = client.result(request)
                    assert found, f"{request} is gone, and nobody aborted it"
                    head = found[0]
                if head is None:
                    assert server.where(request) is None, f"{request} was aborted"
                    continue
                assert head["status"] in ("ok", "lost"), head
                assert head["task-manager"] == load.task_manager, head
                n_lost += head["status"] == "lost"
                if load.task_manager == "play":
                    n = played.count(request)
                    assert n == 1 if head["status"] == "ok" else n <= 1, (head, n)
        n = sum(len(load.enqueued) for load in loads)
        print(f"# {n} requests, {sum(len(load.aborted) for load in loads)} aborted, {n_lost} lost")
        assert n > rounds * 3
        assert len(played) == len(set(played)), "started twice"
        assert all(count == 1 for count in starts.values()), "started twice"
        for place in (*wqtest.STATES, TMP, ".wq/run", ".wq/quarantine", "work"):
            assert server.names(place) == [], (place, server.names(place))


if __name__ == "__main__":
    wqtest.main(globals())
