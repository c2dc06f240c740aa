# SPDX-License-Identifier: BSD-2-Clause
"""A spool with a real server, a shepherd and clients, whose processes may be killed at any time: what
died is started again, everything is recorded, and the oracle judges."""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.setdefault("WQ_BUILD", os.path.abspath(os.path.join("build", "release")))
os.environ.setdefault("WQ_CLIENT_BUILD", BUILD)
sys.path.insert(0, os.path.join(HERE, "..", "system"))

import cbor2  # noqa: E402

from client import PyClient, make_id, request_file  # noqa: E402
from wqtest import PLUGINS, SERVER, STATES, end_shepherds, shepherd_pids, until  # noqa: E402

PROGRAMS = os.path.join(BUILD, "tests", "torture")
LIMIT_S = 20  # no step of a life takes longer; one that does is a broken promise
LEFT = (*STATES[:3], STATES[4], os.path.join(".wq", "tmp"))  # empty when all has come to rest


class Broken(Exception):
    """A promise was broken in a way that leaves nothing to go on with."""


_woken = None  # readable when a signal has told us to end


def catch_signals():
    """SIGTERM and SIGINT end us where we wait, and nowhere else: whatever was started is known then.
    After a fork again, or its signals wake the parent too."""
    global _woken
    _woken, write = os.pipe()
    for fd in (_woken, write):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for signo in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signo, lambda *_: None)


def wait_for(fds, timeout_s):
    """Those that can be read."""
    watched = [fd for fd in fds if fd is not None]
    if _woken is None:
        return select.select(watched, [], [], timeout_s)[0]
    ready = select.select([*watched, _woken], [], [], timeout_s)[0]
    if _woken in ready:
        raise SystemExit(128 + signal.SIGTERM)
    return ready


def make_directory():
    """For all lives of a torture: in memory where that is to be had, as it costs no disk."""
    return tempfile.mkdtemp(prefix="wq-torture.",
                            dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


def offers(text):
    """Does this server know that configuration?"""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.write(text)
        f.flush()
        return subprocess.run([SERVER, "--check", "-c", f.name], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode == 0


def cgroup_of(uuid):
    """Where a shepherd of that spool puts its tasks, see wq-shepherd(8)."""
    with open("/proc/mounts") as f:
        mounts = [line.split()[1] for line in f if line.split()[2] == "cgroup2"]
    with open("/proc/self/cgroup") as f:
        own = [line.strip()[3:] for line in f if line.startswith("0::")]
    return os.path.join(mounts[0], own[0].lstrip("/"), "wq-" + uuid) if mounts and own else None


def remove_cgroup(path):
    """What a killed shepherd has left; false: something still runs in it."""
    for at, _, _ in os.walk(path, topdown=False):
        try:
            os.rmdir(at)
        except FileNotFoundError:
            pass
        except OSError:
            return False
    return True


def is_task_of(uuid, pid):
    """Does its environment name a task of that spool?"""
    try:
        with open(f"/proc/{pid}/environ", "rb") as f:
            return b"WQ_TASK=" + uuid.encode() in f.read()
    except OSError:
        return False


def kill_tasks_of(uuid):
    """True: there are none any more."""
    found = [int(name) for name in os.listdir("/proc") if name.isdigit() and is_task_of(uuid, name)]
    for pid in found:
        kill_if(pid, lambda pid=pid: is_task_of(uuid, pid))
    return not found


def kill_if(pid, is_it, before=lambda: None):
    """Kill a process that is not our child: it may be gone, and its number another's."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if not is_it():
            return False
        before()
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)


class Client:
    """A process of tests/torture/client.c."""

    def __init__(self, life, wrapper=()):
        self.name = f"c{life.n_clients}"
        life.n_clients += 1
        self.process = subprocess.Popen(
            [*wrapper, os.path.join(PROGRAMS, "client"), life.spool, life.events, self.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=life.log)
        self.fd = self.process.stdout.fileno()
        os.set_blocking(self.fd, False)
        self.heard = b""
        self.killed = False

    def tell(self, words):
        try:
            self.process.stdin.write((words + "\n").encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # its end is read as one

    def listen(self):
        """A line that it has said, None: not yet, "": it is dead."""
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return None
        self.heard += data
        if b"\n" in self.heard:
            line, self.heard = self.heard.split(b"\n", 1)
            return line.decode()
        return None if data else ""

    def end(self, kill=False):
        if kill:
            self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except BrokenPipeError:
                pass
        return self.process.wait(LIMIT_S)


class Life:
    """`with Life(...)`: all of it ends with the block.  `broken` lists the promises that were not
    kept."""

    def __init__(self, top, level="none", policy=None, max_running=1, plant=None, linger_ms=0):
        self.dir = tempfile.mkdtemp(dir=top)
        self.path = lambda *names: os.path.join(self.dir, *names)
        self.spool, self.events = self.path("spool"), self.path("events")
        self.level, self.policy = level, policy
        self.limit_s = LIMIT_S if not plant else LIMIT_S / 5  # much of what is faulty hangs
        self.broken, self.n_clients = [], 0
        self.server = self.pid = self.pidfd = self.client = None
        self.was_ready = False
        self.started = []  # servers, or what was put around them
        self.env = dict(os.environ)
        if plant:
            self.env.update(LD_PRELOAD=os.path.join(PROGRAMS, "plant.so"), PLANT=plant,
                            PLANT_LINGER=str(linger_ms))
        self.log = open(self.path("log"), "ab")
        open(self.events, "w").close()
        with open(self.path("wq.conf"), "w") as f:
            f.write(self.configuration(level, policy, max_running))

    def configuration(self, level, policy, max_running):
        # A plugin whose tasks die with the server adopts none.
        on_crash = {name: f"on-crash = {policy}" if policy else "" for name in ("exec", "pool")}
        if policy == "adopt":
            on_crash["pool"] = "on-crash = fail"
        handlers = os.path.join(PROGRAMS, "handlers.so")
        return (f'spool = "{self.spool}"\nplugin-path = "{PLUGINS}"\ndurability = {level}\n'
                "safety-interval = 1h\nheartbeat-interval = 1h\ndrain-limit = 0s\n"
                f'default-task-manager = "exec"\n'
                f'task-manager "exec" {{ plugin = "fork-exec" max-running = {max_running}\n'
                f'{on_crash["exec"]} }}\n'
                f'task-manager "pool" {{ plugin = "thread-pool" max-running = {max_running}\n'
                f'{on_crash["pool"]} options {{ handlers = "{handlers}" handler = "note" }} }}\n')

    # ---- what tasks do -------------------------------------------------------------------------

    def command(self, until=None, fails=False):
        """A payload for exec: record the beginning, perhaps wait for a file, record the end."""
        note = f"printf '%s %s %s\\n' {{}} \"$WQ_ID\" \"$WQ_ATTEMPT\" >>{self.events}\n"
        wait = f"while [ -e {self.events} ] && [ ! -e {until} ]; do sleep 0.02; done\n" \
            if until else ""
        return {"shell": note.format("begun") + wait +
                ("exit 3" if fails else note.format("ended"))}

    def note(self, until=None, fails=False):
        """The same for pool."""
        payload = {"events": self.events}
        if until:
            payload["until"] = until
        if fails:
            payload["fails"] = "yes"
        return payload

    # ---- records -------------------------------------------------------------------------------

    def record(self, line):
        fd = os.open(self.events, os.O_WRONLY | os.O_APPEND)
        os.write(fd, line.encode() + b"\n")
        os.close(fd)

    def recorded(self):
        with open(self.events) as f:
            return f.read()

    def break_promise(self, text):
        self.broken.append(text)

    def names(self, *where):
        return sorted(n for n in os.listdir(os.path.join(self.spool, *where)) if n[0] != ".")

    def stands(self, request, *states):
        return any(os.path.lexists(os.path.join(self.spool, s, request)) for s in states)

    def record_mark(self):
        """The high-water mark that clients may read."""
        try:
            with open(os.path.join(self.spool, "wq.status"), "rb") as f:
                page = cbor2.load(f)
        except (OSError, cbor2.CBORDecodeError):
            return
        if isinstance(page, cbor2.CBORTag) and isinstance(page.value, dict) and \
                "hwm-us" in page.value:
            self.record(f"hwm {page.value['hwm-us']}")

    # ---- the server ----------------------------------------------------------------------------

    def start(self, wrapper=(), killed=lambda: False, patience_s=None):
        """Start a server and wait until it serves; false: it died before.  `killed` says whether that
        was asked for; after `patience_s` it is killed."""
        read, write = os.pipe()
        self.killed = killed
        self.server = subprocess.Popen(
            [*wrapper, SERVER, "-c", self.path("wq.conf"), f"--ready-fd={write}"],
            stderr=self.log, stdin=subprocess.DEVNULL, pass_fds=[write], env=self.env)
        self.started.append(self.server)
        os.close(write)
        with os.fdopen(read) as ready:
            if not wait_for([ready], self.limit_s if patience_s is None else patience_s):
                if patience_s is None:
                    raise Broken(f"a server was not ready within {self.limit_s} s")
                self.record("killed server")
                self.server.kill()
            is_ready = ready.readline() != ""
        if not is_ready:
            self.pid = None
            self.bury()
            return False
        self.record("ready")
        self.was_ready = True
        with open(os.path.join(self.spool, ".wq", "lock")) as f:
            self.pid = int(f.read())
        self.pidfd = os.pidfd_open(self.pid)
        return True

    def bury(self):
        """After the death of a server: of a wrapper that goes on we take no notice."""
        code = None
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None
        if self.pid in (None, self.server.pid) or self.killed():
            code = self.server.wait(self.limit_s)
        self.pid = None
        return code

    def is_server_dead(self):
        if self.pidfd is None:
            return True
        return bool(wait_for([self.pidfd], 0))

    def revive(self):
        """Judge what a killed server has left, and start the next one."""
        was_killed = self.killed()
        code = self.bury()
        if not was_killed:
            self.break_promise(f"a server ended by itself, with {code}")
        self.judge()
        self.record_mark()
        for _ in range(3):
            if self.start():
                return
            self.break_promise("a server that was not killed did not start")
        raise Broken("no server starts any more")

    def signal_server(self, signo):
        signal.pidfd_send_signal(self.pidfd, signo)

    def stop(self):
        """An orderly end; false: it was killed instead."""
        try:
            self.signal_server(signal.SIGTERM)
        except ProcessLookupError:
            pass
        if not wait_for([self.pidfd], self.limit_s):
            raise Broken(f"the server did not stop within {self.limit_s} s")
        was_killed = self.killed()
        code = self.bury()
        if code not in (0, None) and not was_killed:
            self.break_promise(f"the server stopped with {code}")
        return not was_killed

    # ---- waiting -------------------------------------------------------------------------------

    def attend(self, fds=(), timeout_s=0.002):
        """Wait for one of `fds`, and keep the server alive meanwhile."""
        ready = wait_for([*fds, self.pidfd], timeout_s)
        if self.pidfd is not None and self.pidfd in ready:
            self.revive()
        return [fd for fd in fds if fd in ready]

    def until(self, condition, what):
        end = time.monotonic() + self.limit_s
        while not condition():
            if time.monotonic() > end:
                raise Broken(f"not within {self.limit_s} s: {what}")
            self.attend()

    # ---- one client, step by step --------------------------------------------------------------

    def tell(self, words, wrapper=()):
        if self.client is None:
            self.client = Client(self, wrapper)
        self.client.tell(words)

    def hear(self, what):
        """What the client answers; None: it was killed."""
        end = time.monotonic() + self.limit_s
        while True:
            line = self.client.listen()
            if line:
                return line
            if line == "":
                self.client.end()
                self.client = None
                return None
            if time.monotonic() > end:
                raise Broken(f"no answer of a client within {self.limit_s} s: {what[:60]}")
            self.attend([self.client.fd], 1)

    # ---- the end -------------------------------------------------------------------------------

    def is_at_rest(self):
        return not any(os.listdir(os.path.join(self.spool, d)) for d in LEFT)

    def rest(self):
        """All that was begun ends; then the server stops, and the oracle judges."""
        run = os.path.join(self.spool, ".wq", "run")
        try:
            stopped = False
            while not stopped:
                self.until(self.is_at_rest, "everything comes to rest")
                self.until(lambda: os.listdir(run) in ([], ["boot"]),
                           "no record of a child is left in .wq/run")
                stopped = self.stop()
                if not stopped:
                    self.judge()
                    if not self.start():
                        raise Broken("no server starts any more")
        except Broken as e:
            self.break_promise(str(e))
        self.record_mark()
        self.judge("--final")

    def judge(self, *options):
        if not self.was_ready:
            return  # it was killed when it made the spool
        words = [os.path.join(PROGRAMS, "oracle"), "--level", self.level,
                 "--policy", self.policy or "fail", *options, self.spool]
        with open(self.events) as f:
            said = subprocess.run(words, stdin=f, capture_output=True, text=True, check=False)
        if said.returncode not in (0, 1):
            raise Broken(f"the oracle: {said.stderr}")
        self.broken += said.stdout.splitlines()

    def story(self):
        """What happened, for people."""
        self.log.flush()
        with open(self.path("log"), errors="replace") as f:
            log = f.read()
        places = {d: self.names(d) for d in (*STATES, ".wq/tmp", "finished", ".wq/quarantine")
                  if os.path.isdir(os.path.join(self.spool, d))}
        return "\n".join(["events:", self.recorded(), "log:", log,
                          *(f"{d}: {' '.join(n)}" for d, n in places.items() if n)])

    def end_orphans(self):
        """What a killed shepherd had, when no other one has come after it."""
        try:
            with open(os.path.join(self.spool, ".wq", "spool")) as f:
                uuid = f.read().split("uuid ")[1].split()[0]
        except (OSError, IndexError):
            return  # it has never served
        path = cgroup_of(uuid)
        if set(os.listdir(os.path.join(self.spool, ".wq", "run"))) <= {"boot"} and \
                not (path and os.path.isdir(path)):
            return

        def ended():
            return kill_tasks_of(uuid) and (path is None or remove_cgroup(path))
        until(ended, f"the end of the tasks of {self.spool}")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, tb):
        try:
            if self.client is not None:
                self.client.end(kill=True)
            if self.pidfd is not None:
                try:
                    self.signal_server(signal.SIGKILL)
                except ProcessLookupError:
                    pass
                os.close(self.pidfd)
            elif self.server is not None and self.server.poll() is None:
                self.server.kill()
            if os.path.isdir(self.spool):
                end_shepherds(self.spool)
                self.end_orphans()
            for process in self.started:
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        finally:
            self.log.close()
            shutil.rmtree(self.dir, ignore_errors=True)


__all__ = ["BUILD", "Broken", "Client", "LIMIT_S", "Life", "PLUGINS", "PROGRAMS", "PyClient", "STATES",
           "catch_signals", "kill_if", "make_directory", "make_id", "offers", "request_file", "shepherd_pids",
           "wait_for"]
