# SPDX-License-Identifier: BSD-2-Clause
"""The metrics of wq-server(8): each is there, reads as Prometheus text, and counts what happened."""

import json
import math
import os
import re
import signal
import time

import wqtest
from client import PyClient, make_id, request_file
from wqtest import Scripted, Server, until

NULL = 'task-manager "null" { plugin = "null" }'


def scripted(max_running=100):
    server = Server("", start=False)
    play = Scripted(server.dir)
    server.configure(f'task-manager "play" {{ plugin = "scripted" max-running = {max_running}\n'
                     f'options {{ dir = "{play.dir}" wakes = true }} }}')
    return server.start(), play


def running(server, request):
    until(lambda: server.begun(request), f"{request} running")


# ---- the kernel's event queue --------------------------------------------------------------------


def test_an_overflow_of_the_event_queue_loses_nothing():
    with open("/proc/sys/fs/inotify/max_queued_events") as f:
        n = int(f.read()) + 600
    if n > 200000:
        raise wqtest.Skip("small-event-queue", f"it holds {n - 600} events, too many to fill")
    server = Server('task-manager "null" { plugin = "null" max-running = 64 }\n', "log-level = notice")
    with server:
        client = PyClient(server.spool)
        data = request_file({})
        server.process.send_signal(signal.SIGSTOP)
        requests = [client.publish(data) for _ in range(n)]
        aborted = set(requests[50::997])
        for request in aborted:
            client.abort(request)
        server.process.send_signal(signal.SIGCONT)
        want = set(requests) - aborted
        until(lambda: len(server.names("4-complete")) == len(want) and
              not server.names("5-aborting"), "all done")
        assert set(server.names("4-complete")) == want
        for state in ("1-requested", "2-pending", "3-running"):
            assert server.names(state) == [], state
        assert server.metric("wq_overflows_total") >= 1
        assert server.metric("wq_rescans_total") >= 1
        assert server.metric("wq_received_total") + server.metric("wq_unknown_aborts_total") >= len(want)
        assert server.metric("wq_completed_total", status="normal", task_manager="null") == len(want)


# ---- metrics -------------------------------------------------------------------------------------

HISTOGRAMS = ("wq_time_waiting_seconds", "wq_time_running_seconds", "wq_time_to_abort_seconds")
COUNTERS = ("wq_ticks_total", "wq_received_total", "wq_completed_total", "wq_unknown_aborts_total",
            "wq_collected_total", "wq_rejected_total", "wq_lost_total", "wq_quarantined_total",
            "wq_late_arrivals_total", "wq_overflows_total", "wq_rescans_total", "wq_expired_total",
            "wq_queue_full_total", "wq_gate_closed_total", "wq_no_space_total",
            "wq_results_dropped_total", "wq_history_removed_total", "wq_requeued_total")
GAUGES = ("wq_tasks", "wq_accepting", "wq_queue_limit", "wq_no_space", "wq_free_bytes",
          "wq_free_inodes")
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="[^"\\\n]*",?)*)\})? '
                    r'([0-9.eE+-]+|\+Inf|NaN)')


def prometheus(text):
    """(types, {(name, labels): value}) of the text format, version 0.0.4."""
    types, samples, helped = {}, {}, set()
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert name not in helped, line
            helped.add(name)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types and kind in ("counter", "gauge", "histogram"), line
            types[name] = kind
        else:
            m = SAMPLE.fullmatch(line)
            assert m, f"no sample: {line!r}"
            labels = tuple(sorted(re.findall(r'(\w+)="([^"]*)"', m[2] or "")))
            assert (m[1], labels) not in samples, line
            base = re.sub(r"_(bucket|sum|count)$", "", m[1])
            assert m[1] in types or types.get(base) == "histogram", line
            samples[m[1], labels] = float(m[3])
    return types, samples


class Metrics:
    def __init__(self, server):
        self.types, self.samples = prometheus(server.wq("metrics"))

    def get(self, name, **labels):
        return self.samples[name, tuple(sorted(labels.items()))]

    def buckets(self, name, tm):
        found = [(float(dict(labels)["le"].replace("+Inf", "inf")), value)
                 for (n, labels), value in self.samples.items()
                 if n == name + "_bucket" and dict(labels)["task_manager"] == tm]
        return sorted(found)


def test_an_idle_server_has_all_documented_metrics():
    with Server(NULL) as server:
        m = Metrics(server)
        assert {n for n, k in m.types.items() if k == "histogram"} == set(HISTOGRAMS)
        assert {n for n, k in m.types.items() if k == "counter"} == set(COUNTERS)
        assert {n for n, k in m.types.items() if k == "gauge"} == set(GAUGES)
        for state in ("pending", "running"):
            assert m.get("wq_tasks", state=state, task_manager="null") == 0
        assert m.get("wq_tasks", state="pending", task_manager="") == 0
        for status in ("normal", "abort"):
            for tm in ("null", ""):
                assert m.get("wq_completed_total", status=status, task_manager=tm) == 0
        assert m.get("wq_accepting") == 1 and m.get("wq_no_space") == 0
        assert m.get("wq_queue_limit") == 100000
        assert m.get("wq_free_bytes") > 0
        for name in ("wq_rejected_total", "wq_lost_total", "wq_expired_total"):
            for tm in ("null", ""):
                assert m.get(name, task_manager=tm) == 0
        # An idle server makes no passes.
        assert Metrics(server).get("wq_ticks_total") == m.get("wq_ticks_total")


def test_metrics_count_what_happened():
    server, play = scripted(max_running=2)
    with server:
        client = PyClient(server.spool)
        lost = server.enqueue("n=0")
        play.capacity(1)
        until(lambda: play.started() == [lost], "started")  # the name moves before
        server.kill()
        play.capacity(0)
        server.start()
        server.wq("wait", lost, expect=122)

        # Two wait; one with an older id comes late, and goes before them.
        older = make_id()
        waiting = [server.enqueue(f"n={i}") for i in range(2)]
        for request in waiting:
            until(lambda: server.where(request) == "2-pending", "pending")
        client.publish(request_file({"late": True}), request=older)
        until(lambda: server.where(older) == "2-pending", "pending")
        m = Metrics(server)
        assert m.get("wq_late_arrivals_total") == 1
        assert sum(v for (n, l), v in m.samples.items()
                   if n == "wq_tasks" and ("state", "pending") in l) == 3

        play.capacity(2)
        until(lambda: play.started() == [lost, older, waiting[0]], "started in order")
        assert Metrics(server).get("wq_tasks", state="running", task_manager="play") == 2
        server.wq("abort", waiting[1])   # pending
        server.wq("abort", waiting[0])   # running
        server.wq("wait", *waiting, expect=121)
        play.finish(older)
        until(lambda: server.where(older) == "4-complete", "complete")
        server.wq("abort", older)        # complete
        until(lambda: server.where(older) is None, "removed")
        server.wq("wait", older, expect=121)
        client.abort(make_id())          # unknown
        until(lambda: server.names("5-aborting") == [], "markers gone")
        assert client.result(client.publish(b"no request"))[0]["status"] == "rejected"
        with open(os.path.join(server.spool, "1-requested", "no-id"), "w"):
            pass
        until(lambda: server.names("1-requested") == [], "set aside")
        good = server.enqueue("n=4")
        running(server, good)
        play.finish(good, "failed it did")
        server.wq("wait", good, expect=1)

        m = Metrics(server)
        get = m.get
        assert get("wq_received_total") == 5                    # late, two, bad, good
        assert get("wq_completed_total", status="normal", task_manager="play") == 3  # lost, older, good
        assert get("wq_completed_total", status="normal", task_manager="") == 1      # the bad one
        aborts = [get("wq_completed_total", status="abort", task_manager=tm) for tm in ("play", "")]
        assert sum(aborts) == 2, aborts
        assert get("wq_rejected_total", task_manager="") == 1
        assert get("wq_rejected_total", task_manager="play") == 0
        assert get("wq_lost_total", task_manager="play") == 1
        assert get("wq_unknown_aborts_total") == 1
        assert get("wq_collected_total") == 1
        assert get("wq_quarantined_total") == 2
        assert get("wq_late_arrivals_total") == 1
        assert get("wq_overflows_total") == 0 == get("wq_rescans_total")
        assert get("wq_ticks_total") > 5
        assert get("wq_tasks", state="running", task_manager="play") == 0
        # The sums of each: started three times, two of these came to an end by themselves.
        count = lambda name: sum(get(name + "_count", task_manager=tm) for tm in ("play", ""))
        assert count("wq_time_waiting_seconds") == 3
        assert count("wq_time_running_seconds") in (2, 3)  # with or without the aborted one
        assert count("wq_time_to_abort_seconds") == 2
        for name in HISTOGRAMS:
            for tm in ("play", ""):
                buckets = m.buckets(name, tm)
                values = [v for _, v in buckets]
                assert values == sorted(values) and buckets[-1][0] == float("inf"), buckets
                assert values[-1] == get(name + "_count", task_manager=tm)
                total = get(name + "_sum", task_manager=tm)
                assert (total > 0) == (values[-1] > 0), (name, total)
        # The JSON says the same.
        for metric in json.loads(server.wq("metrics", "--json")):
            assert metric["help"] and m.types[metric["name"]] == metric["type"]
            for s in metric["samples"]:
                if metric["name"] != "wq_ticks_total":
                    value = m.get(metric["name"] + s.get("suffix", ""), **s["labels"])
                    assert math.isclose(value, s["value"], rel_tol=1e-12), (metric["name"], s)


def test_a_histogram_has_times_in_the_right_bucket():
    server, play = scripted()
    with server:
        play.capacity(1)
        request = server.enqueue("n=1")
        running(server, request)
        began = time.monotonic()
        until(lambda: time.monotonic() - began > 0.12, "a time that tells")
        play.finish(request)
        _, out, _ = server.wq("wait", "--json", request, expect=None)
        took = json.loads(out)["running-ns"] / 1e9
        m = Metrics(server)
        assert abs(m.get("wq_time_running_seconds_sum", task_manager="play") - took) < 1e-6
        for le, value in m.buckets("wq_time_running_seconds", "play"):
            assert value == (took <= le), (le, value, took)


if __name__ == "__main__":
    wqtest.main(globals())
