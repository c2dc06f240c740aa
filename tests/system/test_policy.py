# SPDX-License-Identifier: BSD-2-Clause
"""What becomes of a task when its server, its shepherd or both are killed: on-crash of wq.conf, what a
request may ask for, attempts and their bound, tasks of which nobody knows, and the operator's word."""

import json
import os
import random
import signal
import subprocess
import time

import wqtest
from client import PyClient
from test_shepherd import Commands, shepherd_pid, shepherd_pids, state_of, tagged
from wqtest import SERVER, Program, Server, open_gate, until

RUN = 'task-manager "run" {{ plugin = "fork-exec" max-running = {n} {more}\noptions {{ grace = 1s }} }}\n'


def run_conf(on_crash, n=1, more=""):
    return RUN.format(n=n, more=f"on-crash = {on_crash} {more}")


class Policy(Commands):
    """Commands under a policy.  Each notes its request and attempt, waits for the gate, and is over."""

    def __init__(self, conf, top=""):
        super().__init__(n=1)
        self.stop()
        wqtest.end_shepherds(self.spool)
        self.configure(conf, "shepherd-linger = 5s\n" + top)
        self.start()
        self.runs = os.path.join(self.dir, "runs")
        self.gate = os.path.join(self.dir, "gate")
        os.mkfifo(self.gate)

    def gated(self, **members):
        return self.shell(f"echo $WQ_ID $WQ_ATTEMPT >>{self.runs}; read x <{self.gate}", **members)

    def begun(self, request=None):
        """(request, attempt) of each that began; the attempts of one."""
        try:
            with open(self.runs) as f:
                pairs = [(x.split()[0], int(x.split()[1])) for x in f.read().splitlines()]
        except FileNotFoundError:
            return []
        return [n for r, n in pairs if r == request] if request else pairs

    def until_begun(self, request, attempt=1):
        until(lambda: attempt in self.begun(request), f"attempt {attempt} has begun")

    def kill_shepherd(self):
        pid = shepherd_pid(self)
        os.kill(pid, signal.SIGKILL)
        until(lambda: state_of(pid) in (None, "Z"), "the shepherd is gone")

    def nothing_is_left(self):
        assert self.names("3-running") == [] and self.names(".wq/attempts") == []


POLICIES = ("fail", "adopt", "requeue")

# ---- commands, which outlive the server -----------------------------------------------------------


def test_a_killed_server_costs_a_command_nothing_whatever_the_policy():
    for on_crash in POLICIES:
        with Policy(run_conf(on_crash)) as server:
            request = server.gated()
            server.until_begun(request)
            server.kill()
            server.start()
            until(lambda: f"{request}: adopted by 'run'" in server.log_text(), "it is adopted")
            open_gate(server.gate)
            head, _ = server.result(request)
            assert head["status"] == "ok" and head["attempt"] == 1, (on_crash, head)
            assert server.begun(request) == [1], on_crash
            server.nothing_is_left()


def lost_or_again(server, on_crash, request):
    """Its shepherd was killed: what is there of it is ended, and then the policy says."""
    if on_crash != "requeue":
        head, _ = server.result(request)
        assert head["status"] == "lost" and head["attempt"] == 1, (on_crash, head)
        assert not tagged(request) and server.begun(request) == [1], on_crash
        return
    server.until_begun(request, 2)
    assert not tagged(f"{request}.1"), "its first attempt runs beside the second"
    assert server.names(".wq/attempts") == [f"{request}.2"]
    listed = json.loads(server.wq("list", "--state=running", "--json"))
    assert listed["attempt"] == 2 and listed["fate"] == "running", listed
    assert "attempt 2" in server.wq("status")
    open_gate(server.gate)
    head, _ = server.result(request)
    assert head["status"] == "ok" and head["attempt"] == 2, head
    assert server.begun(request) == [1, 2]
    assert server.metric("wq_requeued_total", task_manager="run") == 1


def test_a_killed_shepherd_takes_a_command_and_the_policy_says_what_then():
    for on_crash in POLICIES:
        with Policy(run_conf(on_crash)) as server:
            request = server.gated()
            server.until_begun(request)
            server.kill_shepherd()
            lost_or_again(server, on_crash, request)
            server.nothing_is_left()


def test_so_does_a_shepherd_that_is_killed_with_the_server():
    for on_crash in POLICIES:
        with Policy(run_conf(on_crash)) as server:
            request = server.gated()
            server.until_begun(request)
            server.kill()
            server.kill_shepherd()
            server.start()
            lost_or_again(server, on_crash, request)
            server.nothing_is_left()


def test_what_is_started_again_has_its_old_place():
    with Policy(run_conf("requeue")) as server:
        requests = [server.gated() for _ in range(3)]
        server.until_begun(requests[0])
        server.kill_shepherd()
        server.until_begun(requests[0], 2)
        for _ in requests:
            open_gate(server.gate)
            until(lambda: server.names("4-complete") or not server.names("3-running"), "one ended")
            server.result(server.names("4-complete")[0])
        assert server.begun() == [(requests[0], 1), (requests[0], 2), (requests[1], 1),
                                  (requests[2], 1)]


def test_each_attempt_has_its_work_directory_and_its_output():
    with Policy(run_conf("requeue")) as server:
        request = server.shell(f"echo I am $WQ_ATTEMPT in $WQ_WORK_DIR; "
                               f"echo $WQ_ID $WQ_ATTEMPT >>{server.runs}; read x <{server.gate}")
        server.until_begun(request)
        # What the shepherd has not written yet goes with it.
        first = os.path.join(server.spool, "work", f"{request}.1", "stdout")
        until(lambda: os.path.getsize(first) > 0, "its output is there")
        server.kill_shepherd()
        server.until_begun(request, 2)
        open_gate(server.gate)
        until(lambda: server.where(request) == "4-complete", "complete")
        for attempt in ("1", "2"):
            work = os.path.join(server.spool, "work", f"{request}.{attempt}")
            with open(os.path.join(work, "stdout")) as f:
                assert f.read() == f"I am {attempt} in {work}\n"
        assert "I am 2" in server.wq("log", request)
        server.result(request)


def test_with_keep_work_never_no_attempt_leaves_anything():
    with Policy(run_conf("requeue", more="keep-work = never")) as server:
        request = server.gated()
        server.until_begun(request)
        server.kill_shepherd()
        server.until_begun(request, 2)
        assert server.names("work") == [f"{request}.2"]
        open_gate(server.gate)
        server.result(request)
        until(lambda: server.names("work") == [], "nothing stays")


def test_an_abort_of_a_second_attempt_leaves_nothing():
    with Policy(run_conf("requeue")) as server:
        request = server.gated()
        server.until_begun(request)
        server.kill_shepherd()
        server.until_begun(request, 2)
        server.client.abort(request)
        assert server.client.result(request) is None
        until(lambda: server.names("work") == [] and server.names("5-aborting") == [], "gone")
        assert not tagged(request)
        server.nothing_is_left()


def test_what_never_began_is_started_unless_the_policy_forbids_it():
    for on_crash in POLICIES:
        with Policy(run_conf(on_crash)) as server:
            server.result(server.shell("true"))  # so no record is a proof
            server.kill()
            request = server.gated()
            os.rename(server.client.path("1-requested", request),
                      server.client.path("3-running", request))
            server.start()
            if on_crash != "fail":
                open_gate(server.gate)
            head, _ = server.result(request)
            status = "lost" if on_crash == "fail" else "ok"
            assert head["status"] == status and head["attempt"] == 1, (on_crash, head)
            assert server.begun(request) == ([] if on_crash == "fail" else [1])


# ---- poison ---------------------------------------------------------------------------------------


def test_what_kills_its_shepherd_is_poison():
    with Policy(run_conf("requeue", more="max-attempts = 3")) as server:
        request = server.shell(f"echo $WQ_ID $WQ_ATTEMPT >>{server.runs}; kill -9 $PPID; sleep 1000")
        after = server.shell("true")
        head, _ = server.result(request)
        assert (head["status"], head["error"], head["attempt"]) == ("lost", "poison", 3), head
        assert "attempt 3" in head["text"] and "no more than 3" in head["text"], head
        assert server.begun(request) == [1, 2, 3] and not tagged(request)
        assert server.result(after)[0]["status"] == "ok"
        server.nothing_is_left()


def test_what_kills_its_server_is_poison_and_the_number_outlives_it():
    """Each time the server is killed too, so that only the spool knows the number."""
    with Policy(run_conf("requeue", more="max-attempts = 2")) as server:
        request = server.gated()
        for attempt in (1, 2):
            server.until_begun(request, attempt)
            server.kill()
            server.kill_shepherd()
            server.start()
        head, _ = server.result(request)
        assert (head["error"], head["attempt"]) == ("poison", 2), head
        assert server.begun(request) == [1, 2]
        server.nothing_is_left()


# ---- threads, which end with the server -----------------------------------------------------------

POOL = 'task-manager "pool" {{ plugin = "thread-pool" on-crash = {} max-running = 2\n' \
       'options {{ threads = 2 }} }}\n'


def sleeping(server, seconds):
    request = PyClient(server.spool).enqueue({"handler": "sleep", "seconds": seconds})
    until(lambda: f"{request}: started by 'pool'" in server.log_text(), "it runs")
    return request


def test_a_killed_server_takes_its_threads_and_the_policy_says_what_then():
    for on_crash in ("fail", "requeue"):
        with Server(POOL.format(on_crash)) as server:
            request = sleeping(server, 0.5)
            server.kill()
            server.start()
            head, _ = PyClient(server.spool).result(request)
            if on_crash == "fail":
                assert head["status"] == "lost" and head["attempt"] == 1, head
                assert head["error"] == "server-restart", head
            else:
                assert head["status"] == "ok" and head["attempt"] == 2, head
            assert server.names(".wq/attempts") == []


def test_threads_that_die_with_their_server_again_and_again_are_poison():
    with Server(POOL.format("requeue")) as server:
        request = sleeping(server, 1000)
        for attempt in (2, 3):
            server.kill()
            server.start()
            until(lambda: server.names(".wq/attempts") == [f"{request}.{attempt}"] and
                  server.where(request) == "3-running", f"attempt {attempt} runs")
        server.kill()
        server.start()
        head, _ = PyClient(server.spool).result(request)
        assert (head["error"], head["attempt"]) == ("poison", 3), head


def test_threads_need_no_shepherd_to_be_dead():
    """Beside commands, whose shepherd does not answer."""
    with Commands(n=1) as server:
        server.stop()
        server.configure(run_conf("adopt") + POOL.format("requeue") +
                         'default-task-manager = "pool"', "shepherd-linger = 5s")
        server.start()
        request = sleeping(server, 0.2)
        server.result(server.shell("true", task_manager="run"))
        shepherd = shepherd_pid(server)
        server.kill()
        os.kill(shepherd, signal.SIGSTOP)
        try:
            server.start()
            head, _ = server.result(request)
            assert head["status"] == "ok" and head["attempt"] == 2, head
            states = {tm["name"]: tm["why"] for tm in server.status()["server"]["task-managers"]}
            assert states["run"] == "recovering", states
        finally:
            os.kill(shepherd, signal.SIGCONT)


def test_what_a_plugin_cannot_do_is_told_by_check():
    with Server(POOL.format("adopt"), start=False) as server:
        done = subprocess.run([SERVER, "-c", server.conf, "--check"], capture_output=True, text=True)
        assert done.returncode == 2, done
        assert f"{server.conf}:7: task-manager 'pool': on-crash = 'adopt': tasks of the plugin " \
               "'thread-pool' end with the server" in done.stderr, done.stderr


# ---- what a request may ask for -------------------------------------------------------------------


def test_a_request_may_allow_less_than_its_task_manager():
    with Policy(run_conf("requeue", n=3)) as server:
        words = {word: server.enqueue("-m", "run", f"--on-crash={word}", "--", "sh", "-c",
                                      f"echo $WQ_ID $WQ_ATTEMPT >>{server.runs}; read x <{server.gate}")
                 for word in POLICIES}
        for request in words.values():
            server.until_begun(request)
        server.kill_shepherd()
        for word in ("fail", "adopt"):
            head, _ = server.result(words[word])
            assert head["status"] == "lost" and server.begun(words[word]) == [1], (word, head)
        server.until_begun(words["requeue"], 2)
        open_gate(server.gate)
        assert server.result(words["requeue"])[0]["attempt"] == 2


def test_and_not_more():
    for most, asked in (("fail", "adopt"), ("fail", "requeue"), ("adopt", "requeue")):
        with Policy(run_conf(most)) as server:
            code, _, err = server.wq("run", f"--on-crash={asked}", "true", expect=None)
            assert code == 123, (code, err)
            assert f"'on-crash' is '{asked}', and task manager 'run' allows no more than " \
                   f"'{most}'" in err, err
            shown = json.loads(server.wq("show", "--json", "@"))
            assert shown["error"] == "on-crash-too-wide", shown
    with Policy(run_conf("adopt")) as server:
        code, _, err = server.wq("run", "--on-crash=never", "true", expect=None)
        assert code == 125 and "'never' is not fail, adopt or requeue" in err, (code, err)
        code, _, _ = server.wq("run", "--on-crash=fail", "true", expect=None)
        assert code == 0


# ---- tasks of which nobody knows ------------------------------------------------------------------


class Elsewhere(Server):
    """Beside `null` a task manager whose tasks are elsewhere, as the test says."""

    def __init__(self, more="", n=2):
        super().__init__("", start=False)
        self.play = os.path.join(self.dir, "play")
        os.mkdir(self.play)
        self.configure(f'''task-manager "elsewhere" {{ plugin = "elsewhere" max-running = {n} {more}
options {{ dir = "{self.play}" }} }}
task-manager "null" {{ plugin = "null" }}
default-task-manager = "elsewhere"''', "sample-interval = 10ms")
        self.start()
        self.client = PyClient(self.spool)

    def uuid(self):
        with open(os.path.join(self.spool, ".wq/spool")) as f:
            return f.read().split()[-1]

    def write(self, name, word):
        path = os.path.join(self.play, name)
        with open(path + ".new", "w") as f:
            f.write(f"{word}\n")
        os.rename(path + ".new", path)

    def answer(self, word):
        self.write("answer", word)

    def finish(self, request, word="ok", attempt=1):
        self.write(f"ended/{self.uuid()}.{request}.{attempt}", word)

    def events(self, kind):
        with open(os.path.join(self.play, "log")) as f:
            return [line.split()[1] for line in f if line.startswith(kind + " ")]

    def run_one(self):
        request = self.client.enqueue({"n": 1})
        self.until_runs(request)
        return request

    def until_runs(self, request, attempt=1):
        until(lambda: f"{self.uuid()}.{request}.{attempt}" in self.events("start"), "it runs")

    def restart(self, answer):
        self.kill()
        self.answer(answer)
        self.start()

    def task_manager(self, name="elsewhere"):
        return next(tm for tm in self.status()["server"]["task-managers"] if tm["name"] == name)

    def until_unknown(self, request):
        until(lambda: self.task_manager()["lost"] == 1, "it is unknown")
        shown = [x for x in map(json.loads, self.wq("list", "--json").splitlines())
                 if x["id"] == request][0]
        assert shown["fate"] == "unknown" and shown["state"] == "running", shown
        assert "running (unknown)" in self.wq("list")


def test_what_cannot_be_known_keeps_its_slot_until_the_operator_forgets_it():
    with Elsewhere("on-crash = requeue") as server:
        request = server.run_one()
        server.restart("unknown")
        server.until_unknown(request)
        assert "(lost, and still with a slot: 1)" in server.wq("status")
        assert "wq abort --forget" in server.wq("status")
        # An abort cannot end what nobody finds.
        server.wq("abort", request)
        until(lambda: server.names("5-aborting") == [request], "asked for")
        os.unlink(server.client.path("5-aborting", request))
        # That it is told twice changes nothing; nor does a server that is killed.
        server.kill()
        server.start()
        server.until_unknown(request)
        # There is one slot beside it, and no more.
        others = [server.client.enqueue({"n": n}) for n in range(2)]
        server.until_runs(others[0])
        assert server.where(others[1]) == "2-pending"

        code, _, err = server.wq("abort", "--forget", others[0], expect=None)
        assert code == 125 and "is not lost: it runs" in err, (code, err)
        code, _, err = server.wq("abort", "--forget", others[1], expect=None)
        assert code == 125 and "is not lost: it stands in 2-pending" in err, (code, err)
        _, _, err = server.wq("abort", "--forget", request, expect=None)
        assert f"{request} is forgotten" in err, err
        head, _ = server.client.result(request)
        assert (head["status"], head["error"]) == ("lost", "forgotten"), head
        assert f"uid {os.getuid()}" in head["text"], head
        assert f"{request}: forgotten, as uid {os.getuid()} wants it" in server.log_text()
        server.until_runs(others[1])
        assert server.events("start").count(f"{server.uuid()}.{request}.1") == 1
        for other in others:
            server.finish(other)
            assert server.client.result(other)[0]["status"] == "ok"


def test_only_a_running_server_forgets():
    with Elsewhere() as server:
        request = server.run_one()
        server.restart("unknown")
        server.until_unknown(request)
        server.stop()
        code, _, err = server.wq("abort", "--forget", request, expect=None)
        assert code == 125 and "no server is running" in err, (code, err)
        assert server.where(request) == "3-running"


def test_what_is_found_again_after_all_goes_on():
    with Elsewhere("on-crash = requeue") as server:
        request = server.run_one()
        server.restart("unknown")
        server.until_unknown(request)
        server.restart("look")
        server.finish(request)
        head, _ = server.client.result(request)
        assert head["status"] == "ok" and head["attempt"] == 1, head


def test_a_plugin_that_proves_the_end_lets_it_be_started_again_under_another_name():
    with Elsewhere("on-crash = requeue max-attempts = 2") as server:
        request = server.run_one()
        server.restart("ended")
        server.until_runs(request, 2)
        server.finish(request, "lost", 2)
        head, _ = server.client.result(request)
        assert (head["error"], head["attempt"]) == ("poison", 2), head
        names = server.events("start")
        assert len(names) == len(set(names)) == 2, names


def test_a_plugin_that_does_not_say_holds_up_nobody_else():
    with Elsewhere("recovery-limit = 2s") as server:
        request = server.run_one()
        server.kill()
        waiting = server.client.enqueue({"n": 2})
        server.answer("again")
        begin = time.monotonic()
        server.start()
        other = server.client.enqueue({}, task_manager="null")
        assert server.client.result(other)[0]["status"] == "ok"
        assert time.monotonic() - begin < 2, "it waited for the stuck one"
        assert server.task_manager()["why"] == "recovering"
        code, _, err = server.wq("abort", "--forget", request, expect=None)
        assert code == 125 and "recovery-limit" in err, (code, err)
        until(lambda: len(server.events("recover")) > 3, "it is asked again and again")

        # Then it starts what is waiting, and the first one keeps its slot.
        server.until_runs(waiting)
        assert time.monotonic() - begin >= 2
        server.until_unknown(request)
        assert f"{request}: its task manager could not say within its recovery-limit of 2s" \
            in server.log_text()
        assert server.where(request) == "3-running"
        server.restart("look")
        for one in (request, waiting):
            server.finish(one)
            assert server.client.result(one)[0]["status"] == "ok"
        assert len(server.events("start")) == 2


def test_a_plugin_that_blocks_is_named():
    with Elsewhere() as server:
        request = server.run_one()
        server.restart("block")
        server.finish(request)
        assert server.client.result(request)[0]["status"] == "ok"
        assert "plugin 'elsewhere' is misbehaving (slow): recover: took" in server.log_text()


def test_without_a_shepherd_a_task_manager_says_that_it_is_late():
    with Policy(run_conf("adopt", more="recovery-limit = 1s")) as server:
        request = server.gated()
        server.until_begun(request)
        shepherd = shepherd_pid(server)
        server.kill()
        os.kill(shepherd, signal.SIGSTOP)
        try:
            server.start()
            until(lambda: "for longer than its recovery-limit" in server.wq("status"), "it is late")
            assert "the recovery of 'run' takes longer than its recovery-limit of 1s" \
                in server.log_text()
            assert "running (recovering)" in server.wq("list")
            assert tagged(request)
        finally:
            os.kill(shepherd, signal.SIGCONT)
        open_gate(server.gate)
        head, _ = server.result(request)
        assert head["status"] == "ok" and server.begun(request) == [1], head


# ---- killed at random -----------------------------------------------------------------------------


def test_killed_at_random_no_attempt_begins_twice_and_each_request_ends_once():
    rng = random.Random(31)
    with Policy(run_conf("requeue", n=4, more="max-attempts = 4")) as server:
        requests = [server.shell(f"echo $WQ_ID $WQ_ATTEMPT >>{server.runs}; sleep 0.0{n % 10}")
                    for n in range(120)]
        server.kill()
        kills = 0
        while any(server.where(r) != "4-complete" for r in requests):
            with open(server.log_path, "ab") as log, Program(
                    [SERVER, "-c", server.conf], stderr=log, stdin=subprocess.DEVNULL) as p:
                try:
                    p.wait(rng.uniform(0.05, 0.6))
                    raise AssertionError(f"the server ended with {p.returncode}")
                except subprocess.TimeoutExpired:
                    p.kill()
            for pid in shepherd_pids(server) if rng.random() < 0.5 else []:
                os.kill(pid, signal.SIGKILL)
            kills += 1
            assert kills < 200, "it never ends"
        server.start()
        fates = {}
        for request in requests:
            head, _ = server.result(request)
            fates[head["status"]] = fates.get(head["status"], 0) + 1
            begun = server.begun(request)
            assert len(begun) == len(set(begun)) and begun == sorted(begun), (request, begun)
            assert all(n <= head["attempt"] <= 4 for n in begun), (begun, head)
            assert head["status"] == "ok" or head["error"] == "poison", head
            assert head["status"] != "ok" or head["attempt"] in begun, (begun, head)
        print(f"# {kills} kills, {len(server.begun())} attempts, {fates}")
        assert len(server.begun()) > len(requests), "nothing was started again"
        until(lambda: not tagged(server.uuid()), "nothing runs")
        server.nothing_is_left()
        assert server.names("2-pending") == []


if __name__ == "__main__":
    wqtest.main(globals())
