# SPDX-License-Identifier: Apache-2.0
"""A terminal for tests: a program on a pty of its own session, keys in, screen bytes out."""
import fcntl
import os
import re
import select
import signal
import struct
import termios
import time

LIMIT = 30          # seconds for anything; the machine is shared


class Term:
    def __init__(self, argv, size=(24, 80), env=None, cwd=None):
        self.out = b""          # everything that was shown
        self.seen = 0           # how far expect() has come
        self.pid, self.master = os.forkpty()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", *size, 0, 0))
                if cwd:
                    os.chdir(cwd)
                for s in range(1, 32):
                    if s not in (signal.SIGKILL, signal.SIGSTOP):
                        signal.signal(s, signal.SIG_DFL)
                os.execvpe(argv[0], argv, env if env is not None else dict(os.environ, TERM="xterm"))
            finally:
                os._exit(127)
        self.status = None

    def _read(self, timeout):
        if not select.select([self.master], [], [], max(0, timeout))[0]:
            return False
        try:
            more = os.read(self.master, 65536)
        except OSError:
            more = b""
        self.out += more
        return bool(more)

    def expect(self, pattern, timeout=LIMIT):
        """Waits until what is shown after the last match matches; the match."""
        end = time.monotonic() + timeout
        want = re.compile(pattern if isinstance(pattern, bytes) else pattern.encode(), re.S)
        while True:
            m = want.search(self.out, self.seen)
            if m:
                self.seen = m.end()
                return m
            left = end - time.monotonic()
            if left <= 0 or not self._read(left):
                # once more: the last bytes may have come with the end
                m = want.search(self.out, self.seen)
                if m:
                    self.seen = m.end()
                    return m
                raise AssertionError("%r is not in %r" % (pattern, self.out[self.seen:][-2000:]))

    def send(self, keys):
        data = keys if isinstance(keys, bytes) else keys.encode()
        while data:
            data = data[os.write(self.master, data):]

    def line(self, text):
        self.send(text + "\r")

    def resize(self, rows, cols):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, cols, 0, 0))

    def cooked(self):
        """The terminal is as a person expects it between programs."""
        flags = termios.tcgetattr(self.master)
        return bool(flags[3] & termios.ICANON and flags[3] & termios.ECHO and flags[3] & termios.ISIG
                    and flags[1] & termios.OPOST)

    def until(self, condition, what):
        end = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < end, what
            self._read(0.02)

    def wait(self):
        """Reads to the end; the exit code, negative for a signal."""
        end = time.monotonic() + LIMIT
        while self.status is None:
            self._read(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            assert time.monotonic() < end, "does not end: %r" % self.out[-2000:]
        while self._read(0.05):
            pass
        return self.status

    def stopped(self):
        """Waits for the program to stop itself; the signal."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            self._read(0.02)
            pid, status = os.waitpid(self.pid, os.WUNTRACED | os.WNOHANG)
            if pid and os.WIFSTOPPED(status):
                return os.WSTOPSIG(status)
            assert not pid, "ended instead of stopping: %r" % self.out[-2000:]
        raise AssertionError("does not stop")

    def text(self):
        return self.out.decode(errors="replace").replace("\r\n", "\n")

    def close(self):
        os.close(self.master)
        if self.status is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            os.waitpid(self.pid, 0)
