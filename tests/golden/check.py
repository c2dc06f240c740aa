#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# check.py DIR: read each file in DIR, as our encoder wrote it, with another CBOR implementation
# (cbor2).  Each must be a sequence of an envelope under tag 55799, at most one payload, and a check
# item that agrees; and its envelope must be in deterministic encoding.

import io
import os
import sys

import cbor2


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 if crc & 1 else crc >> 1
    return crc ^ 0xFFFFFFFF


def check(data):
    if data[:3] != b"\xd9\xd9\xf7":
        return "does not begin with tag 55799"
    if data[-5] != 0x44 or data[-4:] != crc32c(data[:-5]).to_bytes(4, "big"):
        return "its check item does not agree"
    body = io.BytesIO(data[:-5])
    decoder = cbor2.CBORDecoder(body)
    body.seek(3)
    envelope = decoder.decode()
    if not isinstance(envelope, dict) or not all(isinstance(k, str) for k in envelope):
        return "its envelope is no map of texts"
    markers = [k for k in envelope if k.startswith("wq-")]
    if len(markers) != 1 or envelope[markers[0]] != 1:
        return f"its markers are {markers}"
    if cbor2.dumps(envelope, canonical=True) != data[3 : body.tell()]:
        return "its envelope is not in deterministic encoding"
    if body.tell() < len(data) - 5:
        decoder.decode()
    if body.tell() != len(data) - 5:
        return f"bytes follow its payload at {body.tell()}"
    print(f"{markers[0]}: {envelope}")
    return None


failed = 0
names = sorted(os.listdir(sys.argv[1]))
names = [n for n in names if n.endswith(".cbor")]
for name in names:
    with open(os.path.join(sys.argv[1], name), "rb") as f:
        why = check(f.read())
    if why:
        failed += 1
        print(f"{name}: {why}", file=sys.stderr)
print(f"{len(names) - failed} passed, {failed} failed")
sys.exit(1 if failed or not names else 0)
