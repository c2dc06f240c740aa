# SPDX-License-Identifier: BSD-2-Clause
"""A client of the spool written from docs/wq-spool.7 and the CDDL files alone: Debian's cbor2, the
file system, and nothing of wq."""

import io
import os
import time

import cbor2

ALPHABET = "0123456789abcdefghijklmnopqrstuv"


def crc32c(data, crc=0):
    """CRC-32C (Castagnoli), RFC 3720 appendix B.4; bit by bit from a table."""
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _entry(n):
    for _ in range(8):
        n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
    return n


_TABLE = [_entry(n) for n in range(256)]


def check_item(data):
    return b"\x44" + crc32c(data).to_bytes(4, "big")


def envelope(**members):
    """`task_manager` stands for "task-manager"."""
    fields = {"wq-request": 1}
    fields.update((k.replace("_", "-"), v) for k, v in members.items())
    return cbor2.dumps(cbor2.CBORTag(55799, fields), canonical=True)


def request_file(payload, **members):
    data = envelope(**members) + cbor2.dumps(payload, canonical=True)
    return data + check_item(data)


def make_id(us=None, suffix=None):
    us = time.time_ns() // 1000 if us is None else us
    suffix = int.from_bytes(os.urandom(8), "big") if suffix is None else suffix
    text = "".join(ALPHABET[(suffix >> (5 * (12 - i))) & 31] for i in range(13))
    return f"{us // 1000000:010d}.{us % 1000000:06d}-{text}"


def read_sequence(data):
    stream, items = io.BytesIO(data), []
    while stream.tell() < len(data):
        begin = stream.tell()
        items.append((begin, cbor2.CBORDecoder(stream).decode()))
    return items


class PyClient:
    def __init__(self, spool):
        self.spool = spool
        self.last_us = 0

    def path(self, state, request):
        return os.path.join(self.spool, state, request)

    def publish(self, data, request=None, mode=0o600):
        """Publish bytes as they are; the id."""
        fd = os.open(os.path.join(self.spool, "1-requested"), os.O_TMPFILE | os.O_WRONLY, mode)
        proc = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fchmod(fd, mode)
            os.write(fd, data)
            if request is None:
                self.last_us = max(time.time_ns() // 1000, self.last_us + 1)
                request = make_id(self.last_us)
            # Only with a directory descriptor does Python call linkat(AT_SYMLINK_FOLLOW).
            os.link(str(fd), self.path("1-requested", request), src_dir_fd=proc,
                    follow_symlinks=True)
        finally:
            os.close(proc)
            os.close(fd)
        return request

    def enqueue(self, payload, **members):
        return self.publish(request_file(payload, **members))

    def abort(self, request):
        os.close(os.open(self.path("5-aborting", request),
                         os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))

    def result(self, request, timeout_s=60, collect=True):
        """(envelope, payload or None); None when the request is gone."""
        end = time.monotonic() + timeout_s
        pause = 0.001
        while True:
            try:
                with open(self.path("4-complete", request), "rb") as f:
                    data = f.read()
                break
            except FileNotFoundError:
                pass
            if not any(os.path.lexists(self.path(s, request))
                       for s in ("1-requested", "2-pending", "3-running", "4-complete")):
                return None
            if time.monotonic() > end:
                raise TimeoutError(request)
            time.sleep(pause)
            pause = min(2 * pause, 0.1)
        items = read_sequence(data)
        begin, check = items[-1]
        assert check == crc32c(data[:begin]).to_bytes(4, "big"), "bad check item"
        head = items[0][1]
        head = head.value if isinstance(head, cbor2.CBORTag) else head
        assert head["wq-result"] == 1 and head["id"] == request
        if collect:
            os.unlink(self.path("4-complete", request))
        return head, items[1][1] if len(items) == 3 else None
