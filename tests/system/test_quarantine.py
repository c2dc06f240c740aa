# SPDX-License-Identifier: BSD-2-Clause
"""What the server sets aside is listed with its reason, shown, retried and dropped, while it runs
and while it does not."""

import json
import os
import subprocess

import wqtest
from client import PyClient, request_file
from wqtest import WQ, Server, Skip, until

NULL = '''task-manager "null" { plugin = "null" }'''
HOSTILE = [b"new\nline", b"\x1b[31mred", b"\xff\xfe\xc0\xaf", b"-rf", b"--all", b"a b", b"x.why",
           "\u202egnp.exe".encode()]


def quarantine(server):
    return os.path.join(os.fsencode(server.spool), b".wq", b"quarantine")


def lying(server):
    return sorted(os.listdir(quarantine(server)))


def wq(server, *args, expect=0):
    """`wq quarantine` with words of any bytes; its standard output and error, as bytes."""
    done = subprocess.run([WQ, "quarantine", *args], capture_output=True, env=server.env,
                          timeout=wqtest.LIMIT_S)
    assert done.returncode == expect, (args, done.returncode, done.stdout, done.stderr)
    return done.stdout, done.stderr


def listed(server):
    """By name, as bytes."""
    ret = {}
    for line in wq(server, "list", "--json")[0].splitlines():
        entry = json.loads(line)
        ret[bytes.fromhex(entry["name-hex"]) if "name-hex" in entry
            else entry["name"].encode()] = entry
    return ret


def is_explained(server, name):
    until(lambda: name + b".why" in lying(server), f"{name!r} set aside")


def put_name(server, name, data=b"x"):
    """A file of this name in 1-requested, moved in whole; until the server has set it aside."""
    path = os.path.join(os.fsencode(server.spool), b"1-requested", name)
    hidden = os.path.join(os.path.dirname(path), b".hidden")
    with open(hidden, "wb") as f:
        f.write(data)
    os.chmod(hidden, 0o600)
    os.rename(hidden, path)
    is_explained(server, name)


def rejected(server, client, data):
    """Publish; the id under which it lies in quarantine, once that is answered and explained."""
    request = client.publish(data)
    assert client.result(request)[0]["status"] == "rejected"
    is_explained(server, request.encode())
    return request


def duplicate(server, client, payload):
    """A good request in quarantine: the second one with the id of another."""
    first = client.enqueue({"first": True})
    until(lambda: server.where(first) == "4-complete", "the first")
    client.publish(request_file(payload), first)
    is_explained(server, first.encode())
    assert client.result(first)[0]["status"] == "ok"
    return first


def test_each_kind_is_listed_with_its_reason():
    with Server(NULL) as server:
        client = PyClient(server.spool)
        good = request_file({"n": 1})
        put_name(server, b"README")
        torn = rejected(server, client, good[:-6])
        flipped = rejected(server, client, good[:-1] + bytes([good[-1] ^ 1]))
        unknown = rejected(server, client, request_file(1, task_manager="nobody"))
        twice = duplicate(server, client, {"n": 2})
        seen = listed(server)
        errors = {name.decode(): entry["error"] for name, entry in seen.items()}
        assert errors.pop(torn) in ("truncated", "missing-payload", "bad-cbor"), seen
        assert errors == {"README": "bad-name", flipped: "bad-checksum",
                          unknown: "unknown-task-manager", twice: "duplicate-id"}, seen
        assert all(e["text"] and e["uid"] == os.geteuid() for e in seen.values()), seen
        assert seen[b"README"]["id"] == "" and seen[twice.encode()]["id"] == twice
        assert list(seen)[0] == b"README" and list(seen)[-1] == twice.encode()  # the oldest first
        lines = wq(server, "list")[0].decode().splitlines()
        assert len(lines) == len(seen) and "README" in lines[0] and "bad-name" in lines[0], lines
        # without a server it is the same
        server.stop()
        assert listed(server) == seen


def test_a_good_one_is_shown_and_retried_and_runs():
    with Server(NULL) as server:
        client = PyClient(server.spool)
        twice = duplicate(server, client, {"n": 2})
        shown = json.loads(wq(server, "show", "--json", twice[18:23])[0])
        assert shown["request"] is True and shown["payload"] == {"n": 2}, shown
        assert wq(server, "show", "--raw", twice)[0] == request_file({"n": 2})
        out, err = wq(server, "retry", twice)
        new = out.decode().strip()
        assert new != twice and err == b""
        assert client.result(new)[0]["status"] == "ok"
        assert lying(server) == []


def test_what_was_refused_can_be_retried_when_that_is_mended():
    with Server(NULL) as server:
        client = PyClient(server.spool)
        unknown = rejected(server, client, request_file(1, task_manager="late"))
        server.stop()
        server.configure(NULL + '''\ntask-manager "late" { plugin = "null" }\n''',
                         'default-task-manager = "null"')
        new = wq(server, "retry", unknown)[0].decode().strip()  # while there is no server
        server.start()
        assert client.result(new)[0]["task-manager"] == "late"
        assert lying(server) == []


def test_a_bad_one_is_not_retried_and_stays():
    with Server(NULL) as server:
        client = PyClient(server.spool)
        good = request_file({"n": 1})
        flipped = rejected(server, client, good[:-1] + bytes([good[-1] ^ 1]))
        before = lying(server)
        out, err = wq(server, "retry", flipped, expect=125)
        assert out == b"" and b"no whole request" in err, err
        assert lying(server) == before and server.names("1-requested") == []
        shown = json.loads(wq(server, "show", "--json", flipped)[0])
        assert shown["request"] is False and shown["error"] == "bad-checksum", shown


def test_hostile_names():
    with Server(NULL) as server:
        for name in HOSTILE:
            put_name(server, name)
        seen = listed(server)
        assert sorted(seen) == sorted(HOSTILE), seen
        out = wq(server, "list")[0]
        out.decode()
        assert b"\x1b" not in out and out.count(b"\n") == len(HOSTILE), out
        for name in HOSTILE:
            shown, _ = wq(server, "show", "--", name)
            assert b"\x1b" not in shown and b"bad-name" in shown, shown
            assert wq(server, "show", "--raw", "--", name)[0] == b"x"
            _, err = wq(server, "retry", "--", name, expect=125)
            assert b"\x1b" not in err and err.count(b"\n") == 1, err
            err.decode()
        for n, name in enumerate(HOSTILE, 1):
            wq(server, "drop", "--", name)
            assert name not in lying(server) and len(lying(server)) == 2 * (len(HOSTILE) - n)
            _, err = wq(server, "drop", "--", name, expect=121)
            assert b"\x1b" not in err, err


def test_drop_all_leaves_a_directory_that_holds_something():
    with Server(NULL) as server:
        put_name(server, b"README")
        for name in ("empty", "full"):
            made = os.path.join(server.dir, name)
            os.makedirs(os.path.join(made, "inside") if name == "full" else made)
            os.rename(made, os.path.join(server.spool, "1-requested", name))
            is_explained(server, name.encode())
        _, err = wq(server, "drop", "--all", expect=125)
        assert b"'full' is a directory that holds something" in err, err
        assert lying(server) == [b"full", b"full.why"]
        os.rmdir(os.path.join(quarantine(server), b"full", b"inside"))
        assert wq(server, "drop", "--all") == (b"", b"")
        assert lying(server) == []


def test_what_vanishes_meanwhile_is_no_crash():
    """The server prunes at the same moment: here all of it, again and again."""
    with Server(NULL) as server:
        root = quarantine(server)
        for _ in range(20):
            for n in range(50):
                for name in (f"junk-{n}", f"junk-{n}.why"):
                    open(os.path.join(root, name.encode()), "wb").close()
            with subprocess.Popen([WQ, "quarantine", "list"], env=server.env,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
                for name in lying(server):
                    os.unlink(os.path.join(root, name))
                out, err = program.communicate(timeout=wqtest.LIMIT_S)
            assert program.returncode == 0 and err == b"", (program.returncode, err)
        _, err = wq(server, "drop", "junk-1", expect=121)
        assert b"nothing is" in err, err


def test_another_users_spool_is_refused():
    if os.geteuid() != 0:
        raise Skip("root", "only root can be somebody else")
    with Server(NULL) as server:
        os.chmod(server.dir, 0o755)
        done = subprocess.run([WQ, "quarantine", "list"], capture_output=True, text=True,
                              env=server.env, user=65534, group=65534, extra_groups=[])
        assert done.returncode == 125 and done.stdout == "", done
        assert "private to that user" in done.stderr or "Permission denied" in done.stderr, done


if __name__ == "__main__":
    wqtest.main(globals())
