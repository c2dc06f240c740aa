# SPDX-License-Identifier: BSD-2-Clause
"""The calls of the kernel that Python lacks: namespaces, mounts, loop devices, shutdown."""

import ctypes
import errno
import fcntl
import os
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1

LOOP_CONFIGURE = 0x4C0A
LOOP_CTL_GET_FREE = 0x4C82
LO_FLAGS_AUTOCLEAR = 4
LOOP_MAJOR = 7
# EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are one number, _IOR('X', 125, __u32), and one meaning.
FS_SHUTDOWN = 0x8004587D
SHUTDOWN_NOW = 2  # not even what the journal holds in memory is written

_libc = ctypes.CDLL(None, use_errno=True)


def _check(rc, what):
    if rc < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def unshare(flags):
    _check(_libc.unshare(flags), "unshare")


def die_with_parent(signo):
    _check(_libc.prctl(PR_SET_PDEATHSIG, signo, 0, 0, 0), "prctl")


def mount(source, target, kind=None, flags=0, options=None):
    _check(_libc.mount(source.encode(), target.encode(), kind.encode() if kind else None,
                       ctypes.c_ulong(flags), options.encode() if options else None),
           f"mount {source} on {target}")


def unmount(target, flags=0):
    _check(_libc.umount2(target.encode(), flags), f"umount {target}")


def syncfs(directory):
    """Write out all of the file system of this directory."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _check(_libc.syncfs(fd), "syncfs")
    finally:
        os.close(fd)


def own_mounts():
    """From here on mounts are seen by this process and its children alone, and end with them."""
    unshare(CLONE_NEWNS)
    mount("none", "/", flags=MS_REC | MS_PRIVATE)


def attach_loop(fd):
    """A loop device on this file: (path, descriptor).  It goes when nobody has it open or mounted."""
    config = struct.pack("=II", fd, 0) + struct.pack(
        "=QQQQQIIII", 0, 0, 0, 0, 0, 0, 0, 0, LO_FLAGS_AUTOCLEAR)
    config = config.ljust(304, b"\0")  # struct loop_config
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        while True:
            number = fcntl.ioctl(control, LOOP_CTL_GET_FREE)
            path = f"/dev/loop{number}"
            if not os.path.exists(path):  # a /dev that nobody looks after
                os.mknod(path, 0o60600, os.makedev(LOOP_MAJOR, number))
            loop = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(loop, LOOP_CONFIGURE, config)
                return path, loop
            except OSError as e:
                os.close(loop)
                if e.errno != errno.EBUSY:  # somebody else was quicker
                    raise
    finally:
        os.close(control)


def shut_down(directory, how=SHUTDOWN_NOW):
    """Stop the file system of this directory as if its disk had lost power."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if os.fstat(fd).st_dev == os.stat("/").st_dev:
            raise ValueError(f"{directory} is on the root file system")
        fcntl.ioctl(fd, FS_SHUTDOWN, struct.pack("=I", how))
    finally:
        os.close(fd)
