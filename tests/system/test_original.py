# SPDX-License-Identifier: BSD-2-Clause
"""The behaviour of the Python original, held with a task manager that records its starts itself."""

import json
import subprocess

import wqtest
from client import PyClient
from wqtest import Scripted, Server, until


def scripted(options="", max_running=100, **kw):
    """A server whose only task manager is played by the test."""
    server = Server("", start=False, **kw)
    play = Scripted(server.dir)
    server.configure(f'task-manager "play" {{ plugin = "scripted" max-running = {max_running}\n'
                     f'options {{ dir = "{play.dir}" {options} }} }}', "sample-interval = 50ms")
    server.start()
    return server, play


def pending(server, request):
    until(lambda: server.where(request) == "2-pending", f"{request} pending")


def running(server, request):
    until(lambda: server.begun(request), f"{request} running")


def test_capacity_at_once_starts_at_once():
    server, play = scripted("wakes = true")
    with server:
        play.capacity(1)
        request = server.enqueue("n=1")
        until(lambda: play.started() == [request], "started")
        play.finish(request)
        assert server.wq("wait", "--json", request)
        assert server.where(request) is None


def test_delayed_capacity_starts_later_in_order():
    server, play = scripted()
    with server:
        requests = [server.enqueue(f"n={i}") for i in range(3)]
        for request in requests:
            pending(server, request)
        assert play.started() == []
        play.capacity(2)
        until(lambda: len(play.started()) == 2, "two started")
        assert play.started() == requests[:2]
        assert server.where(requests[2]) == "2-pending"
        play.finish(requests[0])
        until(lambda: len(play.started()) == 3, "the third started")
        assert play.started() == requests


def test_staged_capacity_fills_eight_from_one_event_by_yes_and_no():
    server, play = scripted("yes-no = true wakes = true", max_running=8)
    with server:
        play.capacity(0)
        requests = [server.enqueue(f"n={i}") for i in range(10)]
        for request in requests:
            pending(server, request)
        play.capacity(100)
        until(lambda: len(play.started()) >= 8, "eight started")
        assert play.started() == requests[:8]
        status = server.status()["server"]
        state = status["task-managers"][0]
        assert state["running"] == 8 and state["why"] == "max-running", state
        assert state["waiting"] + status["unsorted"] == 2, status


def test_abort_while_requested_pending_running_complete():
    server, play = scripted("wakes = true")
    with server:
        play.capacity(1)
        first = server.enqueue("n=1")
        second = server.enqueue("n=2")
        running(server, first)
        pending(server, second)

        server.wq("abort", second)
        assert server.wq("wait", second, expect=121) == ""
        assert server.where(second) is None

        server.wq("abort", first)
        server.wq("wait", first, expect=121)
        until(lambda: ("terminate", first) in play.events(), "terminated")

        third = server.enqueue("n=3")
        running(server, third)
        play.finish(third)
        until(lambda: server.where(third) == "4-complete", "complete")
        server.wq("abort", third)
        until(lambda: server.where(third) is None, "result removed")
        server.wq("wait", third, expect=121)

        server.stop()
        fourth = server.enqueue("n=4")
        server.wq("abort", fourth)
        assert server.where(fourth) == "1-requested"
        server.start()
        server.wq("wait", fourth, expect=121)
        assert play.started() == [first, third]
        until(lambda: server.names("5-aborting") == [], "markers gone")


def test_an_abort_of_what_does_not_exist_is_ignored():
    server, play = scripted()
    with server:
        PyClient(server.spool).abort("1511472984.123456-0k3v9q2m7t1dh")
        until(lambda: server.names("5-aborting") == [], "marker gone")
        assert server.metric("wq_unknown_aborts_total") == 1


def test_a_running_abort_frees_the_slot_only_when_the_task_has_ended():
    server, play = scripted("wakes = true slow-terminate = true", max_running=1)
    with server:
        play.capacity(10)
        first = server.enqueue("n=1")
        second = server.enqueue("n=2")
        running(server, first)
        server.wq("abort", first)
        until(lambda: ("terminate", first) in play.events(), "terminated")
        # A request behind it that could start now would have been started in the same pass.
        assert server.status()["server"]["task-managers"][0]["running"] == 1
        assert play.started() == [first]
        assert server.where(second) == "2-pending"
        play.write("let-die", "")
        until(lambda: play.started() == [first, second], "the second started")
        assert server.where(first) is None


def test_an_abort_placed_between_two_listings_wins():
    """Request and marker appear together while the server does not look."""
    server, play = scripted()
    with server:
        play.capacity(5)
        server.process.send_signal(19)  # SIGSTOP
        request = server.enqueue("n=1")
        server.wq("abort", request)
        server.process.send_signal(18)
        server.wq("wait", request, expect=121)
        other = server.enqueue("n=2")
        until(lambda: play.started() == [other], "the other started alone")


def test_a_timeout_aborts_in_each_state():
    server, play = scripted("wakes = true")
    with server:
        server.process.send_signal(19)
        request = server.enqueue("n=1")
        code, out, err = server.wq("wait", "--timeout", "10ms", request, expect=None)
        assert code == 120 and out == "", (code, out, err)
        server.process.send_signal(18)
        until(lambda: server.where(request) is None, "requested one gone")

        request = server.enqueue("n=2")
        pending(server, request)
        server.wq("wait", "--timeout", "10ms", request, expect=120)
        until(lambda: server.where(request) is None, "pending one gone")

        play.capacity(1)
        request = server.enqueue("n=3")
        running(server, request)
        server.wq("wait", "--timeout", "10ms", request, expect=120)
        until(lambda: server.where(request) is None, "running one gone")
        assert play.events("terminate") == [("terminate", request)]

        request = server.enqueue("n=4")
        running(server, request)
        server.wq("wait", "--timeout", "10ms", "--no-abort", request, expect=120)
        assert server.where(request) == "3-running"
        play.finish(request)
        server.wq("wait", "--timeout", "0s", request, expect=None)
        until(lambda: server.where(request) in (None, "4-complete"), "complete")


def test_a_task_that_never_began_keeps_its_place():
    server, play = scripted("wakes = true", max_running=1)
    with server:
        play.capacity(1)
        first, second = server.enqueue("n=1"), server.enqueue("n=2")
        running(server, first)
        play.finish(first, "not-started")
        until(lambda: play.started() == [first, first], "started again before the second")
        play.finish(first)
        until(lambda: play.started() == [first, first, second], "then the second")


def test_several_waiters_of_one_request_end():
    server, play = scripted("wakes = true")
    with server:
        play.capacity(1)
        request = server.enqueue("n=1")
        running(server, request)
        waiters = [subprocess.Popen([wqtest.WQ, "wait", "--peek", "--json", request],
                                    env=server.env, stdout=subprocess.PIPE, text=True)
                   for _ in range(5)]
        play.finish(request)
        for w in waiters:
            out, _ = w.communicate(timeout=wqtest.LIMIT_S)
            assert w.returncode == 0 and json.loads(out)["status"] == "ok"
        server.wq("wait", request)
        server.wq("wait", request, expect=121)


def test_requests_made_while_the_server_is_down_are_served():
    server, play = scripted()
    with server:
        server.stop()
        requests = [server.enqueue(f"n={i}") for i in range(5)]
        assert server.names("1-requested") == requests
        play.capacity(5)
        server.start()
        until(lambda: len(play.started()) == 5, "all started")
        assert play.started() == requests


def test_the_log_tells_a_requests_life():
    server, play = scripted("wakes = true")
    with server:
        play.capacity(1)
        request = server.enqueue("n=1")
        running(server, request)
        play.finish(request)
        server.wq("wait", request)
        server.stop()
        lines = [l.split(">", 1)[-1] for l in server.log_text().splitlines() if request in l]
        words = [l[len(request) + 2:].split(":")[0].split()[0] for l in lines]
        assert words == ["accepted", "started", "reaped", "complete"], lines
        passes = [l for l in server.log_text().splitlines() if ">pass: " in l]
        # A start counts when its task begins, which is a sync later.
        for what in "1 new", "1 started", "1 completed":
            assert sum(what in l for l in passes) == 1, passes


def test_a_killed_server_loses_nothing_and_runs_nothing_twice():
    server, play = scripted("wakes = true", max_running=2)
    with server:
        play.capacity(2)
        requests = [server.enqueue(f"n={i}") for i in range(4)]
        until(lambda: len(play.started()) == 2, "two started")
        server.kill()
        server.start()
        for request in requests[:2]:  # policy fail: it may have run
            code, out, err = server.wq("wait", "--json", request, expect=None)
            result = json.loads(out)
            assert code == 122 and result["status"] == "lost", (code, out, err)
            assert result["error"] == "server-restart"
        until(lambda: play.started() == requests, "the others started once")
        play.finish("all")
        server.wq("wait", *requests[2:])


def test_a_second_server_is_refused_and_harms_nothing():
    server, play = scripted()
    with server:
        request = server.enqueue("n=1")
        pending(server, request)
        second = subprocess.run([wqtest.SERVER, "-c", server.conf], capture_output=True, text=True,
                                timeout=wqtest.LIMIT_S)
        assert second.returncode == 1
        assert str(server.process.pid) in second.stderr and server.spool in second.stderr, second
        assert server.where(request) == "2-pending"


if __name__ == "__main__":
    wqtest.main(globals())
