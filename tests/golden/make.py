#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# make.py DIR: write the golden files, with another CBOR implementation than ours (cbor2, Debian
# package python3-cbor2) and a CRC-32C from its definition.  The unit tests of codec encode the same
# values and compare bytes.  Run it when a format gains something, and look at the difference.

import sys

import cbor2


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 if crc & 1 else crc >> 1
    return crc ^ 0xFFFFFFFF


def file_of(envelope, *payload):
    data = cbor2.dumps(cbor2.CBORTag(55799, envelope), canonical=True)
    for item in payload:
        data += cbor2.dumps(item, canonical=True)
    return data + cbor2.dumps(crc32c(data).to_bytes(4, "big"))


FILES = {
    "request-minimal.cbor": file_of({"wq-request": 1}, None),
    "request-full.cbor": file_of(
        {
            "wq-request": 1,
            "task-manager": "lab-" + "7" * 28,
            "key": "host-17.example.net/" + "é" * 118,
            "label": "Prüfstand 水 \U0001F680",
        },
        {
            "argv": ["make", "check"],
            "cwd": "/srv/build",
            "nice": -5,
            "share": 1.5,
            "deadline": 1.1,
            "stdin": b"\x00\x01\xff",
            "env": {"LC_ALL": "C.UTF-8"},
            "wait": True,
            "limit": 2**64 - 1,
        },
    ),
    "request-limit.cbor": file_of(
        {"wq-request": 1, "task-manager": "lab", "label": "nightly", "run-limit-ns": 600000000000},
        None,
    ),
    "request-times.cbor": file_of(
        {
            "wq-request": 1,
            "label": "x",
            "keep-for-ns": 1,
            "run-limit-ns": 2**63 - 1,
            "task-manager": "lab",
            "start-within-ns": 5000000000,
        },
        None,
    ),
    "request-on-crash.cbor": file_of(
        {"wq-request": 1, "task-manager": "lab", "label": "nightly", "on-crash": "requeue"},
        None,
    ),
    "result-minimal.cbor": file_of(
        {
            "wq-result": 1,
            "id": "1790000000.000001-0123456789abc",
            "status": "ok",
            "uid": 0,
        }
    ),
    "result-full.cbor": file_of(
        {
            "wq-result": 1,
            "id": "1790000000.000001-fvvvvvvvvvvvv",
            "status": "killed",
            "uid": 4294967295,
            "code": 255,
            "signal": 9,
            "attempt": 4294967295,
            "error": "run-limit",
            "text": "ended after 10 min: »run-limit« of task manager 'lab'",
            "task-manager": "lab",
            "plugin": "ssh-provision 1.0",
            "key": "host-17",
            "label": "nightly",
            "accepted-us": 1790000000000001,
            "started-us": 1790000000250000,
            "ended-us": 1790000600250000,
            "waiting-ns": 249999123,
            "running-ns": 600000000000,
        },
        {"stdout": "…", "lines": [1, 23, 24, 255, 256, 65535, 65536, -1, -24, -25, 4294967296]},
    ),
    "result-expired.cbor": file_of(
        {
            "wq-result": 1,
            "id": "1790000000.000001-0123456789abc",
            "status": "expired",
            "uid": 1000,
            "error": "start-within",
            "text": "it was not started within 5s",
            "task-manager": "lab",
            "accepted-us": 1790000000000001,
            "ended-us": 1790000005000001,
            "waiting-ns": 5000000000,
            "keep-for-ns": 3600000000000,
        }
    ),
    "status-serving.cbor": file_of(
        {
            "wq-status": 1,
            "accepting": True,
            "pid": 4711,
            "version": "0.1.0",
            "started-us": 1790000000000000,
            "hwm-us": 18446744073709551615,
            "depth": 1000000,
            "request-limit": 16777216,
            "result-limit": 1048576,
            "durability": "none",
        }
    ),
    "status-full.cbor": file_of(
        {
            "wq-status": 1,
            "accepting": False,
            "why": "queue-full",
            "reason": "the queue is full: 1000000 of 1000000 requests wait",
            "pid": 4711,
            "version": "0.1.0",
            "started-us": 1790000000000000,
            "hwm-us": 1790000000000000,
            "depth": 1000000,
            "queue-limit": 1000000,
            "request-limit": 16777216,
            "result-limit": 1048576,
            "durability": "none",
        }
    ),
    "status-refusing.cbor": file_of(
        {
            "wq-status": 1,
            "accepting": False,
            "reason": "the server is stopping",
            "version": "0.1.0",
        }
    ),
}

for name, data in FILES.items():
    with open(f"{sys.argv[1]}/{name}", "wb") as f:
        f.write(data)
