# SPDX-License-Identifier: BSD-2-Clause
"""The spool, or a part of it, is moved, removed or replaced under its server; and a second server comes
along -- as wq-server(8), WHEN THE SPOOL IS MOVED, describes it."""

import os
import shutil
import subprocess

import wqtest
from client import PyClient
from faults import Volume, run
from wqtest import LIMIT_S, SERVER, STATES, Server, open_gate, until

RUN = 'task-manager "run" { plugin = "fork-exec" max-running = 1 }'
NULL = 'task-manager "null" { plugin = "null" }'


class Commands:
    """A command that runs until its gate is opened, and one that waits for it to end; both note that
    they have run."""

    def __init__(self, server):
        self.server = server
        self.ran = os.path.join(server.dir, "ran")
        self.gate = os.path.join(server.dir, "gate")
        os.mkfifo(self.gate)
        self.first = server.enqueue("--", "sh", "-c", f"echo 1 >>{self.ran}; read x <{self.gate}")
        until(lambda: os.path.exists(self.ran), "the first runs")
        self.second = server.enqueue("--", "sh", "-c", f"echo 2 >>{self.ran}")
        until(lambda: server.where(self.second) == "2-pending", "the second waits")

    def open_gate(self):
        open_gate(self.gate)

    def check(self):
        """Each has run once, in their order, and well."""
        for request in (self.first, self.second):
            self.server.wq("wait", request)
        with open(self.ran) as f:
            assert f.read() == "1\n2\n", f"{self.first} {self.second}"


def said(server, text):
    until(lambda: text in server.log_text(), f"the log says {text!r}")


def refused(server, *words, conf=None):
    """Another server does not start, and says why."""
    done = subprocess.run([SERVER, "-c", conf or server.conf], capture_output=True, text=True,
                          timeout=LIMIT_S, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 1, done
    for word in words:
        assert word in done.stderr, (word, done.stderr)
    assert "recovered" not in done.stderr, done.stderr


def conf_for(server, spool, name):
    """The configuration of this server for the same spool by another path."""
    with open(server.conf) as f:
        text = f.read()
    path = os.path.join(server.dir, name)
    with open(path, "w") as f:
        f.write(text.replace(f'"{server.spool}"', f'"{spool}"'))
    return path


# ---- a directory of the spool --------------------------------------------------------------------


def test_a_directory_that_is_moved_ends_the_server_and_may_come_back():
    for name in (*STATES, ".wq", "work"):
        with Server(RUN) as server:
            commands = Commands(server)
            here, away = os.path.join(server.spool, name), os.path.join(server.dir, "away")
            os.rename(here, away)
            server.join(expect=1)
            assert f"the directory '{name}' of the spool was renamed" in server.log_text()
            if name in STATES:
                code, _, err = server.wq("enqueue", "n=1", expect=None)
                assert code == 125 and name in err and server.spool in err, (name, code, err)
            if name != "work":  # nothing that cannot be made anew is in there
                refused(server, server.spool, name)
                assert not os.path.lexists(here), name
            os.rename(away, here)
            commands.open_gate()
            server.start()
            commands.check()


def test_a_directory_that_is_replaced_ends_the_server():
    with Server(NULL) as server:
        os.mkdir(os.path.join(server.dir, "new"), 0o700)
        os.rename(os.path.join(server.dir, "new"), os.path.join(server.spool, "2-pending"))
        server.join(expect=1)
        assert "the directory '2-pending' of the spool was" in server.log_text()
        server.start()
        server.wq("enqueue", "--wait", "n=1")


def test_a_spool_that_is_removed_ends_the_server_and_is_not_made_again():
    with Server(NULL) as server:
        server.wq("enqueue", "--wait", "n=1")
        shutil.rmtree(server.spool)
        server.join(expect=1)
        assert not os.path.exists(server.spool)


# ---- the spool as a whole ------------------------------------------------------------------------


def stays_away_and_comes_back(server, leave, come_back, look_inside=None):
    """Away: no client finds it, nothing starts that needs a path, nothing is made where it was."""
    commands = Commands(server)
    leave()
    code, _, err = server.wq("status", expect=None)
    assert code == 125 and server.spool in err, (code, err)
    commands.open_gate()
    said(server, f"the spool is not at '{server.spool}' any more")
    said(server, f"{commands.second}: 'run' could not start it, trying again")
    if look_inside:
        look_inside()
    assert not os.path.exists(server.spool) or os.listdir(server.spool) == []
    come_back()
    commands.check()
    said(server, f"the spool is at '{server.spool}' again")
    assert server.status()["server"]["pid"] == server.process.pid
    server.wq("enqueue", "--wait", "--", "true")


def test_a_spool_that_is_renamed_is_served_and_found_again():
    with Server(RUN) as server:
        away = os.path.join(server.dir, "away")

        def look_inside():
            refused(server, "another wq-server", conf=conf_for(server, away, "away.conf"))
            assert PyClient(away).enqueue({})  # taken, for whom it may concern
            until(lambda: not os.listdir(os.path.join(away, "1-requested")), "accepted")
        stays_away_and_comes_back(server, lambda: os.rename(server.spool, away),
                                  lambda: os.rename(away, server.spool), look_inside)


def test_a_spool_that_is_unmounted_is_served_and_found_again():
    with Volume() as volume, Server(RUN, start=False) as server:
        server.use_spool(os.path.join(volume.at, "spool"))
        server.configure(RUN)
        server.start()
        stays_away_and_comes_back(server, lambda: volume.umount("-l"), volume.mount)
        refused(server, "another wq-server")


def test_a_spool_with_something_mounted_over_it_is_served_and_found_again():
    with Volume() as volume, Server(RUN, start=False) as server:
        server.use_spool(os.path.join(volume.at, "spool"))
        server.configure(RUN)
        server.start()
        stays_away_and_comes_back(
            server, lambda: run("mount", "-t", "tmpfs", "none", server.spool),
            lambda: run("umount", server.spool))


# ---- files of the server -------------------------------------------------------------------------


def answers(server):
    code, out, _ = server.wq("status", "--json", expect=None)
    return code == 0 and f'"pid":{server.process.pid}' in out


def test_a_socket_that_is_removed_or_replaced_is_made_again():
    with Server(NULL) as server:
        path = os.path.join(server.spool, "wq.sock")
        os.unlink(path)
        until(lambda: answers(server), "it answers again")
        os.rename(path, path + ".old")
        until(lambda: answers(server), "it answers again")
        with open(path + ".new", "w"):
            pass
        os.rename(path + ".new", path)
        said(server, "'wq.sock' is in the way")
        assert not answers(server)
        os.unlink(path)
        until(lambda: answers(server), "it answers again")


def page_pid(server):
    return (server.status()["page"] or {}).get("pid")


def test_a_page_that_is_removed_is_made_again():
    with Server(NULL) as server:
        path = os.path.join(server.spool, "wq.status")
        os.unlink(path)
        until(lambda: page_pid(server) == server.process.pid, "a page")


def test_a_page_that_is_cut_is_made_whole_by_the_safety_look():
    with Server(NULL, start=False) as server:
        with open(server.conf) as f:
            text = f.read()
        with open(server.conf, "w") as f:
            f.write(text.replace("safety-interval = 1h", "safety-interval = 1s"))
        server.start()
        os.truncate(os.path.join(server.spool, "wq.status"), 0)
        until(lambda: page_pid(server) == server.process.pid, "a page")


def test_a_link_in_the_place_of_the_page_is_not_followed():
    with Server(NULL) as server:
        path, victim = os.path.join(server.spool, "wq.status"), os.path.join(server.dir, "victim")
        with open(victim, "w") as f:
            f.write("untouched")
        os.symlink(victim, path + ".new")
        os.rename(path + ".new", path)
        said(server, f"'{path}' must be a plain file")
        server.wq("enqueue", "--wait", "n=1")  # who finds no page goes on without
        server.stop()
        refused(server, f"'{path}' must be a plain file")
        with open(victim) as f:
            assert f.read() == "untouched"
        os.unlink(path)
        server.start()
        assert page_pid(server) == server.process.pid


# ---- a second server -----------------------------------------------------------------------------


def test_a_second_server_is_refused_by_whatever_path_and_takes_over_after_a_kill():
    with Server(RUN) as server:
        commands = Commands(server)
        link = os.path.join(server.dir, "link")
        os.symlink(server.spool, link)
        by_link = conf_for(server, link, "link.conf")
        pid = f"(pid {server.process.pid})"
        refused(server, pid)
        refused(server, pid, conf=by_link)
        os.unlink(os.path.join(server.spool, ".wq", "lock"))
        refused(server, "another wq-server runs on the spool")
        refused(server, "another wq-server runs on the spool", conf=by_link)
        assert answers(server)
        server.kill()
        server.conf = by_link
        server.start()
        commands.open_gate()
        commands.check()


def test_a_second_server_is_refused_through_a_bind_mount():
    with Volume() as volume, Server(NULL, start=False) as server:
        server.use_spool(os.path.join(volume.at, "spool"))
        server.configure(NULL)
        server.start()
        bound = os.path.join(volume.at, "bound")
        os.mkdir(bound)
        run("mount", "--bind", server.spool, bound)
        try:
            by_bind = conf_for(server, bound, "bound.conf")
            refused(server, f"(pid {server.process.pid})", conf=by_bind)
            os.unlink(os.path.join(bound, ".wq", "lock"))
            refused(server, "another wq-server runs on the spool", conf=by_bind)
            server.wq("enqueue", "--wait", "n=1")
        finally:
            run("umount", bound)


if __name__ == "__main__":
    wqtest.main(globals())
