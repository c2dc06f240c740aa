# SPDX-License-Identifier: BSD-2-Clause
"""Bad input of every kind.  After each a good request ends within a second, the server lives, its
peak memory stays below 64 MiB, and whoever can be answered is answered with a stable word."""

import fcntl
import os
import re
import signal
import socket
import time

import cbor2

import wqtest
from client import PyClient, check_item, envelope, make_id, request_file
from wqtest import SANITIZED, Server, until

NULL = '''task-manager "null" { plugin = "null" }'''
PEAK_KB = 64 * 1024
GOOD_WITHIN_S = 5 if SANITIZED else 1


class Hostile:
    def __init__(self):
        self.server = Server(NULL)
        self.client = PyClient(self.server.spool)
        self.n = 0

    def __enter__(self):
        return self

    def __exit__(self, *args):
        return self.server.__exit__(*args)

    def path(self, state, name):
        return os.path.join(self.server.spool, state, name)

    def good_still_works(self):
        begin = time.monotonic()
        head, _ = self.client.result(self.client.enqueue({"good": True}), timeout_s=20)
        took = time.monotonic() - begin
        assert head["status"] == "ok"
        assert took < GOOD_WITHIN_S, f"a good request took {took:.2f} s"
        if not SANITIZED:
            with open(f"/proc/{self.server.process.pid}/status") as f:
                peak = int(re.search(r"VmHWM:\s+(\d+)", f.read())[1])
            assert peak < PEAK_KB, f"peak memory {peak} KiB"
        self.n += 1

    def rejected(self, data, error, limit_s=20):
        """Publish these bytes: the result says `error`, the bytes are in quarantine."""
        request = self.client.publish(data)
        self.is_rejected(request, error, limit_s)
        with open(self.path(".wq/quarantine", request), "rb") as f:
            assert f.read() == data
        return request

    def is_rejected(self, request, error, limit_s=20):
        out = self.client.result(request, timeout_s=limit_s)
        assert out is not None, f"{error}: no result"
        head, _ = out
        errors = error if isinstance(error, tuple) else (error,)
        assert head["status"] == "rejected" and head["error"] in errors, (error, head)
        assert head["text"], head
        self.good_still_works()


def test_names():
    names = ["-rf", "a" * 255, "new\nline", "\x1b[31mred", "%n%s%n", "$(id)", ";reboot", "'\"", "*",
             "core", "1511472984.123456-0k3v9q2m7t1dh~", "#1511472984.123456-0k3v9q2m7t1dh#",
             "1511472984.123456-0k3v9q2m7t1dh ", "1511472984.123456-0k3v9q2m7t1dh.tmp",
             "1511472984.123456-0K3V9Q2M7T1DH", "1511472984.123456-0k3v9q2m7t1dw",
             "1511472984.123456-0k3v9q2m7t1d", "1511472984.123456-g000000000000",
             "151147298.123456-0k3v9q2m7t1dh", "1511472984,123456-0k3v9q2m7t1dh",
             "1511472984.123456", "１５１１472984.123456-0k3v9q2m7t1dh", "\u202egnp.exe"]
    with Hostile() as h:
        for name in names:
            raw = name.encode()[:255]
            for state in (b"1-requested", b"5-aborting"):
                path = os.path.join(h.server.spool.encode(), state, raw)
                with open(path, "wb") as f:
                    f.write(b"x")
                until(lambda: not os.path.lexists(path), f"{name!r} set aside")
            h.good_still_works()
        for raw in (b"\xff\xfe", b"\xc0\xaf"):
            path = os.path.join(h.server.spool.encode(), b"1-requested", raw)
            open(path, "wb").close()
            until(lambda: not os.path.lexists(path), f"{raw!r} set aside")
            h.good_still_works()
        # Hidden names are of clients that have not finished: they are left alone.
        hidden = h.path("1-requested", ".t0k3v9q2m7t1dh")
        open(hidden, "w").close()
        h.good_still_works()
        assert os.path.exists(hidden)
        log = h.server.log_text()
        assert "\x1b" not in log and "\u202e" not in log and "\nline" not in log


def plant(h, make):
    """Put what `make(path)` makes under a fresh id, moved in at once."""
    request = make_id()
    hidden = h.path("1-requested", f".t{h.n}")
    make(hidden)
    os.rename(hidden, h.path("1-requested", request))
    return request


def test_file_types():
    with Hostile() as h:
        secret = os.path.join(h.server.dir, "secret")
        with open(secret, "w") as f:
            f.write("secret")

        def deep(path):
            os.makedirs(os.path.join(path, *["d"] * 50))

        def full(path):
            os.mkdir(path)
            open(os.path.join(path, "file"), "w").close()

        def unix_socket(path):
            s = socket.socket(socket.AF_UNIX)
            here = os.open(os.path.dirname(path), os.O_PATH)
            s.bind(f"/proc/self/fd/{here}/{os.path.basename(path)}")
            s.close()
            os.close(here)

        makers = [os.mkdir, full, deep, lambda p: os.mkdir(p, 0), lambda p: os.symlink(secret, p),
                  lambda p: os.symlink(os.path.basename(p), p), lambda p: os.symlink("/nowhere", p),
                  os.mkfifo, unix_socket]
        for make in makers:
            h.is_rejected(plant(h, make), "not-regular")
        with open(secret) as f:
            assert f.read() == "secret"


def test_ownership_and_mode():
    good = request_file({"n": 1})

    def with_mode(mode):
        def make(path):
            with open(path, "wb") as f:
                f.write(good)
            os.chmod(path, mode)
        return make

    def linked(path):
        with_mode(0o600)(path)
        os.link(path, path + "x")

    def owned(path):
        with_mode(0o600)(path)
        os.chown(path, 65534, 65534)

    with Hostile() as h:
        for mode in (0o666, 0o777, 0o620, 0o602):
            h.is_rejected(plant(h, with_mode(mode)), "bad-mode")
        h.is_rejected(plant(h, linked), "linked")
        if os.getuid() == 0:
            h.is_rejected(plant(h, owned), "bad-owner")
        request = plant(h, with_mode(0))  # root reads it all the same
        if os.getuid() == 0:
            assert h.client.result(request)[0]["status"] == "ok"
        else:
            h.is_rejected(request, "unreadable")
        for mode in (0o400, 0o644, 0o440):
            assert h.client.result(plant(h, with_mode(mode)))[0]["status"] == "ok"


def test_sizes():
    limit = 1024 * 1024
    frame = len(request_file(b""))

    def exactly(n):
        for head in (5, 3, 2, 1):
            data = request_file(b"\0" * max(n - frame - head + 1, 0))
            if len(data) == n:
                return data
        raise AssertionError(n)

    with Hostile() as h:
        h.rejected(b"", "empty")
        h.rejected(b"\x00", ("not-wq", "truncated"))
        assert h.client.result(h.client.publish(exactly(limit)))[0]["status"] == "ok"
        h.rejected(exactly(limit + 1), "too-big")

        def sparse(path):
            with open(path, "wb") as f:
                f.truncate(1 << 40)
            os.chmod(path, 0o600)

        def hole(path):
            with open(path, "wb") as f:
                f.write(envelope())
                f.truncate(100_000)
            os.chmod(path, 0o600)

        h.is_rejected(plant(h, sparse), "too-big")
        h.is_rejected(plant(h, hole), ("trailing-bytes", "bad-checksum"))


def test_changed_while_it_waits():
    """A request is read when it is sorted and again when it starts: what changed is refused."""
    server_conf = '''task-manager "pool" { plugin = "thread-pool" max-running = 9
                     options { threads = 1 } }
                     task-manager "other" { plugin = "null" }
                     default-task-manager = "pool"'''
    with Hostile() as h:
        h.server.stop()
        h.server.configure(server_conf)
        h.server.start()
        for change, error in ((b"", "empty"),
                              (request_file({"handler": "echo"}, task_manager="other"), "changed")):
            blocker = h.client.enqueue({"handler": "sleep", "seconds": 60})
            until(lambda: h.server.where(blocker) == "3-running", "blocked")
            victim = h.client.enqueue({"handler": "echo"})
            until(lambda: h.server.status()["server"]["task-managers"][0]["waiting"] == 1, "sorted")
            with open(h.path("2-pending", victim), "wb") as f:
                f.write(change)
            h.client.abort(blocker)
            head, _ = h.client.result(victim)
            assert head["status"] == "rejected" and head["error"] == error, head


def test_locks():
    good = request_file({"n": 1})
    with Hostile() as h:
        def locked(take):
            hidden = h.path("1-requested", f".l{h.n}")
            fd = os.open(hidden, os.O_CREAT | os.O_RDWR, 0o600)
            os.write(fd, good)
            os.close(fd)
            fd = os.open(hidden, os.O_RDONLY if take == "lease" else os.O_RDWR)
            if take == "flock":
                fcntl.flock(fd, fcntl.LOCK_EX)
            elif take == "posix":
                fcntl.lockf(fd, fcntl.LOCK_EX)
            elif take == "lease":
                signal.signal(signal.SIGIO, signal.SIG_IGN)  # the holder does not give way
                fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            elif take == "read-lease":
                os.close(fd)
                fd = os.open(hidden, os.O_RDONLY)
                fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            request = make_id()
            os.rename(hidden, h.path("1-requested", request))
            return fd, request

        for take in ("flock", "posix", "read-lease"):
            fd, request = locked(take)
            assert h.client.result(request)[0]["status"] == "ok", take
            os.close(fd)
            h.good_still_works()
        fd, request = locked("lease")
        h.is_rejected(request, "leased")
        os.close(fd)


def test_cbor():
    """Numbers as in RFC 8949; the payload is where most can be hidden."""
    head = envelope()
    payloads = {
        "bytes of 2^39": (b"\x5b" + (2**39).to_bytes(8, "big"), "truncated"),
        "bytes of 2^64-1": (b"\x5b" + b"\xff" * 8, "truncated"),
        "array of 2^32-1": (b"\x9a" + b"\xff" * 4, "truncated"),
        "array of 2^30 with a few": (b"\x9b" + (2**30).to_bytes(8, "big") + b"\x00" * 9, "truncated"),
        "map of 2^63": (b"\xbb" + (2**63).to_bytes(8, "big"), "truncated"),
        "arrays nested 2047 deep": (b"\x81" * 2047 + b"\x00", "too-deep"),
        "arrays nested 2049 deep": (b"\x81" * 2049 + b"\x00", "too-deep"),
        "arrays nested 100000 deep": (b"\x81" * 100000 + b"\x00", "too-deep"),
        "tags nested 100000 deep": (b"\xc1" * 100000 + b"\x00", "too-deep"),
        "headers that each claim the rest": (
            b"".join(b"\x9a" + (40000 - 5 * i).to_bytes(4, "big") for i in range(8000)),
            ("truncated", "too-deep")),
        "indefinite array": (b"\x9f\x00\xff", "indefinite"),
        "indefinite bytes": (b"\x5f\x41\x00\xff", "indefinite"),
        "a break alone": (b"\xff", ("bad-cbor", "indefinite")),
        "reserved 28": (b"\x1c", "bad-cbor"),
        "simple value in two bytes": (b"\xf8\x18", "bad-cbor"),
        "invalid UTF-8": (b"\x62\xc3\x28", "bad-cbor"),
        "nothing": (b"", "missing-payload"),
    }
    with Hostile() as h:
        for name, (payload, error) in payloads.items():
            data = head + payload
            try:
                h.rejected(data + check_item(data) if payload else data, error)
            except AssertionError as e:
                raise AssertionError(f"{name}: {e}") from e
        data = head + b"\x9a" + (900_000).to_bytes(4, "big") + b"\x60" * 900_000  # 140: accepted or not, quickly
        h.client.result(h.client.publish(data + check_item(data)))
        h.good_still_works()
        whole = request_file({"n": b"\x55" * 8192})
        zeroed = whole[:4096] + b"\0" * (len(whole) - 4096)
        h.rejected(zeroed, ("bad-checksum", "trailing-bytes", "bad-cbor"))     # 146: looks like a power cut
        right = zeroed[:-5] + check_item(zeroed[:-5])
        assert h.client.result(h.client.publish(right))[0]["status"] == "ok"  # its content is not ours
        h.rejected(b"\0" * 4096, "not-wq")                                     # 144
        h.rejected(b"\xff" * 4096, ("not-wq", "bad-cbor"))
        h.rejected(whole[:-1] + bytes([whole[-1] ^ 1]), "bad-checksum")
        h.rejected(whole + b"\0" * 512, ("trailing-bytes", "bad-checksum"))
        h.rejected(whole[:-5] + b"\x43abc", ("bad-checksum", "trailing-bytes"))
        for text in (b'{"json": 1}', b"\x80\x04\x95pickle.", b"\x7fELF\x02\x01\x01", b"\x1f\x8b\x08\0",
                     b"\xff\xfe{\0", b"hello world\n"):
            h.rejected(text, ("not-wq", "bad-cbor", "truncated"))
        for cut in (1, 3, len(head) // 2, len(head) - 1):
            h.rejected(head[:cut], ("truncated", "not-wq"))


def test_envelopes():
    payload = b"\x00"
    cases = [
        ({}, ("not-wq", "missing-key")),
        ({"wq-request": 0}, "unsupported-version"),
        ({"wq-request": 2}, "unsupported-version"),
        ({"wq-request": "1"}, "bad-type"),
        ({"wq-request": 2**63}, "unsupported-version"),
        ({"wq-request": 1, "task-manager": "nobody"}, "unknown-task-manager"),
        ({"wq-request": 1, "task-manager": "../x"}, "bad-value"),
        ({"wq-request": 1, "task-manager": "a" * 33}, "bad-value"),
        ({"wq-request": 1, "task-manager": ""}, "bad-value"),
        ({"wq-request": 1, "task-manager": "Upper"}, "bad-value"),
        ({"wq-request": 1, "task-manager": 7}, "bad-type"),
        ({"wq-request": 1, "label": "a\nb"}, "bad-value"),
        ({"wq-request": 1, "label": "a" * 129}, "bad-value"),
        ({"wq-request": 1, "key": ""}, "bad-value"),
        ({"wq-request": 1, "unknown": 1}, "unknown-key"),
        ({"wq-request": 1, 5: 1}, "bad-type"),
    ]
    with Hostile() as h:
        for fields, error in cases:
            head = cbor2.dumps(cbor2.CBORTag(55799, fields), canonical=True)
            try:
                h.rejected(head + payload, error)
            except AssertionError as e:
                raise AssertionError(f"{fields}: {e}") from e
        twice = b"\xd9\xd9\xf7\xa2" + (cbor2.dumps("wq-request") + b"\x01") * 2
        h.rejected(twice + payload, "duplicate-key")
        many = {"wq-request": 1}
        many.update((f"x-{i}", 0) for i in range(5000))
        h.rejected(cbor2.dumps(cbor2.CBORTag(55799, many)) + payload, ("too-big", "too-many-items"))


def test_markers():
    with Hostile() as h:
        gone = lambda name: until(lambda: not os.path.lexists(h.path("5-aborting", name)), name)
        for make in (lambda p: open(p, "w").close(), os.mkdir, os.mkfifo,
                     lambda p: os.symlink("/etc/passwd", p)):
            name = make_id()
            make(h.path("5-aborting", name))
            gone(name)
            h.good_still_works()
        name = make_id()  # not empty, and huge
        with open(h.path("5-aborting", name), "wb") as f:
            f.truncate(1 << 30)
        gone(name)
        h.good_still_works()
        name = make_id()  # before its request
        h.client.abort(name)
        gone(name)
        h.client.publish(request_file({"n": 1}), request=name)
        assert h.client.result(name)[0]["status"] == "ok"
        for _ in range(2):  # twice
            h.client.abort(name)
            gone(name)
        h.good_still_works()
        rejected = h.client.publish(b"bad")  # for one in quarantine
        assert h.client.result(rejected)[0]["status"] == "rejected"
        h.client.abort(rejected)
        gone(rejected)
        for _ in range(2000):  # many
            h.client.abort(make_id())
        until(lambda: os.listdir(h.path("5-aborting", "")) == [], "all markers gone")
        h.good_still_works()


def test_ids():
    with Hostile() as h:
        done = h.client.enqueue({"n": 1})
        until(lambda: h.server.where(done) == "4-complete", "complete")
        h.client.publish(request_file({"n": 2}), request=done)  # 45: an id that is complete
        until(lambda: h.server.where(done) == "4-complete" and
              not os.path.exists(h.path("1-requested", done)), "set aside")
        h.good_still_works()
        assert h.client.result(done)[0]["status"] == "ok"
        h.client.publish(request_file({"n": 3}), request=done)  # 46: one that was collected
        assert h.client.result(done)[0]["status"] == "ok"
        for us in (0, 9999999999_999999):  # 38, 39: far past, far future
            request = h.client.publish(request_file({"n": us}), request=make_id(us))
            assert h.client.result(request)[0]["status"] == "ok"
        # Nobody runs the clock of others ahead.
        request = h.server.enqueue("n=1")
        assert float(request[:17]) < time.time() + 60
        h.server.wq("wait", request)


def test_directories_under_the_server():
    """A spool that is not what it was: the server ends, and says so by its exit status."""
    with Hostile() as h:
        os.rename(h.path("1-requested", ""), h.path("moved", ""))
        h.server.join(expect=1)
        assert "the directory '1-requested' of the spool was renamed" in h.server.log_text()
        os.rename(h.path("moved", ""), h.path("1-requested", ""))
        h.server.start()
        h.good_still_works()


if __name__ == "__main__":
    wqtest.main(globals())
