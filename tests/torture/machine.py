# SPDX-License-Identifier: BSD-2-Clause
"""Machines whose power can be cut: processes that end together, with a /proc, a boot id and mounts
of their own."""

import json
import os
import select
import signal
import tempfile
import time
import traceback
import uuid

import kernel

BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Stuck(Exception):
    """It did not come to an end in time, and was switched off."""


class Machine:
    """`work` is the first process of a pid namespace; when it ends, or in `off`, all others of it end
    too, whatever sessions and parents they have.  Its mounts go with it."""

    def __init__(self, directory, work):
        self.answer_fd, write = os.pipe()
        pid_read, pid_write = os.pipe()
        self.keeper = os.fork()
        if self.keeper == 0:
            _keep(directory, work, pid_write, write)  # does not return
        os.close(write)
        os.close(pid_write)
        with os.fdopen(pid_read) as f:
            self.first = os.pidfd_open(int(f.read()))

    def wait(self, limit_s):
        """What `work` has returned.  Stuck after `limit_s`, RuntimeError when it has failed."""
        text = b""
        end = time.monotonic() + limit_s
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.answer_fd], [], [], left)[0]:
                self.off()
                raise Stuck(f"no answer within {limit_s} s")
            more = os.read(self.answer_fd, 65536)
            if not more:
                break
            text += more
        self.off()
        answer = json.loads(text or '{"error": "it was killed"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]

    def off(self, limit_s=10):
        """Cut the power: nothing of it runs, and nothing is mounted, when this returns."""
        if self.first is None:
            return
        try:
            signal.pidfd_send_signal(self.first, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.close(self.first)
        os.close(self.answer_fd)
        self.first = None
        keeper = os.pidfd_open(self.keeper)
        gone = select.select([keeper], [], [], limit_s)[0]
        os.close(keeper)
        if not gone:
            raise Stuck(f"it does not end within {limit_s} s")
        os.waitpid(self.keeper, 0)


def _keep(directory, work, pid_fd, answer_fd):
    """The parent of the first process: a pid namespace has to be made before its first process."""
    try:
        kernel.die_with_parent(signal.SIGKILL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        kernel.unshare(kernel.CLONE_NEWPID)
        first = os.fork()
        if first == 0:
            os.close(pid_fd)
            kernel.die_with_parent(signal.SIGKILL)
            _boot(directory, work, answer_fd)  # does not return
        os.write(pid_fd, str(first).encode())
        os.close(pid_fd)
        os.close(answer_fd)
        os.waitpid(first, 0)
    finally:
        os._exit(0)


def _boot(directory, work, answer_fd):
    try:
        kernel.own_mounts()
        kernel.mount("proc", "/proc", "proc")
        boot_id = os.path.join(directory, "boot-id")
        with open(boot_id, "w") as f:
            f.write(f"{uuid.uuid4()}\n")
        kernel.mount(boot_id, BOOT_ID, flags=kernel.MS_BIND)
        tempfile.tempdir = directory
        answer = {"value": work()}
    except BaseException:
        answer = {"error": traceback.format_exc()}
    try:
        text = json.dumps(answer).encode()
        while text:
            text = text[os.write(answer_fd, text):]
    finally:
        os._exit(0)
