# SPDX-License-Identifier: BSD-2-Clause
"""What wq-server(8) and wq.conf(5) promise about the program: its life from start to drain, its
options, its configuration, and what it says of plugins that misbehave."""

import ctypes
import fcntl
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import cbor2

import wqtest
from client import PyClient, request_file
from wqtest import LIMIT_S, PLUGINS, SANITIZED, SERVER, WQ, Program, Scripted, Server, tree, until

F_OFD_SETLK = 37  # <fcntl.h>
NULL = 'task-manager "null" { plugin = "null" }'
POOL = 'task-manager "pool" { plugin = "thread-pool" max-running = 4 options { threads = 4 } }'


def scripted(options="wakes = true", max_running=100, top="", drain_limit="1h", start=True):
    server = Server("", start=False)
    play = Scripted(server.dir)
    server.configure(f'task-manager "play" {{ plugin = "scripted" max-running = {max_running}\n'
                     f'options {{ dir = "{play.dir}" {options} }} }}', top, drain_limit)
    return (server.start() if start else server), play


def running(server, request):
    until(lambda: server.begun(request), f"{request} running")


def descriptors(pid):
    """What its descriptors are; it may end meanwhile."""
    try:
        where = f"/proc/{pid}/fd"
        return [os.readlink(os.path.join(where, fd)) for fd in os.listdir(where)]
    except FileNotFoundError:
        return []


def said(server, text):
    until(lambda: text in server.log_text(), f"the log says {text!r}")


def run(*args, **kw):
    """A program to its end, its output as text."""
    return subprocess.run([str(a) for a in args], capture_output=True, text=True,
                          timeout=LIMIT_S, stdin=subprocess.DEVNULL, **kw)


class Directory:
    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="wq-system.")
        return self

    def __exit__(self, *args):
        shutil.rmtree(self.path, ignore_errors=True)

    def write(self, name, text):
        path = os.path.join(self.path, name)
        with open(path, "w" if isinstance(text, str) else "wb") as f:
            f.write(text)
        return path

    def config(self, text, spool=None, name="wq.conf"):
        spool = spool or os.path.join(self.path, "spool")
        return self.write(name, f'spool = "{spool}"\nplugin-path = "{PLUGINS}"\n{text}\n')


# ---- ending --------------------------------------------------------------------------------------


def test_sigterm_drains_and_the_rest_waits_for_the_next_start():
    server, play = scripted(max_running=1)
    with server:
        play.capacity(1)
        first, second = server.enqueue("n=1"), server.enqueue("n=2")
        running(server, first)
        server.process.send_signal(signal.SIGTERM)
        said(server, "draining")
        third = server.enqueue("n=3")  # a client knows nothing of it
        play.finish(first)
        server.join()
        assert play.started() == [first]
        assert server.where(first) == "4-complete"
        assert server.where(second) == "2-pending"
        assert server.where(third) in ("1-requested", "2-pending")
        server.wq("wait", first)
        code, out, _ = server.wq("status", "--json", expect=None)
        status = json.loads(out)
        assert code == 1 and status["server"] is None and "pid" not in status["page"], status
        assert status["page"]["depth"] == 2, status
        server.start()
        until(lambda: play.started() == [first, second], "the second started")
        play.finish("all")
        server.wq("wait", second, third)
        assert play.started() == [first, second, third]


def test_each_of_the_three_signals_drains():
    for signo in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        server, play = scripted()
        with server:
            play.capacity(1)
            request = server.enqueue("n=1")
            running(server, request)
            server.process.send_signal(signo)
            said(server, "draining")
            play.finish(request)
            server.join()
            assert server.where(request) == "4-complete"


def test_an_abort_during_the_drain_ends_the_last_task():
    server, play = scripted()
    with server:
        play.capacity(1)
        request = server.enqueue("n=1")
        running(server, request)
        server.process.send_signal(signal.SIGTERM)
        said(server, "draining")
        server.wq("abort", request)
        server.join()
        assert server.where(request) is None and server.names("5-aborting") == []


def test_the_drain_limit_ends_tasks_that_cooperate():
    server = Server("", start=False)
    server.configure(POOL, drain_limit="50ms")
    with server.start():
        request = server.enqueue("handler=sleep", "seconds=1000")
        running(server, request)
        until(lambda: server.status()["server"]["n-running"] == 1, "running")
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.join()
        assert 0.05 <= time.monotonic() - begin < (20 if SANITIZED else 2)
        code, out, _ = server.wq("wait", "--json", request, expect=None)
        result = json.loads(out)
        assert code == 124 and result["status"] == "killed" and result["error"] == "shutdown", out


def test_a_task_that_does_not_end_is_left_and_lost_at_the_next_start():
    server, play = scripted("wakes = true slow-terminate = true", drain_limit="50ms")
    with server:
        play.capacity(1)
        request = server.enqueue("n=1", "-l", "stubborn")
        running(server, request)
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.join()
        assert 2 <= time.monotonic() - begin < 10
        assert ("terminate", request) in play.events()
        assert server.where(request) == "3-running"
        server.start()
        code, out, _ = server.wq("wait", "--json", request, expect=None)
        result = json.loads(out)
        assert code == 122 and result["status"] == "lost" and result["error"] == "server-restart"
        assert result["label"] == "stubborn" and result["task-manager"] == "play", result
        assert play.started() == [request]


def test_a_second_signal_stops_at_once():
    server, play = scripted("wakes = true slow-terminate = true")
    with server:
        play.capacity(1)
        request = server.enqueue("n=1")
        running(server, request)
        server.process.send_signal(signal.SIGTERM)
        said(server, "draining")
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.join()
        assert time.monotonic() - begin < 1.5
        assert server.where(request) == "3-running"
        code, out, _ = server.wq("status", "--json", expect=None)
        assert code == 1 and "pid" not in json.loads(out)["page"], out
        server.start()
        server.wq("wait", request, expect=122)


# ---- readiness -----------------------------------------------------------------------------------


def notified(address):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.settimeout(LIMIT_S)
    listener.bind(address(os.getpid()))
    shown = address(os.getpid())
    shown = shown.replace("\0", "@") if shown[0] == "\0" else shown
    server = Server(NULL, start=False, env={"NOTIFY_SOCKET": shown})
    with server.start():
        assert b"READY=1" in listener.recv(4096).splitlines()
        server.stop()
        assert b"STOPPING=1" in listener.recv(4096).splitlines()
    listener.close()


def test_readiness_and_end_are_notified_to_a_path():
    with Directory() as d:
        notified(lambda _: os.path.join(d.path, "notify"))


def test_readiness_and_end_are_notified_to_an_abstract_name():
    notified(lambda pid: f"\0wq-system-{pid}")


def test_ready_fd_gets_a_line_and_is_closed_when_requests_are_served():
    with Directory() as d:
        read, write = os.pipe()
        with open(os.path.join(d.path, "log"), "w") as log, Program(
                [SERVER, "-c", d.config(NULL), f"--ready-fd={write}"], pass_fds=[write], stderr=log,
                stdin=subprocess.DEVNULL) as server:
            os.close(write)
            with os.fdopen(read, "rb") as ready:
                line = ready.read()  # to its end, while the server runs
            assert line.endswith(b"\n") and line.count(b"\n") == 1, line
            assert server.poll() is None
            assert run(WQ, "-S", os.path.join(d.path, "spool"), "status").returncode == 0
            server.terminate()
            assert server.wait(LIMIT_S) == 0


# ---- options of the program ----------------------------------------------------------------------


def test_check_finds_nothing_and_touches_nothing():
    with Directory() as d:
        conf = d.config(NULL + POOL + '\ndefault-task-manager = "null"')
        before = tree(d.path)
        done = run(SERVER, "-c", conf, "--check")
        assert done.returncode == 0 and done.stderr == "", done
        assert tree(d.path) == before
        # One that is there and served is not touched either.
        server = Server(NULL)
        with server:
            before = tree(server.spool)
            assert run(SERVER, "-c", server.conf, "--check").returncode == 0
            assert tree(server.spool) == before


def test_check_tells_all_problems_at_once():
    with Directory() as d:
        conf = d.config("""spol = "/x"
log-level = loud
drain-limit = 5
request-limit = 1G
default-task-manager = "d"
task-manager "a" {
    plugin = "thread-pool"
    max-running = 0
    options { thread = 4 threads = many }
}
task-manager "b" { plugin = "nosuch" }
task-manager "c" { plugin = "scripted" }
task-manager "d" { plugin = "faulty" options { fault = "nonsense" } }
task-manager "Bad" { plugin = "null" }
""")
        before = tree(d.path)
        done = run(SERVER, "-c", conf, "--check")
        assert done.returncode == 2 and done.stdout == "", done
        assert tree(d.path) == before
        lines = done.stderr.splitlines()
        for wanted in (r"wq.conf:3: spol = '/x': .*did you mean 'spool'\?",
                       r"wq.conf:4: log-level = 'loud': ", r"wq.conf:5: drain-limit = '5': ",
                       r"wq.conf:6: request-limit = '1G': ",
                       r"wq.conf:\d+: task-manager 'a': max-running = '0': must be a number of 1",
                       r"wq.conf:\d+: task-manager 'a' options: thread = '4': unknown key; "
                       r"did you mean 'threads'\?",
                       r"wq.conf:\d+: task-manager 'a' options: threads = 'many': ",
                       r"wq.conf:\d+: task-manager 'b': plugin = 'nosuch': ",
                       r"wq.conf:\d+: task-manager 'c' options: dir: is required",
                       r"wq.conf:\d+: task-manager 'd' options: fault = 'nonsense': ",
                       r"wq.conf:\d+: task-manager.*Bad"):
            assert len([l for l in lines if re.search(wanted, l)]) == 1, (wanted, done.stderr)
        assert len(lines) == 11, done.stderr


def test_check_lets_plugins_judge_beside_all_else():
    """What only a plugin's own code can know is told with the rest, not after it is mended."""
    with Directory() as d:
        judged = ('task-manager "a" { plugin = "faulty" options { fault = "create-fails" } }\n'
                  'task-manager "b" { plugin = "thread-pool" options { handler = "nosuch" } }\n'
                  'default-task-manager = "a"\n')
        done = run(SERVER, "-c", d.config(judged), "--check")
        assert done.returncode == 2, done
        for wanted in ("create fails because it was told to", "no handler 'nosuch'"):
            assert wanted in done.stderr, done
        done = run(SERVER, "-c", d.config(judged + "log-level = loud"), "--check")
        assert done.returncode == 2 and "loud" in done.stderr, done
        for wanted in ("create fails because it was told to", "no handler 'nosuch'"):
            assert wanted in done.stderr, done


def test_a_wrong_configuration_is_not_run():
    with Directory() as d:
        done = run(SERVER, "-c", d.config("nonsense = 1\n" + NULL))
        assert done.returncode == 2 and "nonsense" in done.stderr, done
        assert not os.path.exists(os.path.join(d.path, "spool"))
        done = run(SERVER, "-c", os.path.join(d.path, "absent.conf"))
        assert done.returncode == 2 and "absent.conf" in done.stderr, done


def test_print_config_is_read_again_as_the_same():
    with Directory() as d:
        spool = os.path.join(d.path, "sp \"o\\o'l #${HOME}")
        conf = d.write("wq.conf", "spool = '" + spool.replace("\\", "\\\\").replace("'", "\\'") +
                       f"""'
plugin-path = '{PLUGINS}, /a b'
default-task-manager = b
heartbeat-interval = 1.5h
sample-interval = 250ms
drain-limit = 0s
request-limit = 3K
log-level = debug
task-manager "b" {{ plugin = thread-pool max-running = 7 options {{ threads = 3 handler = echo }} }}
task-manager "a" {{ plugin = scripted options {{ dir = 'x"y\\nz' }} }}
""")
        first = run(SERVER, "-c", conf, "--print-config")
        assert first.returncode == 0 and first.stderr == "", first
        assert "***" not in first.stdout
        again = run(SERVER, "-c", d.write("again.conf", first.stdout), "--print-config")
        assert again.returncode == 0 and again.stdout == first.stdout, again
        for wanted in ("safety-interval = 1m", "on-start = \"recover\"", "max-running = 7",
                       "max-running = 1\n", "threads = \"3\""):
            assert wanted in first.stdout, (wanted, first.stdout)
        # What a program reads from it is what was meant.
        found = run(WQ, "list", env=dict(os.environ, WQ_CONFIG=conf, WQ_SPOOL=""))
        assert found.returncode == 125 and spool in found.stderr, found


def test_describe_by_name_and_by_path():
    for plugin in ("thread-pool", os.path.join(PLUGINS, "thread-pool.so")):
        done = run(SERVER, f"--describe={plugin}")
        assert done.returncode == 0, done
        for wanted in ("thread-pool", "ABI", "threads", "handlers", "handler"):
            assert wanted in done.stdout, done.stdout


def test_describe_refuses_what_is_no_plugin():
    with Directory() as d:
        with open(os.path.join(PLUGINS, "null.so"), "rb") as f:
            whole = f.read()
        broken = [d.write("text.so", "hello\n"), d.write("cut.so", whole[:len(whole) // 2]),
                  d.write("empty.so", ""), os.path.join(d.path, "absent.so"), d.path + "/",
                  os.path.join(os.environ["WQ_CLIENT_BUILD"], "lib", "libwq.so")]
        for path in broken:
            done = run(SERVER, f"--describe={path}")
            assert done.returncode in (1, 2) and done.stdout == "", (path, done)
            assert path.rstrip("/") in done.stderr and len(done.stderr.splitlines()) == 1, done


def test_version_help_and_a_wrong_command_line():
    done = run(SERVER, "--version")
    assert done.returncode == 0 and re.fullmatch(r"wq-server \d+\.\d+\.\d+\S*\n", done.stdout)
    done = run(SERVER, "--help")
    assert done.returncode == 0
    for option in ("--config", "--built-in", "--check", "--print-config", "--describe",
                   "--ready-fd"):
        assert option in done.stdout, option
    for wrong in (["--nonsense"], ["word"], ["--ready-fd=x"], ["--ready-fd=1"], ["-c"]):
        done = run(SERVER, *wrong)
        assert done.returncode == 64 and done.stdout == "" and done.stderr, (wrong, done)


def serve_built_in(env, spool):
    """Run the built-in configuration; the result of an echo."""
    read, write = os.pipe()
    try:
        with Program([SERVER, "--built-in", f"--ready-fd={write}"], pass_fds=[write], env=env,
                     stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as server:
            os.close(write)
            with os.fdopen(read) as ready:
                assert ready.readline(), server.communicate(timeout=LIMIT_S)
            status = json.loads(run(WQ, "-S", spool, "status", "--json").stdout)
            tms = status["server"]["task-managers"]
            assert [(t["name"], t["plugin"], t["max-running"]) for t in tms] == [
                ("run", "fork-exec", 1)], tms
            report = run(WQ, "-S", spool, "enqueue", "--wait", "--", "echo", "n=1").stdout
            server.terminate()
            server.communicate(timeout=LIMIT_S)
            assert server.returncode == 0
            return json.loads(report)["stdout"]["tail"]
    finally:
        wqtest.end_shepherds(spool)


def test_the_built_in_configuration_ignores_all_files():
    with Directory() as d:
        wrong = d.write("wrong.conf", "nonsense")
        env = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        env.update(WQ_CONFIG=wrong, XDG_STATE_HOME=os.path.join(d.path, "state"), HOME=d.path)
        spool = os.path.join(d.path, "state", "wq", "spool")
        assert serve_built_in(env, spool) == "n=1\n"
        assert os.stat(spool).st_mode & 0o7777 == 0o700
        del env["XDG_STATE_HOME"]
        serve_built_in(env, os.path.join(d.path, ".local", "state", "wq", "spool"))


# ---- spools that are none ------------------------------------------------------------------------


def refused(make, *words, unchanged=True):
    """A server on what `make(path)` made ends with 1, says these words, and changes nothing."""
    with Directory() as d:
        spool = os.path.join(d.path, "spool")
        make(spool)
        conf = d.config(NULL)
        before = tree(d.path)
        done = run(SERVER, "-c", conf)
        assert done.returncode == 1 and spool in done.stderr, done
        for word in words:
            assert word in done.stderr, (word, done.stderr)
        assert not unchanged or tree(d.path) == before, done


def test_one_that_is_being_killed_is_waited_for():
    """Its lock goes when the kernel has taken it apart, which takes a while."""
    with Server(NULL) as first, Server(NULL, start=False) as second:
        second.use_spool(first.spool)
        second.configure(NULL)
        first.process.send_signal(signal.SIGSTOP)
        starting = threading.Thread(target=second.start)
        starting.start()
        until(lambda: second.process and any(
            "pidfd" in link for link in descriptors(second.process.pid)), "it waits for the other")
        first.kill()
        starting.join(LIMIT_S)
        second.wq("wait", second.enqueue("n=1"))


def test_a_lock_that_a_killed_server_has_bequeathed_is_waited_for():
    """To a child that was about to become the shepherd, and has not closed it yet."""
    with Server(NULL) as s:
        s.kill()
        path = os.path.join(s.spool, ".wq", "lock")
        libc, in_open = ctypes.CDLL(None, use_errno=True), 0x20
        with open(path, "r+b") as child, os.fdopen(libc.inotify_init1(0), "rb", 0) as opened:
            fcntl.fcntl(child, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
            assert libc.inotify_add_watch(opened.fileno(), path.encode(), in_open) == 1
            starting = threading.Thread(target=s.start)
            starting.start()
            seen = b""
            while len(seen) < 2 * 16:  # it was refused the first time
                assert select.select([opened], [], [], LIMIT_S)[0], s.log_text()
                seen += opened.read(4096)
        starting.join(LIMIT_S)
        s.wq("wait", s.enqueue("n=1"))


def test_a_spool_that_is_a_file_is_refused():
    refused(lambda path: open(path, "w").close(), "directory")


def test_a_directory_of_something_else_is_refused():
    def full(path):
        os.makedirs(os.path.join(path, "photos"))
        open(os.path.join(path, "letter.txt"), "w").close()
    refused(full, "not a spool of wq")


def test_a_spool_of_the_python_original_is_refused_with_advice():
    def original(path):
        for state in wqtest.STATES:
            os.makedirs(os.path.join(path, state))
        with open(os.path.join(path, "2-pending", "1511472984.123456"), "wb") as f:
            f.write(b"\x80\x04pickle")
    refused(original, "Python", "new directory")


def test_a_spool_of_a_later_format_or_with_a_damaged_marker_is_refused():
    def with_marker(text):
        def make(path):
            server = Server(NULL)
            with server:
                server.stop()
                shutil.copytree(server.spool, path)
            with open(os.path.join(path, ".wq", "spool"), "w") as f:
                f.write(text)
        return make
    uuid = "uuid 1b4e28ba-2fa1-41d2-883f-b9a761bde3fb\n"
    refused(with_marker("wq-spool 2\n" + uuid), "2")
    refused(with_marker("wq-sp"), "marker")


def test_a_spool_that_others_may_write_is_refused():
    def open_to_all(path):
        server = Server(NULL)
        with server:
            server.stop()
            shutil.copytree(server.spool, path)
        os.chmod(os.path.join(path, "1-requested"), 0o777)
    refused(open_to_all, "1-requested", "0700", unchanged=False)  # it has been locked meanwhile


def test_on_start_wipe_removes_requests_and_results_and_nothing_else():
    server, play = scripted()
    with server:
        play.capacity(2)
        done, started = server.enqueue("n=1"), server.enqueue("n=2")
        until(lambda: play.started() == [done, started], "started")
        play.finish(done)
        until(lambda: server.where(done) == "4-complete", "complete")
        play.capacity(1)
        waiting = server.enqueue("n=3")
        until(lambda: server.where(waiting) == "2-pending", "pending")
        PyClient(server.spool).publish(b"bad")  # comes to quarantine and has a result
        server.kill()
        requested = server.enqueue("n=4")
        server.wq("abort", started)
        kept = os.path.join(server.spool, "1-requested", ".t0000000000000")
        open(kept, "w").close()
        with open(os.path.join(server.spool, ".wq", "spool")) as f:
            marker = f.read()
        server.configure(f'task-manager "play" {{ plugin = "scripted"\n'
                         f'options {{ dir = "{play.dir}" wakes = true }} }}', "on-start = wipe")
        server.start()
        for request in (done, started, waiting, requested):
            assert server.where(request) is None, request
            server.wq("wait", request, expect=121)
        assert all(server.names(s) == [] for s in wqtest.STATES[1:]), tree(server.spool)
        with open(os.path.join(server.spool, ".wq", "spool")) as f:
            assert f.read() == marker
        play.capacity(2)
        after = server.enqueue("n=5")
        assert after > requested
        running(server, after)
        assert play.started() == [done, started, after]


# ---- task managers -------------------------------------------------------------------------------


def test_instances_of_one_plugin_have_options_and_limits_of_their_own():
    server = Server("", start=False)
    server.configure("""
default-task-manager = "echoes"
task-manager "echoes" { plugin = "thread-pool" options { threads = 2 handler = "echo" } }
task-manager "sleeps" { plugin = "thread-pool" max-running = 3 options { threads = 9 handler = "sleep" } }
task-manager "few" { plugin = "thread-pool" max-running = 9 options { threads = 2 handler = "sleep" } }
""", drain_limit="1h")
    with server.start():
        slow = [server.enqueue("-m", "sleeps", "seconds=1000") for _ in range(4)]
        few = [server.enqueue("-m", "few", "seconds=1000") for _ in range(3)]
        running(server, slow[2])
        running(server, few[1])
        # Neither of the full ones holds up the third.
        assert json.loads(server.wq("enqueue", "--wait", "seconds=7")) == {"seconds": 7}
        assert json.loads(server.wq("enqueue", "--wait", "-f", "-", input="[1]")) == [1]
        tms = {t["name"]: t for t in server.status()["server"]["task-managers"]}
        assert list(tms) == ["echoes", "sleeps", "few"]
        assert tms["sleeps"]["running"] == 3 and tms["sleeps"]["why"] == "max-running", tms
        assert tms["few"]["running"] == 2 and tms["few"]["why"] == "no-capacity", tms
        assert tms["echoes"]["running"] == 0 and tms["echoes"]["why"] == "ready", tms
        assert server.where(slow[3]) == server.where(few[2]) == "2-pending"
        server.wq("abort", *slow, *few)
        server.wq("wait", *slow, *few, expect=121)


def test_requests_go_to_the_task_manager_that_they_name_or_the_default():
    names = "".join(f'task-manager "{n}" {{ plugin = "null" }}\n' for n in ("a", "b", "c"))
    server = Server(names, 'default-task-manager = "b"')
    with server:
        who = lambda *args: json.loads(
            server.wq("enqueue", "--wait", "--json", *args))["task-manager"]
        assert [who(), who("-m", "a"), who("-m", "b"), who("-m", "c")] == ["b", "a", "b", "c"]
        code, out, err = server.wq("enqueue", "--wait", "--json", "-m", "nobody", expect=None)
        result = json.loads(out)
        assert code == 123 and result["status"] == "rejected", (code, out)
        assert result["error"] == "unknown-task-manager" and "nobody" in result["text"]


def test_request_limit_and_result_limit_hold_to_the_byte():
    server = Server("", start=False)
    server.configure('task-manager "echo" { plugin = "thread-pool" options { handler = "echo" } }',
                     "request-limit = 4K\nresult-limit = 1K")
    with server.start():
        client = PyClient(server.spool)
        data = request_file("")
        fits = lambda size: request_file("x" * (size - len(data) - 2))  # a head of three bytes
        assert len(fits(4096)) == 4096
        head, _ = client.result(client.publish(fits(4097)))
        assert (head["status"], head["error"]) == ("rejected", "too-big"), head
        head, payload = client.result(client.publish(fits(4096)))
        assert head["status"] == "failed" and head["error"] and payload is None, head
        # The limit of a result is that of its payload.
        head, payload = client.result(client.enqueue("y" * (1024 - 3)))
        assert head["status"] == "ok" and len(cbor2.dumps(payload)) == 1024, head
        head, payload = client.result(client.enqueue("y" * (1024 - 2)))
        assert head["status"] == "failed" and payload is None, head
        page = json.loads(server.wq("status", "--json"))["page"]
        assert page["request-limit"] == 4096 and page["result-limit"] == 1024, page


# ---- asking it -----------------------------------------------------------------------------------


def test_status_with_a_server_without_one_and_before_any():
    server = Server(NULL, start=False)
    with server:
        code, _, err = server.wq("status", expect=None)
        assert code == 125 and server.spool in err, (code, err)  # no spool yet
        server.start()
        status = server.status()
        assert status["spool"] == server.spool and status["spool-from"] == "WQ_SPOOL"
        s, page = status["server"], status["page"]
        assert s["pid"] == server.process.pid == page["pid"], status
        assert s["accepting"] is True and s["durability"] == "batch" and s["config"] == server.conf
        text = server.wq("status")
        for wanted in (server.spool, "WQ_SPOOL", "running", str(server.process.pid), "batch",
                       "null"):
            assert wanted in text, (wanted, text)
        server.kill()
        code, out, _ = server.wq("status", expect=None)
        assert code == 1 and "did not stop in order" in out, out
        code, _, err = server.wq("metrics", expect=None)
        assert code == 125 and err, (code, err)
        server.start()
        server.stop()
        code, out, _ = server.wq("status", expect=None)
        assert code == 1 and "stopped in order" in out, out


ASK = """
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
try:
    s.connect(sys.argv[1])
except PermissionError:
    sys.exit(13)
s.settimeout(20)
s.send(bytes.fromhex(sys.argv[2]))
sys.stdout.buffer.write(s.recv(1 << 20))
"""


def test_other_users_get_no_answer():
    if os.getuid() != 0:
        raise wqtest.Skip("root", "only root can be another user")
    with Server(NULL) as server:
        sock = os.path.join(server.spool, "wq.sock")
        ask = cbor2.dumps({"ask": "status", "wq-control": 1}, canonical=True).hex()
        ask_as = lambda *who: subprocess.run(
            [*who, "/usr/bin/python3", "-c", ASK, sock, ask], capture_output=True,
            timeout=LIMIT_S, cwd="/")
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        os.chmod(server.dir, 0o755)
        assert os.stat(server.spool).st_mode & 0o7777 == 0o700
        assert os.stat(sock).st_mode & 0o7777 == 0o600
        assert ask_as(*nobody).returncode == 13
        # Even with the directory's protection gone.
        os.chmod(server.spool, 0o755)
        os.chmod(sock, 0o666)
        done = ask_as(*nobody)
        assert done.returncode == 0, done
        answer = cbor2.loads(done.stdout)
        assert answer["error"] == "not-allowed" and "answer" not in answer, answer
        answer = cbor2.loads(ask_as().stdout)
        assert answer["answer"]["pid"] == server.process.pid


def test_a_spool_with_a_long_path_is_served_and_answers():
    server = Server("", start=False)
    deep = os.path.join(server.dir, "d" * 120, "e" * 120)
    os.makedirs(deep)
    server.use_spool(os.path.join(deep, "spool"))
    server.configure(NULL)
    with server.start():
        assert server.status()["server"]["pid"] == server.process.pid
        server.wq("enqueue", "--wait", "n=1")
        assert server.metric("wq_received_total") == 1


# ---- the log -------------------------------------------------------------------------------------


def test_the_log_level_drops_what_is_above_it():
    seen = {}
    for level in ("err", "warn", "notice", "info", "debug"):
        server = Server(NULL, f"log-level = {level}")
        with server:
            server.wq("enqueue", "--wait", "n=1")
            PyClient(server.spool)
            with open(os.path.join(server.spool, "1-requested", "no-id"), "w"):
                pass
            until(lambda: server.names("1-requested") == [], "set aside")
            server.stop()
            lines = server.log_text().splitlines()
            assert all(re.match(r"<[3-7]>", l) for l in lines), lines
            seen[level] = {l[1] for l in lines}
    assert seen == {"err": set(), "warn": {"4"}, "notice": {"4", "5"}, "info": {"4", "5", "6"},
                    "debug": {"4", "5", "6", "7"}}, seen


# ---- plugins that misbehave ----------------------------------------------------------------------


def faulty(fault, n=1, label=""):
    """Run n requests through it; (log lines about misbehaviour, its state, the results)."""
    server = Server(f'task-manager "bad" {{ plugin = "faulty" options {{ fault = "{fault}" }} }}\n'
                    'task-manager "good" { plugin = "null" }\n', 'default-task-manager = "good"')
    with server:
        client = PyClient(server.spool)
        results = [client.result(client.enqueue({}, task_manager="bad"))[0] for _ in range(n)]
        server.wq("enqueue", "--wait", "n=1")  # all else goes on
        tms = {t["name"]: t for t in server.status()["server"]["task-managers"]}
        assert tms["good"]["strikes"] == 0
        text = server.wq("status")
        if tms["bad"]["strikes"]:
            assert f"strikes: {tms['bad']['strikes']}" in text, text
        lines = [l for l in server.log_text().splitlines() if "misbehaving" in l]
        assert all("bad: plugin 'faulty' is misbehaving" in l for l in lines), lines
        return lines, tms["bad"], results


def test_a_plugin_that_gives_back_twice_is_named():
    lines, state, results = faulty("reap-twice", 2)
    assert [r["status"] for r in results] == ["ok", "ok"]
    assert len(lines) == 2 and all("reap" in l and "twice" in l for l in lines), lines
    assert state["strikes"] == 2 and state["why"] == "ready", state


def test_a_result_that_is_no_cbor_becomes_an_error():
    lines, state, results = faulty("bad-cbor", 2)
    for r in results:
        assert r["status"] == "failed" and r["error"] and r["text"], r
    assert len(lines) == 2 and state["strikes"] == 2, (lines, state)


def test_a_plugin_that_blocks_is_named_and_not_quarantined():
    lines, state, results = faulty("block", 6)
    assert {r["status"] for r in results} == {"ok"}
    assert lines and "start_task" in lines[0], lines
    assert state["strikes"] == 6 and state["why"] == "ready", state


def test_five_faults_put_a_task_manager_into_quarantine():
    server = Server('task-manager "bad" { plugin = "faulty" options { fault = "bad-cbor" } }\n'
                    'task-manager "good" { plugin = "null" }\n', 'default-task-manager = "good"')
    with server:
        client = PyClient(server.spool)
        for _ in range(5):
            assert client.result(client.enqueue({}, task_manager="bad"))[0]["status"] == "failed"
        said(server, "quarantined")
        held = client.enqueue({}, task_manager="bad")
        server.wq("enqueue", "--wait", "n=1")
        until(lambda: server.where(held) == "2-pending", "pending")
        bad = server.status()["server"]["task-managers"][0]
        assert bad["why"] == "quarantined" and bad["strikes"] == 5, bad
        assert "quarantined" in server.wq("status")
        server.wq("abort", held)
        server.wq("wait", held, expect=121)


def test_a_plugin_that_fails_to_start_stops_the_server():
    with Directory() as d:
        conf = d.config('task-manager "bad" { plugin = "faulty" options { fault = "start-fails" } }')
        done = run(SERVER, "-c", conf)
        assert done.returncode == 1 and "'bad'" in done.stderr, done
        assert "start fails because it was told to" in done.stderr, done


if __name__ == "__main__":
    wqtest.main(globals())
