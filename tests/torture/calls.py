# SPDX-License-Identifier: BSD-2-Clause
"""Which system calls of a trace that strace wrote concern a spool, and which of its directories."""

import collections
import glob
import os
import re
import subprocess

from life import PROGRAMS

STRACE = ("strace", "-ff", "-y", "-qq", "-o")
FD = re.compile(r"(-?\w+)<([^<>]*)>")
ANY_FD = re.compile(r"\b(\d+)<(/[^<>]*)>")
SUN_PATH = re.compile(r'sun_path="([^"]*)"')


def known():
    """({call: kinds of its arguments}, [place]), as killat has them: it counts by the same rule."""
    kinds, places = {}, []
    for line in subprocess.run([os.path.join(PROGRAMS, "killat"), "--calls"], capture_output=True,
                               text=True, check=True).stdout.splitlines():
        words = line.split()
        if words[0] == "call":
            kinds[words[1]] = words[2]
        else:
            places.append(words[1])
    return kinds, places


def arguments(text):
    """The arguments of a call, from behind its parenthesis."""
    found, depth, quoted, begin, at = [], 0, False, 0, 0
    while at < len(text):
        c = text[at]
        if quoted:
            if c == "\\":
                at += 1
            elif c == '"':
                quoted = False
        elif c == '"':
            quoted = True
        elif c in "([{<":
            depth += 1
        elif c in ")]}>" and depth == 0:
            break
        elif c in ")]}>" and not text.startswith("=>", at - 1):
            depth -= 1
        elif c == "," and depth == 0:
            found.append(text[begin:at].strip())
            begin = at + 1
        at += 1
    found.append(text[begin:at].strip())
    return found


class Trace:
    """All files of one strace -ff: `calls[role]` counts (call, place), `unknown` has lines of those
    roles that mention the spool by a call that is not in the table."""

    def __init__(self, prefix, spool, roles):
        self.roles = roles
        self.kinds, self.places = known()
        self.spool = spool
        self.calls = collections.defaultdict(collections.Counter)
        self.unknown = []
        files = {int(p.rsplit(".", 1)[1]): p for p in glob.glob(prefix + ".*")}
        self.lines = {}
        for tid, path in files.items():
            with open(path, errors="replace") as f:
                self.lines[tid] = f.read().splitlines()
        made = {}  # tid: (its maker, is it a thread)
        for tid, lines in self.lines.items():
            for line in lines:
                m = re.match(r"(?:clone3?|v?fork)\(.*\) += (\d+)", line)
                if m:
                    made[int(m[1])] = (tid, "CLONE_THREAD" in line)
        found = {}

        def role_of(tid):
            """A thread is of the role of its maker."""
            if tid not in found:
                maker, is_thread = made.get(tid, (0, False))
                found[tid] = self.read(tid, role_of(maker) if is_thread else None)
            return found[tid]
        for tid in self.lines:
            role_of(tid)

    def read(self, tid, role):
        """Its role: what it is called by its execve, if that was not before."""
        fds = {}
        for line in self.lines[tid]:
            m = re.match(r'execve\("([^"]*)".* = 0$', line)
            if m:
                role = os.path.basename(m[1])
                continue
            for fd, path in ANY_FD.findall(line):
                fds[int(fd)] = path
            m = re.match(r"(\w+)\(", line)
            if m and role in self.roles:
                self.count(role, m[1], line[m.end():], fds, line)
        return role

    def count(self, role, call, rest, fds, line):
        kinds = self.kinds.get(call)
        if kinds is None:
            if self.spool in line and call not in ("clone3", "clone", "vfork", "mmap"):
                self.unknown.append(f"{role}: {line[:200]}")
            return
        args, found, skip = arguments(rest), [], False
        for i, kind in enumerate(kinds):
            if skip or kind == "-" or i >= len(args):
                skip = False
                continue
            skip = kind == "D"
            place = self.place_of(kind, args[i:i + 2], fds)
            if place:
                found.append(place)
        if found:
            self.calls[role][call, ">".join(found)] += 1

    def place_of(self, kind, args, fds):
        if kind == "F":
            return self.place_of_fd(args[0])
        if kind == "S":
            m = SUN_PATH.search(args[0])
            return self.place_of_path(m[1], fds) if m else None
        path = args[0] if kind == "P" else args[1] if len(args) > 1 else ""
        path = path.strip('"') if path.startswith('"') else ""
        if kind == "D" and not path.startswith("/"):
            return self.place_of_fd(args[0])
        return self.place_of_path(path, fds)

    def place_of_fd(self, arg):
        m = FD.match(arg)
        return self.place(m[2]) if m else None

    def place_of_path(self, path, fds):
        m = re.match(r"/proc/self/fd/(\d+)", path)
        return self.place(fds.get(int(m[1]), "") if m else path)

    def place(self, path):
        if path != self.spool and not path.startswith(self.spool + "/"):
            return None
        path = path[len(self.spool) + 1:]
        for place in self.places:
            if path == place or path.startswith(place + "/"):
                return place
        return "."
