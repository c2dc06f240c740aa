# SPDX-License-Identifier: BSD-2-Clause
"""The file systems that are cut, and disks to put them on."""

import fcntl
import os
import shutil
import signal
import subprocess

import kernel
import wqtest
from atwork import TORTURE

MIB = 1 << 20


class Kind:
    """A kind of file system.  What a disk is to write whole even if power fails: sectors of `sector`
    bytes, and the first `head` bytes."""

    def __init__(self, name, mkfs, size, options="", sector=512, head=0, own=False,
                 named=False):
        self.name = name
        self.type = name.split("-")[0]
        self.mkfs = mkfs.split()
        self.size = size
        self.options = options
        self.sector = sector
        self.head = head
        self.own = own  # the spool is the root of the file system
        self.named = named  # clients are told that unnamed files are not safe here

    @property
    def can_be_shut_down(self):
        return self.type in ("ext4", "xfs")

    def is_to_be_had(self):
        with open("/proc/filesystems") as f:
            known = any(line.split()[-1] == self.type for line in f)
        return known and shutil.which(self.mkfs[0]) is not None

    def make(self, path):
        with open(path, "wb") as f:
            f.truncate(self.size)
        # These three let mkfs.xfs make what is smaller than 300 MiB.
        env = dict(os.environ, TEST_DIR="1", TEST_DEV="1", QA_CHECK_FS="1")
        done = subprocess.run([*self.mkfs, path], env=env, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(self.mkfs)}: {done.stderr}")

    def mount(self, device, target):
        kernel.mount(device, target, self.type, 0, self.options)
        if self.own and self.type == "ext4" and os.path.isdir(f"{target}/lost+found"):
            os.rmdir(f"{target}/lost+found")  # what is not empty is no spool

    def spool(self, target):
        return target if self.own else os.path.join(target, "spool")


# ext4 does not mount when half of its superblock, the second 1024 bytes, is old.
_HEAD = 2048
_EXT4 = "mkfs.ext4 -q -m 0 -J size=4 -E lazy_itable_init=0"
_XFS = "mkfs.xfs -q -l size=8m"
_BTRFS = "mkfs.btrfs -q -s 4096 -m single"
KINDS = {kind.name: kind for kind in (
    Kind("ext4", _EXT4, 64 * MIB, "commit=1", head=_HEAD),
    Kind("ext4-own", _EXT4, 64 * MIB, "commit=1", head=_HEAD, own=True),
    Kind("ext4-named", _EXT4, 64 * MIB, "commit=1", head=_HEAD, named=True),
    Kind("ext4-journal", _EXT4, 64 * MIB, "commit=1,data=journal", head=_HEAD),
    Kind("xfs", _XFS, 64 * MIB, "nouuid"),
    Kind("xfs-own", _XFS, 64 * MIB, "nouuid", own=True),
    Kind("xfs-named", _XFS, 64 * MIB, "nouuid", named=True),
    Kind("btrfs", _BTRFS, 128 * MIB, "commit=1", sector=4096),
    Kind("btrfs-own", _BTRFS, 128 * MIB, "commit=1", sector=4096, own=True),
    Kind("btrfs-named", _BTRFS, 128 * MIB, "commit=1", sector=4096, named=True),
)}


class LogDisk:
    """A file whose bytes are a disk, kept by logdisk."""

    def __init__(self, image, log, directory):
        os.mkdir(directory)
        self.directory = directory
        self.mark = os.path.join(directory, "mark")
        self.process = subprocess.Popen(
            [os.path.join(TORTURE, "logdisk"), image, log, directory], stdout=subprocess.PIPE,
            preexec_fn=lambda: kernel.die_with_parent(signal.SIGKILL))
        if self.process.stdout.readline() != b"ready\n":
            raise RuntimeError("logdisk does not start")

    def attach(self):
        fd = os.open(os.path.join(self.directory, "disk"), os.O_RDWR | os.O_CLOEXEC)
        try:
            return kernel.attach_loop(fd)
        finally:
            os.close(fd)

    def end(self):
        """Whoever still has it open reads and writes no more."""
        self.process.kill()
        self.process.wait(wqtest.LIMIT_S)
        self.process.stdout.close()
        kernel.unmount(self.directory, kernel.MNT_DETACH)


def wait_until_unused(loop):
    """Nobody has mounted it any more."""
    def unused():
        try:
            # Reopened, as O_EXCL is a matter of opening.
            os.close(os.open(f"/proc/self/fd/{loop}", os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
            return True
        except OSError:
            return False
    wqtest.until(unused, "the file system is unmounted")


BLKFLSBUF = 0x1261


def forget_cache(loop):
    """Read from the disk again."""
    fcntl.ioctl(loop, BLKFLSBUF)
