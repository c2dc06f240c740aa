# SPDX-License-Identifier: BSD-2-Clause
"""Commands survive the server: kills, upgrades, a stopped shepherd, a killed one; and aborts end all
that a command has started."""

import errno
import glob
import os
import shutil
import signal
import socket
import time

import cbor2
import wqtest
from client import PyClient
from wqtest import BUILD, LIMIT_S, SANITIZED, Server, until

RUN = 'task-manager "run" {{ plugin = "fork-exec" max-running = {n} options {{ grace = {grace} }} }}'


def conf(n, grace="10s"):
    return RUN.format(n=n, grace=grace)


def shepherd_pids(server):
    """The shepherds of this spool: their command line ends with its path."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if os.path.basename(words[0]) == b"wq-shepherd" and server.spool.encode() in words:
            found.append(int(path.split("/")[2]))
    return found


def shepherd_pid(server):
    pids = until(lambda: shepherd_pids(server), "a shepherd")
    assert len(pids) == 1, pids
    return pids[0]


def tagged(name):
    """Processes that are alive and bear this WQ_TASK or one of this request."""
    found = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        pid = int(path.split("/")[2])
        try:
            with open(path, "rb") as f:
                environ = f.read()
            with open(f"/proc/{pid}/stat") as f:
                state = f.read().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if state not in "ZX" and any(v.startswith(b"WQ_TASK=") and name.encode() in v
                                     for v in environ.split(b"\0")):
            found.append(pid)
    return found


def greet_shepherd(server, major=1):
    """Its answer to a server's hello, which comes when all is read that earlier servers have said."""
    hello = cbor2.dumps({"frame": "hello", "major": major, "linger-ms": 5000}, canonical=True)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(LIMIT_S)
        s.connect(os.path.join(server.spool, ".wq/shepherd.sock"))
        s.sendall(len(hello).to_bytes(4, "big") + hello)
        with s.makefile("rb") as answer:
            size = int.from_bytes(answer.read(4), "big")
            return cbor2.loads(answer.read(size))


def state_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


class AsUser:
    """A client whose calls are made as this user."""

    def __init__(self, client, uid):
        self.client, self.uid = client, uid

    def __getattr__(self, name):
        def call(*args, **kw):
            os.seteuid(self.uid)
            try:
                return getattr(self.client, name)(*args, **kw)
            finally:
                os.seteuid(0)
        return call


class Commands(Server):
    """A server of fork-exec, and shepherds that do not outlive the test.  `uid`: it is that user's,
    who may not make cgroups."""

    def __init__(self, n=4, grace="10s", top="", uid=None, **kw):
        super().__init__(conf(n, grace), top="shepherd-linger = 5s\n" + top, start=False, **kw)
        self.client = PyClient(self.spool)
        wrapper = []
        if uid is not None:
            os.chown(self.dir, uid, uid)
            self.client = AsUser(self.client, uid)
            wrapper = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
        self.start(wrapper)

    def shell(self, text, **members):
        return self.client.enqueue({"shell": text, "dir": self.dir,
                                    "env": {"PATH": os.environ["PATH"]}}, **members)

    def uuid(self):
        with open(os.path.join(self.spool, ".wq/spool")) as f:
            return f.read().split()[-1]

    def result(self, request, timeout_s=60):
        got = self.client.result(request, timeout_s=timeout_s)
        assert got is not None, f"{request} is gone"
        return got

    def running(self):
        return len(self.names("3-running"))

    def __exit__(self, kind, value, tb):
        pids = shepherd_pids(self)
        try:
            super().__exit__(kind, value, tb)
        finally:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGCONT)
                    os.kill(pid, signal.SIGTERM)
                except ProcessLookupError:
                    pass
            for pid in pids:
                until(lambda: state_of(pid) in (None, "Z"), f"the end of shepherd {pid}")


def own_uid():
    """A user that nobody else is: his processes are counted together."""
    if os.getuid() != 0:
        raise wqtest.Skip("root", "a user of its own is needed")
    return 50000 + os.getpid() % 10000


def fifty(server):
    """50 commands that run at once: each notes that it ran, waits for its gate, writes a known text
    and exits with its own code.  (id, code, gate) each."""
    made = []
    for i in range(50):
        gate = os.path.join(server.dir, f"gate{i}")
        os.mkfifo(gate)
        request = server.shell(f"echo ran >>{server.dir}/ran{i}; read x <{gate}; "
                               f"seq {i} 2000; echo bad{i} >&2; exit {i}")
        made.append((request, i, gate))
    until(lambda: server.running() == 50 and all(
        os.path.exists(f"{server.dir}/ran{i}") for i in range(50)), "50 tasks run")
    return made


def open_gate(gate):
    def with_reader():
        try:
            return os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as e:
            if e.errno != errno.ENXIO:
                raise
            return None
    fd = until(with_reader, f"{gate} has its reader")
    os.write(fd, b"go\n")
    os.close(fd)


def check_fifty(server, made):
    for request, i, _ in made:
        head, payload = server.result(request)
        assert (head["status"], head.get("code", 0)) == (("ok", 0) if i == 0 else ("failed", i)), head
        work = payload["work-dir"]
        with open(os.path.join(work, "stdout")) as f:
            assert f.read() == "".join(f"{n}\n" for n in range(i, 2001)), i
        with open(os.path.join(work, "stderr")) as f:
            assert f.read() == f"bad{i}\n"
        with open(f"{server.dir}/ran{i}") as f:
            assert f.read() == "ran\n", f"command {i} did not run exactly once"


def away_and_back(how):
    with Commands(n=50) as server:
        made = fifty(server)
        shepherd = shepherd_pid(server)
        for _, _, gate in made[:10]:
            open_gate(gate)
        if how == signal.SIGKILL:
            server.kill()
        else:
            server.stop(how)
        for _, _, gate in made[10:30]:  # these end while no server is there
            open_gate(gate)
        until(lambda: all(not tagged(r) for r, _, _ in made[:30]), "30 commands have ended")
        server.start()
        for _, _, gate in made[30:]:
            open_gate(gate)
        check_fifty(server, made)
        assert shepherd_pids(server) == [shepherd]
        assert not server.names("3-running") and not server.names(".wq/run")[1:], \
            server.names(".wq/run")


def test_commands_survive_a_killed_server():
    away_and_back(signal.SIGKILL)


def test_commands_survive_a_stopped_server():
    away_and_back(signal.SIGTERM)


def test_a_server_that_stops_does_not_wait_for_commands():
    with Commands(n=1) as server:
        server.configure(conf(1), "shepherd-linger = 5s", drain_limit="1h")
        server.stop()
        server.start()
        request = server.shell("sleep 1000")
        until(lambda: tagged(request), "it runs")
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < 5
        assert tagged(request)
        server.start()
        server.client.abort(request)
        until(lambda: not tagged(request), "the abort after the restart has ended it")
        assert server.client.result(request) is None


def test_an_abort_of_a_running_command_while_no_server_is_there_is_carried_out_by_the_next():
    with Commands(n=1) as server:
        request = server.shell("sleep 1000")
        until(lambda: tagged(request), "it runs")
        server.kill()
        server.client.abort(request)
        server.start()
        until(lambda: not server.names("3-running") and not server.names("5-aborting"), "aborted")
        assert not tagged(request)
        assert server.client.result(request) is None


def test_an_order_in_a_stopped_shepherd_is_carried_out_once():
    with Commands(n=1) as server:
        server.result(server.shell("true"))
        shepherd = shepherd_pid(server)
        os.kill(shepherd, signal.SIGSTOP)
        until(lambda: state_of(shepherd) == "T", "the shepherd is stopped")
        request = server.shell(f"echo ran >>{server.dir}/once")
        until(lambda: server.running() == 1, "it is started, as far as the server knows")
        server.kill()
        server.start()
        os.kill(shepherd, signal.SIGCONT)
        head, _ = server.result(request)
        assert head["status"] == "ok", head
        with open(f"{server.dir}/once") as f:
            assert f.read() == "ran\n"
        # and the next one is not held up
        assert server.result(server.shell("true"))[0]["status"] == "ok"


def test_ends_without_a_server_are_all_delivered():
    """In slices, for a machine has room for some hundred processes at a time."""
    slices, width = (2, 100) if SANITIZED else (20, 500)
    with Commands(n=width, top="keep-finished = 0") as server:
        for k in range(slices):
            gate = os.path.join(server.dir, f"gate{k}")
            os.mkfifo(gate)
            hold = os.open(gate, os.O_RDWR | os.O_NONBLOCK)
            made = {server.client.enqueue({"shell": f"read x <{gate}; exit {i % 200}", "env": {}}): i
                    for i in range(width)}
            until(lambda: len(server.names(".wq/run")) > width - 2, "they run")
            # Some orders are still on their way; one may not have left the server, and is given
            # again.
            server.kill()
            os.write(hold, b"\n" * 2 * width)
            greet_shepherd(server)
            assert len(server.names(".wq/run")) >= width, "at most one has not begun"
            until(lambda: not tagged(server.uuid()), "all that have begun have ended")
            server.start()
            for request, i in made.items():
                head, _ = server.result(request)
                assert head.get("code", 0) == i % 200, (k, i, head)
            os.close(hold)
        assert len(shepherd_pids(server)) == 1


TREE = r"""
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def daemon(env):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve("/bin/sh", ["sh", "-c", "trap '' TERM; echo $$ >>%s; while :; do sleep 1; done"], env)
        os._exit(0)
    os.wait()
daemon(dict(os.environ))
daemon(dict(os.environ))
if len(sys.argv) > 1:
    daemon({"PATH": os.environ["PATH"]})
open("%s.up", "w").close()
while True:
    time.sleep(1)
"""


def stubborn(server, name, clean=False):
    """A command that ignores TERM and has started daemons in sessions of their own that do so too."""
    pids = os.path.join(server.dir, name)
    script = os.path.join(server.dir, name + ".py")
    with open(script, "w") as f:
        f.write(TREE % (pids, pids))
    request = server.client.enqueue({"argv": ["/usr/bin/python3", script, *(["x"] if clean else [])],
                                     "dir": server.dir, "env": {"PATH": os.environ["PATH"]}})
    want = 3 if clean else 2

    def started():
        try:
            with open(pids) as f:
                return len(f.read().split()) == want and os.path.exists(pids + ".up")
        except FileNotFoundError:
            return False
    until(started, "the daemons run")
    with open(pids) as f:
        return request, [int(p) for p in f.read().split()]


def containment(server):
    return until(lambda: server.status()["server"].get("containment"), "the shepherd is up")


def abort_daemons(uid=None):
    with Commands(n=3, grace="1s", uid=uid) as server:
        how = containment(server)
        assert uid is None or how == "best effort", how
        made = [stubborn(server, f"tree{i}", clean=how == "cgroup") for i in range(3)]
        waiting = [server.shell("sleep 1000") for _ in range(4)]
        for request, _ in made:
            server.client.abort(request)
        until(lambda: not any(r in server.names("3-running") for r, _ in made), "all aborted")
        for request, pids in made:
            assert not tagged(request)
            left = [p for p in pids if state_of(p) not in (None, "Z")]
            assert not left, left
        # exactly max-running start now, and one more waits
        until(lambda: server.running() == 3 and all(
            len(tagged(r)) >= 1 for r in server.names("3-running")), "three more run")
        assert server.names("3-running") == sorted(waiting[:3])
        assert server.where(waiting[3]) == "2-pending"
        for request in waiting:
            server.client.abort(request)
        until(lambda: server.running() == 0, "none runs")


def test_an_abort_ends_daemons_and_frees_the_slots_only_then():
    abort_daemons()


def test_without_a_cgroup_an_abort_ends_what_keeps_its_environment():
    abort_daemons(own_uid())


def test_what_a_command_leaves_behind_is_ended_before_its_slot_is_free():
    with Commands(n=1, grace="1s") as server:
        containment(server)
        pids = os.path.join(server.dir, "left")
        request = server.shell(f"setsid sh -c 'trap \"\" TERM; echo $$ >{pids}; "
                               f"while :; do sleep 1; done' & "
                               f"until [ -s {pids} ]; do sleep 0.01; done; exit 3")
        head, payload = server.result(request)
        assert head["code"] == 3 and payload["rest"] >= 1, (head, payload)
        with open(pids) as f:
            assert state_of(int(f.read())) in (None, "Z")


def test_an_abort_that_races_with_the_end_has_one_outcome():
    with Commands(n=8) as server:
        gone = there = 0
        for i in range(40 if SANITIZED else 200):
            request = server.shell("true")
            if i % 3:
                until(lambda: server.where(request) in ("3-running", "4-complete"), "it began")
            server.client.abort(request)
            until(lambda: not server.names("5-aborting"), "the abort was carried out")
            if server.client.result(request) is None:
                gone += 1
            else:
                there += 1
        assert there == 0 and gone > 0, (gone, there)
        assert all(not server.names(s) for s in wqtest.STATES)
        until(lambda: not os.listdir(os.path.join(server.spool, "work")), "no work directory stays")


def test_a_killed_shepherd_loses_its_tasks_but_leaves_none_running():
    with Commands(n=4, grace="1s") as server:
        made = [server.shell(f"echo ran >>{server.dir}/r{i}; sleep 1000") for i in range(3)]
        until(lambda: all(os.path.exists(f"{server.dir}/r{i}") for i in range(3)), "they run")
        shepherd = shepherd_pid(server)
        os.kill(shepherd, signal.SIGKILL)
        for i, request in enumerate(made):
            head, _ = server.result(request)
            assert head["status"] == "lost", head
            assert not tagged(request), "reported as lost while it runs"
            with open(f"{server.dir}/r{i}") as f:
                assert f.read() == "ran\n"
        assert shepherd_pid(server) != shepherd
        assert server.result(server.shell("true"))[0]["status"] == "ok"


def test_a_shepherd_killed_while_no_server_runs():
    with Commands(n=2, grace="1s") as server:
        request = server.shell(f"echo ran >>{server.dir}/r; sleep 1000")
        until(lambda: os.path.exists(f"{server.dir}/r"), "it runs")
        shepherd = shepherd_pid(server)
        server.kill()
        os.kill(shepherd, signal.SIGKILL)
        until(lambda: state_of(shepherd) in (None, "Z"), "the shepherd is gone")
        assert tagged(request)
        server.start()
        head, _ = server.result(request)
        assert head["status"] == "lost" and not tagged(request), head
        with open(f"{server.dir}/r") as f:
            assert f.read() == "ran\n"


def test_a_request_whose_start_was_cut_short_is_started_again():
    """It stands in 3-running, and no record says that anything was begun."""
    with Commands(n=1) as server:
        server.result(server.shell("true"))  # the shepherd has been there since the machine started
        server.kill()
        request = server.shell(f"echo ran >>{server.dir}/r")
        os.rename(server.client.path("1-requested", request),
                  server.client.path("3-running", request))
        server.start()
        assert server.result(request)[0]["status"] == "ok"
        with open(f"{server.dir}/r") as f:
            assert f.read() == "ran\n"


def test_after_a_new_start_of_the_machine_nothing_is_run_again_by_guess():
    with Commands(n=1) as server:
        server.result(server.shell("true"))
        server.stop()
        until(lambda: not shepherd_pids(server), "the shepherd has gone")
        boot = os.path.join(server.spool, ".wq/run/boot")
        with open(boot) as f:
            text = f.read()
        with open(boot, "w") as f:
            f.write(text.replace(text[:8], "00000000"))
        request = server.shell(f"echo ran >>{server.dir}/r")
        os.rename(server.client.path("1-requested", request),
                  server.client.path("3-running", request))
        server.start()
        head, _ = server.result(request)
        assert head["status"] == "lost" and not os.path.exists(f"{server.dir}/r"), head


def other_server(server, program):
    """The same spool and configuration, another wq-server."""
    kept, wqtest.SERVER = wqtest.SERVER, program
    try:
        server.start()
    finally:
        wqtest.SERVER = kept


def test_commands_survive_an_upgrade_of_the_server():
    later = os.path.join(BUILD, "later", "bin", "wq-server")
    with Commands(n=50) as server:
        made = fifty(server)
        for _, _, gate in made[:10]:
            open_gate(gate)
        server.stop()
        for _, _, gate in made[10:30]:
            open_gate(gate)
        other_server(server, later)
        assert server.status()["server"]["version"] == "9.9.9"
        for _, _, gate in made[30:]:
            open_gate(gate)
        check_fifty(server, made)
        assert server.result(server.shell("exit 7"))[0]["code"] == 7


def test_what_cannot_be_run_says_which_and_why():
    with Commands(n=4) as server:
        d = server.dir
        for name, text, mode in (("plain", "echo hi\n", 0o755), ("secret", "#!/bin/sh\n", 0o644),
                                 ("script", "#!/no/such/interpreter\n", 0o755),
                                 ("noise", "\x7fXYZ\0\1\2", 0o755)):
            with open(os.path.join(d, name), "w") as f:
                f.write(text)
            os.chmod(os.path.join(d, name), mode)
        env = {"PATH": os.environ["PATH"]}
        for argv, extra, error, code, words in (
                (["no-such-program"], {}, "not-found", 127, ["no-such-program"]),
                ([f"{d}/nowhere"], {}, "not-found", 127, [f"{d}/nowhere"]),
                ([f"{d}/secret"], {}, "no-permission", 126, [f"{d}/secret"]),
                ([d], {}, "no-permission", 126, [d]),
                ([f"{d}/script"], {}, "bad-interpreter", 126,
                 [f"{d}/script", "/no/such/interpreter"]),
                ([f"{d}/noise"], {}, "bad-format", 126, [f"{d}/noise"]),
                (["true", "x" * 200000], {}, "too-large", 126, ["true"]),
                (["true"], {"dir": f"{d}/no/dir"}, "no-directory", 127, [f"{d}/no/dir"])):
            request = server.client.enqueue({"argv": argv, "env": env, "dir": d, **extra})
            head, _ = server.result(request)
            assert (head["status"], head["error"]) == ("failed", error), head
            assert head["code"] == code, head
            for word in words:
                assert word in head["text"], head


def test_a_gibibyte_of_output_stays_within_its_limit():
    size = (1 << 26) if SANITIZED else (1 << 30)
    with Commands(n=2) as server:
        big = server.client.enqueue({"argv": ["head", "-c", str(size), "/dev/zero"],
                                     "env": {"PATH": os.environ["PATH"]}})
        until(lambda: server.where(big) != "2-pending", "it runs")
        for _ in range(5):  # others are served meanwhile
            assert server.result(server.shell("echo hi"), timeout_s=10)[0]["status"] == "ok"
        head, payload = server.result(big)
        assert head["status"] == "ok", head
        out = payload["stdout"]
        assert out["bytes"] == size and out["truncated"] is True, out
        assert out["kept"] == 16 << 20 == os.path.getsize(os.path.join(payload["work-dir"], "stdout"))


# All of it forks, again and again, and ignores SIGTERM.
BOMB = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.001)
"""


def test_a_fork_bomb_stays_inside_its_limits():
    uid = own_uid()
    with Commands(n=2, grace="1s", uid=uid) as server:
        bomb = server.client.enqueue({"argv": ["/usr/bin/python3", "-c", BOMB], "env": {},
                                      "dir": "/", "limits": {"processes": 60}})

        def alive():
            found = set()
            for path in glob.glob("/proc/[0-9]*"):
                try:
                    if os.stat(path).st_uid == uid:
                        found.add(path)
                except OSError:
                    pass
            return found

        def count():  # what is in both was there between them, all at the same time
            return len(alive() & alive())
        until(lambda: count() > 20, "it multiplies")
        most = max(count() for _ in range(50))
        assert most <= 60 + 4, most
        server.client.abort(bomb)
        until(lambda: not server.names("5-aborting"), "the abort is carried out")
        until(lambda: count() <= 3, "all of it is gone")


def test_a_run_limit_ends_a_command():
    with Commands(n=2, grace="1s") as server:
        request = server.shell("sleep 1000", run_limit_ns=300_000_000)
        head, _ = server.result(request)
        assert (head["status"], head["error"]) == ("killed", "run-limit"), head
        assert 0.3 <= head["running-ns"] / 1e9 < 20, head
        assert not tagged(request)


def test_a_run_limit_goes_on_counting_over_a_restart():
    with Commands(n=2, grace="1s") as server:
        request = server.shell("sleep 1000", run_limit_ns=3_000_000_000)
        until(lambda: tagged(request), "it runs")
        server.kill()
        server.start()
        begin = time.monotonic()
        head, _ = server.result(request)
        assert (head["status"], head["error"]) == ("killed", "run-limit"), head
        assert time.monotonic() - begin < 30 and not tagged(request)


def cgroups(server):
    found = []
    for line in open("/proc/self/mountinfo"):
        words = line.split()
        if words[words.index("-") + 1] == "cgroup2":
            for at, dirs, _ in os.walk(words[4]):
                found += [os.path.join(at, d) for d in dirs if server.uuid() in d]
    return found


def test_ten_thousand_commands_leave_nothing_behind():
    n = 1000 if SANITIZED else 10000
    with Commands(n=4, top="keep-finished = 10") as server:
        server.result(server.shell("true"))
        shepherd = shepherd_pid(server)

        def descriptors():
            return [sorted(os.readlink(f"/proc/{p}/fd/{fd}").split(":")[0]
                           for fd in os.listdir(f"/proc/{p}/fd"))
                    for p in (shepherd, server.process.pid)]
        before, groups = descriptors(), cgroups(server)
        made = [server.client.enqueue({"argv": ["/bin/true"], "env": {}}) for _ in range(n)]
        for request in made:
            assert server.result(request, timeout_s=600)[0]["status"] == "ok"
        until(lambda: not server.names(".wq/run")[1:], "all are acknowledged")
        with open(f"/proc/{shepherd}/task/{shepherd}/children") as f:
            assert f.read().split() == []
        after = descriptors()
        assert after == before, (before, after)
        assert cgroups(server) == groups, cgroups(server)
        server.stop()
        until(lambda: not shepherd_pids(server), "a shepherd with nothing left goes with its server")
        assert cgroups(server) == []


def test_a_shepherd_makes_way_for_a_server_of_another_major():
    """What has ended by then is lost, for no server has heard of it, and does not run again."""
    with Commands(n=1) as server:
        gate = os.path.join(server.dir, "gate")
        os.mkfifo(gate)
        request = server.shell(f"echo ran >>{server.dir}/r; read x <{gate}")
        until(lambda: os.path.exists(f"{server.dir}/r"), "it runs")
        shepherd = shepherd_pid(server)
        server.kill()
        for _ in range(2):
            assert greet_shepherd(server, major=2)["major"] == 1
            assert tagged(request) and shepherd_pids(server) == [shepherd]
        open_gate(gate)
        until(lambda: not shepherd_pids(server), "the shepherd has gone")
        server.start()
        head, _ = server.result(request)
        assert head["status"] == "lost", head
        with open(f"{server.dir}/r") as f:
            assert f.read() == "ran\n"
        assert server.result(server.shell("true"))[0]["status"] == "ok"


def test_what_is_left_alone_may_go_on_writing():
    with Commands(n=1) as server:
        server.configure('task-manager "run" { plugin = "fork-exec" '
                         'options { leave-rest = "true" } }', "shepherd-linger = 1s")
        server.stop()
        server.start()
        gate = os.path.join(server.dir, "gate")
        os.mkfifo(gate)
        request = server.shell(f"echo out; {{ read x <{gate}; echo more; echo more; "
                               f"echo wrote >{server.dir}/wrote; }} & exit 0")
        head, payload = server.result(request)
        assert head["status"] == "ok" and payload["stdout"]["bytes"] == 4, (head, payload)
        shepherd = shepherd_pid(server)
        server.stop()
        assert shepherd_pids(server) == [shepherd]
        open_gate(gate)
        until(lambda: os.path.exists(f"{server.dir}/wrote"), "it lives after it has written")
        until(lambda: not shepherd_pids(server), "the shepherd goes when nobody writes to it")


def test_a_shepherd_whose_spool_was_removed_ends_its_commands_and_goes():
    with Commands(n=1) as server:
        request = server.shell("sleep 1000")
        until(lambda: tagged(request), "it runs")
        server.kill()
        shutil.rmtree(server.spool)
        until(lambda: not tagged(request), "nobody can end it any more, so the shepherd does")
        until(lambda: not shepherd_pids(server), "the shepherd has gone")


if __name__ == "__main__":
    wqtest.main(globals())
