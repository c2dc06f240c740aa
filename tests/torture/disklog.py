# SPDX-License-Identifier: BSD-2-Clause
"""The diary of logdisk: what a disk was told, and the states in which a power cut may leave it."""

import mmap
import os
import struct

WRITE, FLUSH, MARK = 1, 2, 3
_ENTRY = struct.Struct("=IIQ")
CHUNK = 65536


class DiskLog:
    """`image` is what the disk held at first.  `entries` are (type, offset of the write, where its bytes
    are in `data`, length)."""

    def __init__(self, image, log):
        self.image = image
        fd = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
        self.data = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
        os.close(fd)
        self.size = os.stat(image).st_size
        self.entries = []
        at = 0
        while at + _ENTRY.size <= len(self.data):
            kind, length, offset = _ENTRY.unpack_from(self.data, at)
            at += _ENTRY.size
            self.entries.append((kind, offset, at, length))
            at += length

    def bytes_of(self, entry):
        _, _, at, length = entry
        return memoryview(self.data)[at:at + length]

    def count(self, kind):
        return sum(e[0] == kind for e in self.entries)


class Disk:
    """The disk at a moment of its log: what was flushed by then, what was written since, what had
    happened."""

    def __init__(self, log):
        self.log = log
        self.moment = 0  # so many entries have come
        self.pending = []  # writes since the last flush
        self.events = []
        self.bytes = mmap.mmap(-1, log.size)
        self.touched = set()  # chunks that are not all zero
        self._load(log.image)

    def _load(self, path):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        at = 0
        try:
            while True:
                begin = os.lseek(fd, at, os.SEEK_DATA)
                at = os.lseek(fd, begin, os.SEEK_HOLE)
                self._put(begin, os.pread(fd, at - begin, begin))
        except OSError:  # ENXIO: no data beyond
            pass
        finally:
            os.close(fd)

    def _put(self, offset, data):
        self.bytes[offset:offset + len(data)] = data
        self.touched.update(range(offset // CHUNK, (offset + len(data) + CHUNK - 1) // CHUNK))

    def advance(self, moment):
        """Go on to a later moment."""
        for entry in self.log.entries[self.moment:moment]:
            if entry[0] == WRITE:
                self.pending.append(entry)
            elif entry[0] == MARK:
                self.events.append(bytes(self.log.bytes_of(entry)).decode())
            else:
                for write in self.pending:
                    self._put(write[1], self.log.bytes_of(write))
                self.pending.clear()
        self.moment = moment

    def image(self, parts):
        """A new file that holds all that was flushed, and then `parts`, (offset, bytes)."""
        fd = os.memfd_create("disk", os.MFD_CLOEXEC)
        os.ftruncate(fd, self.log.size)
        whole = memoryview(self.bytes)
        for begin, end in _runs(self.touched):
            os.pwrite(fd, whole[begin * CHUNK:min(end * CHUNK, self.log.size)], begin * CHUNK)
        for offset, data in parts:
            os.pwrite(fd, data, offset)
        return fd

    def all(self):
        return [(e[1], self.log.bytes_of(e)) for e in self.pending]

    def some(self, rng):
        """Any of the writes that were not flushed: the disk may have done them in any order."""
        share = rng.choice((0.2, 0.5, 0.8))
        return [part for part in self.all() if rng.random() < share]

    def first(self, rng):
        """A disk that does things in order."""
        parts = self.all()
        return parts[:rng.randint(0, len(parts))]

    def torn(self, rng, sector, head):
        """Any sectors of any of the writes; the first `head` bytes of the disk are one sector."""
        share = rng.choice((0.2, 0.5, 0.8))
        return [part for whole in self.some(rng) for part in _sectors(*whole, sector, head)
                if rng.random() < share]


def _sectors(offset, data, sector, head):
    at = 0
    while at < len(data):
        end = at + max(sector, head - offset - at)
        yield offset + at, data[at:end]
        at = end


def _runs(chunks):
    """Adjacent ones together: (first, behind the last)."""
    begin = end = None
    for chunk in sorted(chunks):
        if chunk != end:
            if begin is not None:
                yield begin, end
            begin = chunk
        end = chunk + 1
    if begin is not None:
        yield begin, end
