# SPDX-License-Identifier: BSD-2-Clause
"""What the system tests share: a server in a directory of its own, its wq, and a plain TAP runner.

Safety intervals are an hour here: a test that needs them has found a missed wake-up.
"""

import errno
import faulthandler
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

BUILD = os.environ["WQ_BUILD"]
VARIANT = os.environ.get("WQ_VARIANT", "release")
SANITIZED = VARIANT in ("asan", "tsan")
WQ = os.path.join(BUILD, "bin", "wq")
SERVER = os.path.join(BUILD, "bin", "wq-server")
PLUGINS = os.path.join(BUILD, "plugins")
LIMIT_S = 60  # no wait of a test is longer; a test that reaches it has failed
TEST_LIMIT_S = 180  # nor a whole test: one that hangs must not hold the suite
CLEAN_UP_LIMIT_S = 30  # what its clean-up gets after that

STATES = ("1-requested", "2-pending", "3-running", "4-complete", "5-aborting")


def until(condition, what, limit_s=LIMIT_S):
    """Wait for a condition that has no event to wait for; its value."""
    end = time.monotonic() + limit_s
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def state_of(pid):
    """The letter of proc(5), `Z` of a zombie; None of what is gone."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


def shepherd_pids(spool):
    """The shepherds of this spool: their command line ends with its path."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if os.path.basename(words[0]) == b"wq-shepherd" and spool.encode() in words:
            found.append(int(path.split("/")[2]))
    return found


def hangs_in_leak_check(pid):
    """The leak check at the end of a sanitized program stops its threads through /proc/PID/task, and was
    seen to do so for ever.  Nothing of the program runs any more then."""
    try:
        return SANITIZED and any(os.readlink(f"/proc/{pid}/fd/{fd}") == f"/proc/{pid}/task"
                                 for fd in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False


def end_shepherds(spool):
    """End the shepherds of this spool, one that is stopped too, and their commands with them."""
    told = set()
    patience = time.monotonic() + 20

    def ended():
        pids = set(shepherd_pids(spool))
        for pid in pids:
            if time.monotonic() > patience and hangs_in_leak_check(pid):
                print(f"# the leak check of {pid} hangs", flush=True)
                os.kill(pid, signal.SIGKILL)
        for pid in pids - told:
            for signo in (signal.SIGTERM, signal.SIGCONT):
                try:
                    os.kill(pid, signo)
                except ProcessLookupError:
                    pass
        told.update(pids)
        return not pids
    until(ended, f"the end of the shepherds of {spool}")


def open_gate(path, text="go\n"):
    """Let a command go on that reads this FIFO, or is about to."""
    def with_reader():
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as e:
            if e.errno != errno.ENXIO:
                raise
            return None
    fd = until(with_reader, f"{path} has its reader")
    os.write(fd, text.encode())
    os.close(fd)


class Program(subprocess.Popen):
    """A program beside the test.  A `with` that fails kills it instead of waiting for its end."""

    def __exit__(self, kind, value, tb):
        if kind is not None:
            self.kill()
        super().__exit__(kind, value, tb)

    def rest(self):
        """What it still says, (standard output, standard error), once it has ended: little enough
        for a pipe."""
        self.wait(LIMIT_S)
        return self.stdout.read(), self.stderr.read()


class Skip(Exception):
    """This machine cannot show it: `Skip("PROBE", why)`, a probe of tests/run that failed here."""


class Server:
    """wq-server on a fresh spool, stopped at the end of a `with`."""

    def __init__(self, task_managers, top="", start=True, env=None):
        self.dir = tempfile.mkdtemp(prefix="wq-system.")
        self.spool = os.path.join(self.dir, "spool")
        self.conf = os.path.join(self.dir, "wq.conf")
        self.log_path = os.path.join(self.dir, "log")
        self.env = dict(os.environ, WQ_SPOOL=self.spool, **(env or {}))
        self.process = None
        self.configure(task_managers, top)
        if start:
            self.start()

    def configure(self, task_managers, top="", drain_limit="0s"):
        with open(self.conf, "w") as f:
            f.write(f'spool = "{self.spool}"\nplugin-path = "{PLUGINS}"\n'
                    f"safety-interval = 1h\nheartbeat-interval = 1h\n"
                    f"drain-limit = {drain_limit}\n{top}\n{task_managers}\n")

    def use_spool(self, path):
        """Before configure: a spool of the test's own."""
        self.spool = path
        self.env["WQ_SPOOL"] = path

    def start(self, wrapper=()):
        read, write = os.pipe()
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [*wrapper, SERVER, "-c", self.conf, f"--ready-fd={write}"],
            stderr=self.log, stdin=subprocess.DEVNULL, pass_fds=[write], env=self.env)
        os.close(write)
        try:
            with os.fdopen(read) as ready:
                if not ready.readline():
                    raise AssertionError("the server did not start:\n" + self.log_text())
        except BaseException:  # there may be no `with` yet
            self.end()
            raise
        return self

    def stop(self, how=signal.SIGTERM, expect=0):
        if self.process is None:
            return
        self.process.send_signal(how)
        self.join(expect)

    def join(self, expect=0):
        """Wait for the end of a server that was told to end."""
        code = self.process.wait(LIMIT_S)
        self.process = None
        self.log.close()
        if expect is not None and code != expect:
            raise AssertionError(f"the server ended with {code}:\n" + self.log_text())

    def kill(self):
        self.stop(signal.SIGKILL, expect=-signal.SIGKILL)

    def end(self):
        """Whatever state it is in, nothing of it goes on."""
        if self.process is not None:
            self.process.kill()
            self.join(expect=None)
        end_shepherds(self.spool)

    def log_text(self):
        try:
            with open(self.log_path, errors="replace") as f:
                return f.read()
        except FileNotFoundError:  # it was never started
            return ""

    def wq(self, *args, input=None, expect=0):
        """Run wq; its standard output.  `expect` None: any exit status, then (code, out, err)."""
        done = subprocess.run([WQ, *args], input=input, capture_output=True, text=True,
                              env=self.env, timeout=LIMIT_S)
        if expect is None:
            return done.returncode, done.stdout, done.stderr
        if done.returncode != expect:
            raise AssertionError(f"wq {' '.join(args)}: exit {done.returncode}, not {expect}\n"
                                 f"{done.stdout}{done.stderr}\n{self.log_text()[-4000:]}")
        return done.stdout

    def enqueue(self, *args, **kw):
        return self.wq("enqueue", *args, **kw).strip()

    def status(self):
        return json.loads(self.wq("status", "--json"))

    def metric(self, name, **labels):
        for m in json.loads(self.wq("metrics", "--json")):
            for s in m["samples"]:
                if m["name"] + s.get("suffix", "") == name and s["labels"] == labels:
                    return s["value"]
        raise AssertionError(f"no metric {name} {labels}")

    def names(self, state):
        return sorted(os.listdir(os.path.join(self.spool, state)))

    def where(self, request):
        for state in STATES[:4]:
            if os.path.lexists(os.path.join(self.spool, state, request)):
                return state
        return None

    def begun(self, request):
        """It stands in 3, and its task has begun, which is a sync later."""
        return self.where(request) == "3-running" and f"{request}: started by" in self.log_text()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, tb):
        try:
            if kind is None:
                self.stop()
        finally:
            try:
                self.end()
            finally:
                if kind is not None:
                    sys.stdout.write("# log of the server:\n" + self.log_text()[-4000:] + "\n")
                shutil.rmtree(self.dir, ignore_errors=True)


def tree(root):
    """All that is below a directory: name, mode, size, inode and last change."""
    seen = []
    for at, directories, files in os.walk(root):
        for name in directories + files:
            path = os.path.join(at, name)
            st = os.lstat(path)
            seen.append((path, st.st_mode, st.st_size, st.st_ino, st.st_mtime_ns))
    return sorted(seen)


class Scripted:
    """The `scripted` plugin's directory: capacity and ends are what the test says."""

    def __init__(self, server_dir, name="scripted"):
        self.dir = os.path.join(server_dir, name)
        os.makedirs(os.path.join(self.dir, "done"))
        self.log_path = os.path.join(self.dir, "log")

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path + ".new", "w") as f:
            f.write(f"{text}\n")
        os.rename(path + ".new", path)

    def capacity(self, n):
        self.write("capacity", n)

    def finish(self, request, text="ok"):
        self.write(f"done/{request}", text)

    def events(self, kind=None):
        try:
            with open(self.log_path) as f:
                lines = [line.split() for line in f]
        except FileNotFoundError:
            return []
        return [tuple(x[:2]) for x in lines if kind is None or x[0] == kind]

    def started(self):
        return [x[1] for x in self.events("start")]


def out_of_time(_signal, _frame):
    raise AssertionError(f"the test did not end within {TEST_LIMIT_S} s")


def told_to_end(_signal, _frame):
    """By timeout(1), with all others of its process group: what was started must go with us."""
    signal.setitimer(signal.ITIMER_REAL, 0)  # who says TERM, says KILL if it takes too long
    signal.signal(signal.SIGTERM, lambda *_: None)  # it is said twice to timeout's own child
    raise SystemExit(128 + signal.SIGTERM)


def catch_signals():
    signal.signal(signal.SIGALRM, out_of_time)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's is ignored
    signal.signal(signal.SIGTERM, told_to_end)
    # It tells where we were, even in a call of C that does not return.
    faulthandler.register(signal.SIGTERM, all_threads=False, chain=True)


def main(tests):
    """Run the tests of a module: `ok NAME` or `not ok NAME` a line."""
    only = sys.argv[1:]
    failed = 0
    catch_signals()
    for name, test in list(tests.items()):
        if not name.startswith("test_") or (only and name not in only):
            continue
        begin = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, TEST_LIMIT_S, CLEAN_UP_LIMIT_S)
        try:
            test()
            print(f"ok {name[5:]} ({time.monotonic() - begin:.2f} s)", flush=True)
        except Skip as e:
            print(f"ok {name[5:]} # SKIP {e.args[0]}: {e.args[1]}", flush=True)
        except SystemExit:
            print(f"not ok {name[5:]} (told to end)", flush=True)
            raise
        except Exception:
            failed += 1
            print(f"not ok {name[5:]}\n{traceback.format_exc()}", flush=True)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    sys.exit(failed > 0)
