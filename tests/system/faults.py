# SPDX-License-Identifier: BSD-2-Clause
"""What a machine can do to a queue, for tests: a small volume that fills up, breaks and goes away."""

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
