# SPDX-License-Identifier: BSD-2-Clause
"""Cuts of the power, in two ways: a mounted file system that is shut down under its server, and the
states of a disk that wrote a log.

`shut_down`, `images` and `again` are each the life of a process of its own in a directory of its own.
They answer what they saw to tests/torture/power.
"""

import json
import os
import random
import shutil
import threading
import time

import atwork
import kernel
from disklog import FLUSH, MARK, WRITE, Disk, DiskLog
from machine import Machine, Stuck
from volume import KINDS, LogDisk, forget_cache, wait_until_unused

MACHINE_S = 60
KEPT = 3  # states of one job that are kept for a closer look
VARIANTS = 5  # of what a disk has done at one moment
TOLD = 8  # lines of what is broken in one state
EVERYBODY = "".join(f"killed {role}\n" for role in ("client", "server", "shepherd", "task"))


class Report:
    """How many states were judged, and what was wrong with which.  `keep`: a directory, or None."""

    def __init__(self, keep):
        self.keep = keep
        self.begin = time.monotonic()
        self.states = self.bad = 0
        self.found = []

    def add(self, state, broken, disk=None):
        """`disk`: gives a descriptor of its bytes as the cut left them."""
        self.states += 1
        if not broken:
            return
        self.bad += 1
        if self.keep and len(self.found) < KEPT:
            kept = os.path.join(self.keep, state.name.replace(" ", "-"))
            state.write(kept, broken, disk)
            self.found.append({"state": state.name, "broken": broken[:TOLD], "kept": kept})

    def answer(self, **more):
        return {"states": self.states, "bad": self.bad, "found": self.found,
                "seconds": time.monotonic() - self.begin, **more}


class State:
    """What a cut has left, with all that is needed to judge it."""

    def __init__(self, name, kind, setting, events, judged=None):
        self.name = name
        self.kind = kind
        self.setting = setting
        self.events = events
        self.judged = judged or setting.level

    def write(self, directory, broken, disk):
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        texts = {"broken": "\n".join(broken) + "\n", "events": self.events,
                 "setting": json.dumps({"name": self.name, "kind": self.kind.name,
                                        "level": self.setting.level, "policy": self.setting.policy,
                                        "judged": self.judged})}
        for name, text in texts.items():
            with open(os.path.join(directory, name), "w") as f:
                f.write(text)
        fd = disk()
        copy_sparse(fd, os.path.join(directory, "disk"))
        os.close(fd)


def copy_sparse(fd, path):
    with open(path, "wb") as to:
        to.truncate(os.fstat(fd).st_size)
        at = 0
        while True:
            try:
                at = os.lseek(fd, at, os.SEEK_DATA)
            except OSError:  # no data beyond
                return
            end = os.lseek(fd, at, os.SEEK_HOLE)
            os.pwrite(to.fileno(), os.pread(fd, end - at, at), at)
            at = end


def opened(path):
    return os.open(path, os.O_RDWR | os.O_CLOEXEC)


def read(path):
    with open(path) as f:
        return f.read()


class Place:
    """Where a job works; its mounts are its own."""

    def __init__(self, directory):
        self.directory = directory
        self.mount = self.path("mount")
        os.mkdir(self.mount)
        kernel.own_mounts()

    def path(self, name):
        return os.path.join(self.directory, name)

    def case(self):
        """A directory for one machine, empty."""
        path = self.path("case")
        shutil.rmtree(path, ignore_errors=True)
        os.mkdir(path)
        return path

    def judge(self, state, device):
        """Switch on a machine that has this disk, let a server recover, and judge: what is broken."""
        case = self.case()
        setting = state.setting
        setting.recorder = os.path.join(case, "events")
        with open(setting.recorder, "w") as f:
            f.write(state.events)

        def work():
            state.kind.mount(device, self.mount)
            return (atwork.recover(setting) or
                    atwork.judge(setting, read(setting.recorder), state.judged))
        try:
            return Machine(case, work).wait(MACHINE_S)
        except (Stuck, RuntimeError) as e:
            lines = str(e).splitlines()
            return [lines[-1], *lines]

    def neighbour(self, kind):
        """Where somebody else may have a file on the same disk."""
        return None if kind.own else self.mount


# ---- a file system that is shut down ----------------------------------------------------------------


def shut_down(directory, keep, kind, level, policy, seed, n, seconds, judged=None, enough=None):
    """`n` times: work for a while; then nothing more reaches the disk, and all processes are gone."""
    kind, rng, report, place = KINDS[kind], random.Random(seed), Report(keep), Place(directory)
    setting = atwork.Setting(kind.spool(place.mount), None, level, policy, named=kind.named)
    kind.make(place.path("disk"))
    disk = opened(place.path("disk"))
    device, loop = kernel.attach_loop(disk)
    events = ""
    for i in range(n):
        lifetime = seconds * rng.uniform(0.2, 1)
        events = cut_short(place, kind, device, setting, f"{seed} {i}", events, lifetime) + "cut\n"
        wait_until_unused(loop)
        forget_cache(loop)
        copy_sparse(disk, place.path("cut"))
        state = State(f"cut {i} of {kind.name} {level} {policy}, seed {seed}", kind, setting, events,
                      judged)
        report.add(state, place.judge(state, device), lambda: opened(place.path("cut")))
        if enough and report.bad >= enough:
            break
        events = read(setting.recorder) + EVERYBODY
        wait_until_unused(loop)
    return report.answer()


def cut_short(place, kind, device, setting, seed, events, lifetime):
    """Work so long, and lose power; what had happened."""
    setting.recorder = place.path("events")
    with open(setting.recorder, "w") as f:
        f.write(events)

    def work():
        kind.mount(device, place.mount)
        ready = threading.Event()
        worker = threading.Thread(
            target=atwork.work, daemon=True,
            args=(setting, seed, MACHINE_S, place.neighbour(kind), ready.set))
        worker.start()
        if not ready.wait(atwork.REST_S):
            raise RuntimeError("the server does not start")
        time.sleep(lifetime)
        kernel.shut_down(place.mount)
        # All other processes of the machine end with this one.

    Machine(place.case(), work).wait(MACHINE_S)
    return read(setting.recorder)


# ---- a disk that wrote a log ------------------------------------------------------------------------


def record(place, image, kind, setting, work):
    """Let `work` happen on a disk that begins as `image`; its log."""
    disk = LogDisk(image, place.path("log"), place.path("logdisk"))
    try:
        device, loop = disk.attach()
        setting.recorder = disk.mark

        def mounted():
            kind.mount(device, place.mount)
            return work()
        failed = Machine(place.case(), mounted).wait(MACHINE_S)
        wait_until_unused(loop)
        os.close(loop)
    finally:
        disk.end()
        os.rmdir(disk.directory)
    if failed:
        raise RuntimeError("; ".join(failed))
    return DiskLog(image, place.path("log"))


def moments(log):
    """Where it matters most what the disk has done: ({before a flush}, {after something happened}), each
    moment with whether the disk has something to choose."""
    flushes, marks = [], []
    dirty, last = False, FLUSH
    for i, (kind, *_) in enumerate(log.entries):
        if kind == FLUSH and last != FLUSH:
            flushes.append((i, dirty))
        elif last == MARK and kind != MARK:
            marks.append((i, dirty))
        dirty = kind == WRITE or (dirty and kind != FLUSH)
        last = kind
    return flushes, marks


def some_moments(log, n, rng):
    """So many that `n` states can be had of them, in order."""
    chosen = set()
    both = moments(log)
    for some in both:
        rng.shuffle(some)
    for pair in zip(*both):
        for moment, dirty in pair:
            if n > 0:
                chosen.add(moment)
                n -= VARIANTS if dirty else 1
    return sorted(chosen)


def variants(disk, kind, rng):
    """What a disk may have written since the last flush: (name, parts)."""
    yield "none", []
    if disk.pending:
        yield "all", disk.all()
        yield "some", disk.some(rng)
        yield "torn", disk.torn(rng, kind.sector, kind.head)
        yield "first", disk.first(rng)


def states(log, kind, n, rng):
    """At most `n` states of all the log: (name, disk, parts)."""
    disk = Disk(log)
    for moment in some_moments(log, n, rng):
        disk.advance(moment)
        for name, parts in variants(disk, kind, rng):
            if n == 0:
                return
            n -= 1
            yield f"{moment} {name}", disk, parts


def replay(place, report, kind, log, n, rng, setting, name, before="", judged=None, enough=None):
    """Judge `n` states of the log; stop when `enough` were bad."""
    for where, disk, parts in states(log, kind, n, rng):
        fd = disk.image(parts)
        device, loop = kernel.attach_loop(fd)
        os.close(fd)
        state = State(f"{name}, at {where}", kind, setting, before + "".join(disk.events) + "cut\n",
                      judged)
        report.add(state, place.judge(state, device), lambda: disk.image(parts))
        os.close(loop)
        if enough and report.bad >= enough:
            return


def images(directory, keep, kind, level, policy, seed, n, seconds, judged=None, plant=None, enough=None,
           birth=False, recoveries=0):
    """Work on a disk that writes a log, and judge `n` of its states; some of them of a disk that was cut
    off before, and again when a server was to recover, or soon after.  `birth`: cut it off when a
    first server makes the spool."""
    kind, rng, report, place = KINDS[kind], random.Random(seed), Report(keep), Place(directory)
    setting = atwork.Setting(kind.spool(place.mount), None, level, policy, plant, kind.named)
    name = f"{kind.name} {level} {policy}, seed {seed}"
    kind.make(place.path("disk"))
    log = record(place, place.path("disk"), kind, setting,
                 lambda: atwork.work(setting, seed, seconds, place.neighbour(kind), settle=not birth))
    setting.plant = None  # who recovers is honest
    share = n // (recoveries + 1)
    replay(place, report, kind, log, share, rng, setting, name, judged=judged, enough=enough)
    for i in range(recoveries):
        before, second = interrupted(place, kind, log, rng, setting, seconds)
        replay(place, report, kind, second, share, rng, setting, f"{name}, again {i}", before)
    return report.answer(writes=log.count(WRITE), flushes=log.count(FLUSH), marks=log.count(MARK))


def interrupted(place, kind, log, rng, setting, seconds):
    """A disk that was cut off goes on: what had happened before, and the log of what comes now."""
    disk = Disk(log)
    disk.advance(rng.choice([m for m, dirty in moments(log)[0] if dirty and m > len(log.entries) // 2]))
    _, parts = rng.choice(list(variants(disk, kind, rng)))
    image = disk.image(parts)
    copy_sparse(image, place.path("second"))
    os.close(image)
    again = record(place, place.path("second"), kind, setting,
                   lambda: atwork.work(setting, rng.random(), seconds / 2, place.neighbour(kind),
                                     settle=False))
    return "".join(disk.events) + "cut\n", again


def again(directory, keep, kept):
    """Judge once more a state that was kept."""
    del keep
    what = json.loads(read(os.path.join(kept, "setting")))
    kind, report, place = KINDS[what["kind"]], Report(None), Place(directory)
    setting = atwork.Setting(kind.spool(place.mount), None, what["level"], what["policy"])
    fd = opened(os.path.join(kept, "disk"))
    copy_sparse(fd, place.path("disk"))
    device, _ = kernel.attach_loop(opened(place.path("disk")))
    state = State(what["name"], kind, setting, read(os.path.join(kept, "events")), what["judged"])
    broken = place.judge(state, device)
    report.add(state, broken)
    report.found = [{"state": state.name, "broken": broken, "kept": kept}] if broken else []
    return report.answer()
