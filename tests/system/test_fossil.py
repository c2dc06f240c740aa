# SPDX-License-Identifier: BSD-2-Clause
"""wq-shepherd as it was when its protocol was 1.0 serves the server of today: what a user has after
an upgrade while commands run."""

import os
import signal
import subprocess

import wqtest
from test_shepherd import Commands, check_fifty, fifty, open_gate, shepherd_pids, tagged
from wqtest import LIMIT_S, until

FOSSIL = os.path.join(os.environ["WQ_CLIENT_BUILD"], "tests", "fossils", "wq-shepherd-1.0")


class OldShepherd(Commands):
    """A server whose shepherd is the fossil, started as an earlier server did it."""

    def __init__(self, **kw):
        super().__init__(**kw)
        self.result(self.shell("true"))  # the shepherd knows how long it is to linger
        self.stop()
        until(lambda: not shepherd_pids(self), "the shepherd of today has gone")
        own = os.open(os.path.join(self.spool, ".wq"), os.O_RDONLY | os.O_DIRECTORY)
        self.old = subprocess.Popen(["wq-shepherd", str(own), self.uuid(), self.spool],
                                    executable=FOSSIL, pass_fds=[own], stdin=subprocess.DEVNULL)
        os.close(own)
        socket = os.path.join(self.spool, ".wq", "shepherd.sock")
        until(lambda: os.path.exists(socket), "it listens")
        self.start()

    def __exit__(self, kind, value, tb):
        try:
            super().__exit__(kind, value, tb)
        finally:
            self.old.kill()
            self.old.wait(LIMIT_S)


def test_what_it_runs_has_output_an_exit_status_and_an_end():
    with OldShepherd(n=3, grace="1s") as server:
        head, payload = server.result(server.shell("echo out; echo err >&2; exit 5"))
        assert head["code"] == 5, head
        assert (payload["stdout"]["tail"], payload["stderr"]["tail"]) == ("out\n", "err\n"), payload
        head, _ = server.result(server.shell("kill -SEGV $$"))
        assert head["signal"] == signal.SIGSEGV, head
        head, _ = server.result(server.client.enqueue({"argv": ["no-such-program"], "env": {}}))
        assert head["code"] == 127 and "no-such-program" in head["text"], head
        request = server.shell("sleep 1000 & sleep 1000")
        until(lambda: len(tagged(request)) >= 2, "it runs")
        server.client.abort(request)
        until(lambda: not server.names("3-running") and not tagged(request), "aborted")
        assert shepherd_pids(server) == [server.old.pid]


def test_commands_survive_a_killed_server_of_today():
    with OldShepherd(n=50) as server:
        made = fifty(server)
        for _, _, gate in made[:10]:
            open_gate(gate)
        server.kill()
        for _, _, gate in made[10:30]:
            open_gate(gate)
        until(lambda: all(not tagged(r) for r, _, _ in made[:30]), "30 commands have ended")
        server.start()
        for _, _, gate in made[30:]:
            open_gate(gate)
        check_fifty(server, made)
        assert shepherd_pids(server) == [server.old.pid]


def test_it_goes_when_it_is_told():
    with OldShepherd(n=1) as server:
        assert server.result(server.shell("true"))[0]["status"] == "ok"
        server.stop()
        assert server.old.wait(LIMIT_S) == 0


if __name__ == "__main__":
    wqtest.main(globals())
