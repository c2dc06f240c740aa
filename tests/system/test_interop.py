# SPDX-License-Identifier: BSD-2-Clause
"""wq and a client written from the manuals alone understand each other."""

import json

import wqtest
from client import PyClient
from wqtest import Server, until

POOL = '''task-manager "pool" { plugin = "thread-pool" max-running = 4
          options { threads = 4 handler = "echo" } }
          task-manager "null" { plugin = "null" }
          default-task-manager = "pool"'''

VALUES = [None, True, 0, 23, 24, -1, 2**32, -2**63, 1.5, 1e300, "", "text", "Grüße", b"", b"\x00\xff",
          [], [1, [2, [3]]], {}, {"a": 1, "b": [True, None]}, {"nested": {"deep": {"er": [1, 2, 3]}}}]


def test_what_python_publishes_wq_waits_for():
    with Server(POOL) as server:
        client = PyClient(server.spool)
        for value in ["text", {"a": [1, 2, {"b": None}]}, 12]:
            request = client.enqueue(value, label="from python")
            result = json.loads(server.wq("wait", "--json", request))
            assert result["status"] == "ok" and result["label"] == "from python", result
            assert result["payload"] == value, result


def test_what_wq_publishes_python_collects():
    with Server(POOL) as server:
        client = PyClient(server.spool)
        request = server.enqueue("-l", "from wq", "-k", "a key", "n=1", "name=x", 'list=[1,2]')
        head, payload = client.result(request)
        assert head["status"] == "ok" and head["label"] == "from wq" and head["key"] == "a key"
        assert payload == {"n": 1, "name": "x", "list": [1, 2]}
        assert head["task-manager"] == "pool" and head["attempt"] == 1
        assert head["accepted-us"] <= head["started-us"] <= head["ended-us"]
        server.wq("wait", request, expect=121)


def test_each_kind_of_value_comes_back_as_it_went():
    with Server(POOL) as server:
        client = PyClient(server.spool)
        requests = [client.enqueue(value) for value in VALUES]
        for request, value in zip(requests, VALUES):
            assert client.result(request)[1] == value, value


def test_an_abort_by_python_is_seen_by_wq():
    with Server('task-manager "none" { plugin = "thread-pool" options { threads = 1 } }') as server:
        client = PyClient(server.spool)
        first = client.enqueue({"handler": "sleep", "seconds": 60})
        second = client.enqueue({"handler": "sleep", "seconds": 60})
        until(lambda: server.begun(first), "running")
        client.abort(second)
        client.abort(first)
        server.wq("wait", first, expect=121)
        assert client.result(second) is None
        until(lambda: server.names("5-aborting") == [], "markers gone")


def test_extensions_pass_and_other_unknown_keys_are_refused():
    with Server(POOL) as server:
        client = PyClient(server.spool)
        assert client.result(client.enqueue(1, x_trace="abc"))[0]["status"] == "ok"
        head, _ = client.result(client.enqueue(1, labell="abc"))
        assert head["status"] == "rejected" and head["error"] == "unknown-key"
        assert "labell" in head["text"] and "label" in head["text"].replace("labell", "")


if __name__ == "__main__":
    wqtest.main(globals())
