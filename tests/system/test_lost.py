# SPDX-License-Identifier: BSD-2-Clause
"""Commands whose task manager is no more when the server comes back: they are lost, but there is no
result, and their slots stay taken, while anything of them runs."""

import os

import wqtest
from test_shepherd import Commands, conf, shepherd_pids, tagged
from wqtest import until

STUBBORN = "trap '' TERM; echo ran >>{}; while :; do sleep 0.1; done"


def stubborn(server, name):
    request = server.shell(STUBBORN.format(os.path.join(server.dir, name)), task_manager="run")
    until(lambda: os.path.exists(os.path.join(server.dir, name)), "it runs")
    return request


def until_clearing(server, request):
    until(lambda: f"{request}: it is lost, but" in server.log_text(), "its end has been ordered")


def ran_once(server, name):
    with open(os.path.join(server.dir, name)) as f:
        return f.read() == "ran\n"


def come_back_with(server, task_managers):
    server.configure(task_managers, "shepherd-linger = 5s")
    server.start()


def renamed(grace):
    return conf(1, grace).replace('"run"', '"other"')


def test_a_renamed_task_manager_starts_nothing_before_the_old_commands_have_ended():
    with Commands(n=1, grace="2s") as server:
        old = stubborn(server, "old")
        server.stop()
        come_back_with(server, renamed("2s"))
        next_one = server.shell("true")
        until_clearing(server, old)
        assert tagged(old) and server.where(old) == "3-running"
        head, _ = server.result(next_one)
        assert head["status"] == "ok" and not tagged(old)
        head, _ = server.result(old)
        assert head["status"] == "lost" and head["error"] == "server-restart", head
        assert ran_once(server, "old")


def test_without_any_task_manager_that_has_children_they_are_ended_all_the_same():
    with Commands(n=1, grace="1s") as server:
        old = stubborn(server, "old")
        server.stop()
        come_back_with(server, 'task-manager "none" { plugin = "null" }')
        until_clearing(server, old)
        assert server.where(old) == "3-running"
        head, _ = server.result(old)
        assert head["status"] == "lost" and not tagged(old), head
        assert ran_once(server, "old")
        # and when nothing is left no server has to do with a shepherd
        server.stop()
        until(lambda: not shepherd_pids(server), "the shepherd has gone")
        server.start()
        assert not shepherd_pids(server)


def test_an_abort_of_what_is_lost_leaves_no_result():
    with Commands(n=1, grace="2s") as server:
        old = stubborn(server, "old")
        server.stop()
        come_back_with(server, renamed("2s"))
        until_clearing(server, old)
        server.client.abort(old)
        until(lambda: server.where(old) is None and not server.names("5-aborting"), "aborted")
        assert not tagged(old)
        assert server.client.result(old) is None


def test_a_server_killed_while_it_ends_what_is_lost_loses_it_once():
    with Commands(n=1, grace="2s") as server:
        old = stubborn(server, "old")
        server.kill()
        come_back_with(server, renamed("2s"))
        until_clearing(server, old)
        server.kill()
        server.start()
        head, _ = server.result(old)
        assert head["status"] == "lost" and not tagged(old), head
        server.kill()
        server.start()
        assert server.result(server.shell("true"))[0]["status"] == "ok"
        assert ran_once(server, "old")


if __name__ == "__main__":
    wqtest.main(globals())
