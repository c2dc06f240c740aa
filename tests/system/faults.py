# SPDX-License-Identifier: BSD-2-Clause
"""What a machine can do to a queue, for tests: a small volume that fills up, breaks and goes away; and
system calls that fail."""

import contextlib
import os
import shutil
import subprocess
import tempfile

import wqtest


class Volume:
    """A small ext4 of its own, mounted at `self.at`."""

    def __init__(self, size="4M", mkfs=()):
        if not os.access("/dev/loop-control", os.W_OK):
            raise wqtest.Skip("loop-mounts", "a volume of its own takes a loop device")
        self.dir = tempfile.mkdtemp(prefix="wq-volume.")
        self.image = os.path.join(self.dir, "image")
        self.at = os.path.join(self.dir, "at")
        self.device = None
        os.mkdir(self.at)
        try:
            run("truncate", "-s", size, self.image)
            run("mkfs.ext4", "-q", "-m", "0", *mkfs, self.image)
            self.device = run("losetup", "-f", "--show", self.image).strip()
            self.mount()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def mount(self):
        run("mount", self.device, self.at)

    def umount(self, *options):
        run("umount", *options, self.at)

    def fill(self):
        """To the last block."""
        with open(os.path.join(self.at, "filler"), "ab", buffering=0) as f:
            for size in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        f.write(bytes(size))

    def empty(self):
        os.unlink(os.path.join(self.at, "filler"))

    def use_inodes(self):
        """To the last one."""
        where = os.path.join(self.at, "fillers")
        os.mkdir(where)
        with contextlib.suppress(OSError):
            for i in range(1 << 20):
                os.close(os.open(os.path.join(where, str(i)), os.O_CREAT | os.O_WRONLY))

    def free_inodes(self):
        shutil.rmtree(os.path.join(self.at, "fillers"))

    def break_it(self):
        """As after an error of the device: nothing can be written any more."""
        run("mount", "-o", "remount,errors=remount-ro", self.at)
        name = os.path.basename(self.device)
        with open(f"/sys/fs/ext4/{name}/trigger_fs_error", "w", encoding="ascii") as f:
            f.write("1")

    def mend(self):
        """When nobody uses it any more.  The kernel may note the error late: then once more."""
        for _ in range(3):
            self.umount()
            subprocess.run(["e2fsck", "-fy", self.device], capture_output=True, check=False)
            self.mount()
            if os.access(self.at, os.W_OK):
                return
        raise AssertionError(f"{self.at} stays read-only")

    def __enter__(self):
        return self

    def __exit__(self, *args):
        while os.path.ismount(self.at):
            run("umount", "-l", self.at)
        if self.device:
            run("losetup", "-d", self.device)  # or as soon as nobody uses it
        shutil.rmtree(self.dir, ignore_errors=True)


def run(*command):
    """Its standard output."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=wqtest.LIMIT_S,
                          check=False)
    assert done.returncode == 0, (command, done.returncode, done.stderr)
    return done.stdout


class Failing:
    """While this is open, these system calls of a process fail with `error`, where they are about
    `path`.  `threads`: those of its threads and children, too."""

    def __init__(self, pid, calls, path, error, threads=True):
        self.out = tempfile.mkstemp(prefix="wq-strace.")[1]
        self.strace = wqtest.Program(
            ["strace", *(["-f"] if threads else []), "-p", str(pid), "-o", self.out,
             "-e", f"trace={calls}", "-e", f"inject={calls}:error={error}:when=1+",
             *(["-P", path] if path else [])],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        line = "attached"
        while "attached" not in (line := self.strace.stderr.readline()):
            if not line:
                self.__exit__(None, None, None)
                raise wqtest.Skip("ptrace", "strace cannot attach")

    def hits(self):
        with open(self.out, encoding="utf-8", errors="replace") as f:
            return f.read().count("(INJECTED)")

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.strace.terminate()
        self.strace.wait(wqtest.LIMIT_S)
        self.strace.stderr.close()
        os.unlink(self.out)


def fails(calls, path, error, command, env):
    """The same for a command from its beginning to its end; (exit status, output, errors, hits)."""
    out = tempfile.mkstemp(prefix="wq-strace.")[1]
    options = os.environ.get("ASAN_OPTIONS", "")  # leaks cannot be looked for in a traced process
    env = dict(env, ASAN_OPTIONS=f"{options}:detect_leaks=0".lstrip(":"))
    try:
        done = subprocess.run(
            ["strace", "-f", "-qq", "-o", out, "-e", f"trace={calls}",
             "-e", f"inject={calls}:error={error}:when=1+", "-P", path, *command],
            env=env, capture_output=True, text=True, timeout=wqtest.LIMIT_S, check=False)
        with open(out, encoding="utf-8", errors="replace") as f:
            hits = f.read().count("(INJECTED)")
    finally:
        os.unlink(out)
    return done.returncode, done.stdout, done.stderr, hits
