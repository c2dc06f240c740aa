# SPDX-License-Identifier: BSD-2-Clause
"""What runs on a machine: a server of real programs, clients that use libwq, and the oracle that judges
what they leave."""

import ctypes
import os
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))

import kernel  # noqa: E402
import wqtest  # noqa: E402
from libwq import FOREVER, GONE, ID_SIZE, Err, Info, Request  # noqa: E402

TORTURE = os.path.join(wqtest.BUILD, "tests", "torture")
REST_S = 30  # a spool that does not come to rest by then has lost something
STATES_AT_WORK = ("1-requested", "2-pending", "3-running", "5-aborting", ".wq/tmp")
WAIT_KEEP = 1
N_CLIENTS = 3

_lib = ctypes.CDLL(os.path.join(wqtest.BUILD, "lib", "libwq.so"))


class Recorder:
    """Each event is one write, so that what several processes record has an order."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __call__(self, *words):
        os.write(self.fd, (" ".join(words) + "\n").encode())


class Setting:
    """What a server is told: where its spool is and how it is to keep it."""

    def __init__(self, spool, recorder, level, policy, plant=None, named=False):
        self.spool = spool
        self.recorder = recorder
        self.level = level
        self.policy = policy
        self.plant = plant
        self.named = named

    def server(self):
        env = {}
        if self.plant:
            env = {"LD_PRELOAD": os.path.join(TORTURE, "plant-sync.so"), "PLANT": self.plant}
        server = wqtest.Server("", start=False, env=env)
        server.use_spool(self.spool)
        task = os.path.join(TORTURE, "task")
        server.configure(
            f'task-manager "main" {{ plugin = "fork-exec" max-running = 4 on-crash = {self.policy}\n'
            f'options {{ mode = "handler" program = "{task}, {self.recorder}" tail = 16K }} }}',
            f"durability = {self.level}")
        return server


def at_work(spool):
    """What has not come to rest: ids in the states through which they pass."""
    return [f"{state}/{name}" for state in STATES_AT_WORK
            for name in os.listdir(os.path.join(spool, state)) if not name.startswith(".")]


def judge(setting, events, level=None, final=True):
    """The promises that are broken, a line each."""
    words = [os.path.join(TORTURE, "oracle"), "--level", level or setting.level,
             "--policy", setting.policy, *(["--final"] if final else []), setting.spool]
    done = subprocess.run(words, input=events, capture_output=True, text=True, timeout=REST_S)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"the oracle: {done.stderr}")
    return done.stdout.splitlines()


def recover(setting):
    """A server finds the spool as a power cut has left it, and brings it to rest."""
    server = setting.server()
    try:
        server.start()
        Recorder(setting.recorder)("ready")
        wqtest.until(lambda: not at_work(setting.spool), "rest", REST_S)
    except AssertionError as e:
        return [f"{e}: {' '.join(at_work(setting.spool))}", *server.log_text().splitlines()[-20:]]
    return []


class Client:
    """One client, which tells the recorder what it does and hears."""

    def __init__(self, number, seed, spool, record):
        self.name = f"c{number}"
        self.spool = spool
        self.rng = random.Random(f"{seed} {number}")
        self.record = record
        self.err = Err()
        self.c = ctypes.c_void_p()
        self._call(_lib.wq_open, ctypes.byref(self.c), spool.encode())

    def _call(self, function, *args):
        rc = function(*args, ctypes.byref(self.err))
        if rc < 0 and rc != GONE:
            raise RuntimeError(f"{function.__name__}: {self.err.text.decode()}")
        return rc

    def enqueue(self):
        # CBOR, a byte string: some of them longer than a block.
        n = self.rng.choice((1, 200, 3000, 9000))
        payload = b"\x59" + n.to_bytes(2, "big") + self.rng.randbytes(n)
        request = Request(struct_size=ctypes.sizeof(Request), payload=payload,
                          payload_len=len(payload))
        out = ctypes.create_string_buffer(ID_SIZE)
        self._call(_lib.wq_enqueue, self.c, ctypes.byref(request), out)
        request = out.value.decode()
        self.record("acked", request, self.name)
        return request

    def look(self, request):
        """Wait for its result and leave it; False: it is gone."""
        self.record("looking", request)
        result = ctypes.c_void_p()
        rc = self._call(_lib.wq_wait, self.c, request.encode(), ctypes.c_int64(FOREVER), WAIT_KEEP,
                        ctypes.byref(result))
        if rc == GONE:
            self.record("gone", request)
            return False
        info = Info(struct_size=ctypes.sizeof(Info))
        _lib.wq_result_info(result, ctypes.byref(info))
        self.record("seen", request, info.status.decode())
        _lib.wq_result_free(result)
        return True

    def collect(self, request):
        if self._call(_lib.wq_collect, self.c, request.encode()) != GONE:
            self.record("collected", request)

    def abort(self, request):
        self.record("aborting", request)
        self._call(_lib.wq_abort, self.c, request.encode())
        self.record("aborted", request)
        # It is done when its marker has gone: its subject goes earlier, and may come back by a cut.
        wqtest.until(lambda: not os.path.lexists(os.path.join(self.spool, "5-aborting", request)),
                     f"the abort of {request}")
        self.look(request)

    def live(self):
        """One of the lives that a request may have."""
        life = self.rng.random()
        if life < 0.6:
            requests = [self.enqueue()]
        else:
            requests = [self.enqueue() for _ in range(self.rng.randint(2, 6))]
        for request in requests:
            if self.rng.random() < 0.2:
                time.sleep(self.rng.random() * 0.02)
                self.abort(request)
            elif self.look(request) and self.rng.random() < 0.8:
                self.collect(request)


class Neighbour:
    """Somebody else's file on the same disk, whose syncs write the journal now and then."""

    def __init__(self, directory, seed):
        self.fd = os.open(os.path.join(directory, "neighbour"), os.O_CREAT | os.O_WRONLY, 0o600)
        self.rng = random.Random(f"{seed} neighbour")

    def live(self):
        os.pwrite(self.fd, self.rng.randbytes(100), 0)
        os.fsync(self.fd)
        time.sleep(self.rng.random() * 0.1)


def work(setting, seed, seconds, neighbour=None, ready=None, settle=True):
    """A server and its clients for so long.  They are left as they are.  `settle`: what the first start
    has made is on the disk."""
    record = Recorder(setting.recorder)
    server = setting.server()
    server.start()
    if setting.named:
        open(os.path.join(setting.spool, "wq.named-tmp"), "a").close()
    if settle:
        kernel.syncfs(setting.spool)
    record("ready")
    if ready:
        ready()
    everybody = [Client(i, seed, setting.spool, record) for i in range(N_CLIENTS)]
    if neighbour:
        everybody.append(Neighbour(neighbour, seed))
    end = time.monotonic() + seconds
    failed = []

    def live(one):
        try:
            while time.monotonic() < end:
                one.live()
        except Exception as e:
            failed.append(f"{type(e).__name__}: {e}")

    threads = [threading.Thread(target=live, args=(one,), daemon=True) for one in everybody]
    for t in threads:
        t.start()
    for t in threads:
        t.join(seconds + REST_S)
    if server.process.poll() is not None:
        failed.append(f"the server ended: {server.log_text()[-2000:]}")
    return failed
