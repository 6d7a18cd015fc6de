# SPDX-License-Identifier: Apache-2.0
"""Calls over a private socket that is no bus: libsystemd by ctypes, since the tools want a bus daemon."""
import ctypes
import ctypes.util

LIB = ctypes.CDLL(ctypes.util.find_library("systemd"))


class Error(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("message", ctypes.c_char_p), ("need_free", ctypes.c_int)]


class Peer:
    """One connection. call() gives (None, string) or (error name, message)."""

    def __init__(self, path):
        self.bus = ctypes.c_void_p()
        LIB.sd_bus_new(ctypes.byref(self.bus))
        LIB.sd_bus_set_address(self.bus, f"unix:path={path}".encode())
        self.ok = LIB.sd_bus_start(self.bus) >= 0

    def call(self, interface, member, types="", *args, path="/org/osh/Manager1"):
        error, reply = Error(), ctypes.c_void_p()
        words = [a.encode() if isinstance(a, str) else a for a in args]
        r = LIB.sd_bus_call_method(self.bus, None, path.encode(), interface.encode(), member.encode(), ctypes.byref(error),
                                   ctypes.byref(reply), types.encode(), *words)
        if r < 0:
            return (error.name or str(r).encode()).decode(), (error.message or b"").decode()
        text = ctypes.c_char_p()
        if LIB.sd_bus_message_read_basic(reply, ctypes.c_char(b"s"), ctypes.byref(text)) > 0:
            return None, text.value.decode()
        return None, ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        LIB.sd_bus_flush_close_unref(self.bus)
