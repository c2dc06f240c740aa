# SPDX-License-Identifier: BSD-2-Clause
"""libwq for tests that submit much: as little as they need, by ctypes."""

import ctypes
import os

ID_SIZE = 32
FOREVER = -1
TIMEOUT, GONE = -5009, -5010


class Err(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("code", ctypes.c_int32),
                ("sys_errno", ctypes.c_int32), ("reserved", ctypes.c_uint32),
                ("name", ctypes.c_char * 48), ("text", ctypes.c_char * 448)]


class Request(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("reserved", ctypes.c_uint32),
                ("task_manager", ctypes.c_char_p), ("key", ctypes.c_char_p),
                ("label", ctypes.c_char_p), ("payload", ctypes.c_char_p),
                ("payload_len", ctypes.c_size_t)]


class Info(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("code", ctypes.c_int32),
                ("signal", ctypes.c_int32), ("attempt", ctypes.c_uint32),
                ("id", ctypes.c_char_p), ("status", ctypes.c_char_p), ("error", ctypes.c_char_p),
                ("text", ctypes.c_char_p), ("task_manager", ctypes.c_char_p)]


_lib = ctypes.CDLL(os.path.join(os.environ["WQ_CLIENT_BUILD"], "lib", "libwq.so"))


class Client:
    def __init__(self, spool):
        self.c = ctypes.c_void_p()
        self.err = Err()
        self._check(_lib.wq_open(ctypes.byref(self.c), spool.encode(), ctypes.byref(self.err)))

    def _check(self, rc):
        if rc < 0:
            raise RuntimeError(f"{rc}: {self.err.name.decode()}: {self.err.text.decode()}")

    def enqueue(self, payload=b"\xa0", task_manager=None):
        """`payload`: one CBOR item."""
        request = Request(struct_size=ctypes.sizeof(Request), payload=payload,
                          payload_len=len(payload),
                          task_manager=task_manager.encode() if task_manager else None)
        out = ctypes.create_string_buffer(ID_SIZE)
        self._check(_lib.wq_enqueue(self.c, ctypes.byref(request), out, ctypes.byref(self.err)))
        return out.value.decode()

    def wait(self, request, timeout_s=60):
        """The status of its result."""
        result, info = ctypes.c_void_p(), Info(struct_size=ctypes.sizeof(Info))
        self._check(_lib.wq_wait(self.c, request.encode(), ctypes.c_int64(int(timeout_s * 1e9)), 0,
                                 ctypes.byref(result), ctypes.byref(self.err)))
        _lib.wq_result_info(result, ctypes.byref(info))
        status = info.status.decode()
        _lib.wq_result_free(result)
        return status

    def wait_any(self, requests, done, timeout_s=60):
        """The index of one of them that has a result now, which is taken away; None in time."""
        n, index, result = len(requests), ctypes.c_size_t(), ctypes.c_void_p()
        rc = _lib.wq_wait_any(
            self.c, (ctypes.c_char_p * n)(*(r.encode() for r in requests)),
            (ctypes.c_uint8 * n)(*done), ctypes.c_size_t(n), ctypes.c_int64(int(timeout_s * 1e9)), 0,
            ctypes.byref(index), ctypes.byref(result), ctypes.byref(self.err))
        if rc == TIMEOUT:
            return None
        self._check(rc)
        _lib.wq_result_free(result)
        return index.value

    def close(self):
        _lib.wq_close(self.c)
