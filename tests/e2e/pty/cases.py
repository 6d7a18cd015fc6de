# SPDX-License-Identifier: Apache-2.0
"""What a person does at a terminal with `oshctl run`, as tests. The caller sets RUN: the words that
come before `--`."""
import fcntl
import os
import re
import shlex
import signal
import struct
import subprocess
import tempfile
import time

from tap import Skip  # noqa: F401
from term import LIMIT, Term

RUN = []
DIR = tempfile.mkdtemp(prefix="osh-pty-")
os.chmod(DIR, 0o777)
PROMPT = "@@ "
TIOCGPTN = 0x80045430


def words(*cmd):
    return RUN + ["--", *cmd]


def line(*cmd):
    return " ".join(shlex.quote(w) for w in words(*cmd))


def term(*cmd, **kw):
    return Term(words(*cmd), cwd=DIR, **kw)


def outer():
    """An interactive shell outside, with oshctl as one of its jobs."""
    t = Term(["bash", "--norc", "--noprofile", "-i"], cwd=DIR,
             env=dict(os.environ, TERM="xterm", PS1=PROMPT, HISTFILE="/dev/null"))
    t.expect(PROMPT)
    t.line("bind 'set enable-bracketed-paste off' 2>/dev/null")
    t.expect(PROMPT)
    return t


def sane(t):
    """At the outer shell's prompt: the modes that it gives to its commands are the usual ones."""
    t.line("stty -a")
    t.expect(r"[^-]icrnl.*[^-]opost.*[^-]isig.*[^-]icanon.*[^-]echo\W.*" + PROMPT)


def gone(marker):
    """No process has the marker among its arguments."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if subprocess.run(["pgrep", "-f", marker], stdout=subprocess.DEVNULL).returncode:
            return True
        time.sleep(0.05)
    return False


def piped(*cmd, **kw):
    return subprocess.run(words(*cmd), cwd=DIR, timeout=LIMIT, capture_output=True, **kw)


# --- without a terminal -----------------------------------------------------------------------------

def t_status_and_streams():
    r = piped("sh", "-c", "cat; echo err >&2; exit 3", input=b"in\n")
    assert (r.returncode, r.stdout) == (3, b"in\n") and b"err\n" in r.stderr, r


def t_status_of_signal():
    assert piped("sh", "-c", "kill -TERM $$").returncode == 128 + 15
    assert piped("sh", "-c", "kill -KILL $$").returncode == 128 + 9


def t_status_of_what_cannot_run():
    r = piped("no-such-program")
    assert r.returncode == 127 and b"no-such-program" in r.stderr, r
    r = piped("/etc/passwd")
    assert r.returncode == 126 and b"/etc/passwd" in r.stderr, r


def t_no_terminal_inside():
    r = piped("sh", "-c", "for i in 0 1 2; do test -t $i && echo tty; done; (: < /dev/tty) 2>&- || echo none",
              stdin=subprocess.DEVNULL)
    assert r.stdout == b"none\n", r


def t_directory_as_stdin():
    fd = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    r = piped("ls", "/proc/self/fd/0/", stdin=fd)
    os.close(fd)
    assert r.returncode == 125 and b"directory" in r.stderr, r


def t_host_socket_is_not_given():
    import socket
    server = socket.create_server(("127.0.0.1", 0))
    a = socket.create_connection(server.getsockname())
    b = server.accept()[0]
    b.sendall(b"over tcp\n")
    b.shutdown(socket.SHUT_WR)
    r = piped("sh", "-c", "readlink /proc/self/fd/0 | cut -d: -f1; cat", stdin=a.fileno())
    assert r.stdout == b"pipe\nover tcp\n", r


def t_forwarded_signals():
    script = "trap 'echo got $s; exit 9' %s; echo up; while :; do sleep 0.05; done"
    for s in ("TERM", "INT", "HUP", "USR1", "USR2", "QUIT"):
        p = subprocess.Popen(words("sh", "-c", script % s), cwd=DIR, stdout=subprocess.PIPE,
                             stdin=subprocess.DEVNULL, start_new_session=True)
        assert p.stdout.readline() == b"up\n"
        p.send_signal(getattr(signal, "SIG" + s))
        assert p.wait(LIMIT) == 9, s
        p.stdout.close()


def t_nohup():
    p = subprocess.Popen(["nohup"] + words("sh", "-c", "echo up; sleep 1; echo done"), cwd=DIR,
                         stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True)
    assert p.stdout.readline() == b"up\n"
    p.send_signal(signal.SIGHUP)
    assert p.stdout.read() == b"done\n" and p.wait(LIMIT) == 0
    p.stdout.close()


def t_killed_oshctl_ends_the_sandbox():
    p = subprocess.Popen(words("sh", "-c", "trap '' HUP TERM INT; echo up; sleep 86411"), cwd=DIR,
                         stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert p.stdout.readline() == b"up\n"
    p.kill()
    p.wait()
    assert gone("sleep 86411")
    p.stdout.close()


def t_environment_is_clean():
    r = piped("env", env=dict(os.environ, SECRET_TOKEN="x", LD_PRELOAD="", TERM="xterm", LC_ALL="C"))
    names = {w.split("=")[0] for w in r.stdout.decode().split("\n") if w}
    assert not names & {"SECRET_TOKEN", "LD_PRELOAD", "SSH_AUTH_SOCK"} and {"TERM", "LC_ALL"} <= names, r


# --- a terminal -------------------------------------------------------------------------------------

def t_all_stdio_is_a_terminal_of_its_own():
    t = term("sh", "-c", "test -t 0 && test -t 1 && test -t 2 && echo all=$(tty); exit 5")
    assert t.wait() == 5
    inner = re.search(r"all=(/dev/pts/\d+)", t.text())
    assert inner, t.text()
    assert t.cooked()
    t.close()


def t_callers_terminal_is_nowhere():
    t = term("sh", "-c", "for f in /proc/[0-9]*/fd/* /dev/tty; do stat -L -c 'node %d:%i' $f; done 2>&-; echo end=$((1+1))")
    n = struct.unpack("I", fcntl.ioctl(t.master, TIOCGPTN, b"\0" * 4))[0]
    t.expect("end=2")
    ours = os.stat("/dev/pts/%d" % n)
    nodes = set(re.findall(r"node (\S+)", t.text()))
    assert nodes and "%d:%d" % (ours.st_dev, ours.st_ino) not in nodes, nodes
    t.wait()
    t.close()


def t_size_and_resize():
    t = term("sh", "-c", "stty size; trap 'stty size; exit 0' WINCH; echo up; while :; do sleep 0.05; done",
             size=(31, 97))
    t.expect(r"31 97\r\nup")
    t.resize(12, 55)
    t.expect("12 55")
    assert t.wait() == 0
    t.close()


def t_interrupt():
    t = term("sh", "-c", "echo up; sleep 60")
    t.expect("up")
    time.sleep(0.3)             # dash loses a SIGINT that comes while it starts a program
    t.send("\x03")
    assert t.wait() == 130
    assert t.cooked()
    t.close()


def t_interrupt_caught():
    t = term("sh", "-c", "trap 'echo caught; exit 4' INT; echo up; while :; do sleep 0.05; done")
    t.expect("up")
    t.send("\x03")
    t.expect("caught")
    assert t.wait() == 4
    t.close()


def t_end_of_file():
    t = term("cat")
    t.line("one")
    t.expect(r"one\r\none\r\n")
    t.send("\x04")
    assert t.wait() == 0
    t.close()


def t_shell_job_control():
    t = Term(RUN + ["-e", "PS1=" + PROMPT, "--", "sh", "-i"], cwd=DIR)
    t.expect(PROMPT)
    t.line("sleep 50")
    time.sleep(0.3)
    t.send("\x1a")
    t.expect(PROMPT)
    t.line("jobs; echo =$((20+3))")
    t.expect("(Stopped|Suspended).*=23")
    t.line("bg; jobs; fg")
    t.expect("Running")
    time.sleep(0.3)
    t.send("\x03")
    t.expect(PROMPT)
    t.line("exit 4")
    assert t.wait() == 4
    t.close()


def t_stop_and_foreground_under_a_shell():
    t = outer()
    t.line(line("sh", "-c", "echo up; read x; echo got=$x; read y; echo then=$y; exit 6"))
    t.expect("up\r\n")
    t.send("\x1a")
    t.expect("Stopped.*" + PROMPT)
    sane(t)
    t.line("echo out$((1+1))")
    t.expect("out2")
    t.line("fg")
    t.line("hello")
    t.expect("got=hello")
    t.send("\x1a")
    t.expect("Stopped.*" + PROMPT)
    t.line("fg")
    t.line("again")
    t.expect("then=again")
    t.expect(PROMPT)
    t.line("echo st$?")
    t.expect("st6")
    t.line("exit")
    t.wait()
    t.close()


def t_background_under_a_shell():
    t = outer()
    # no shell loop: dash starts programs by vfork, and one stopped in between cannot be waited for
    t.line(line("/usr/bin/python3", "-c", "import os, time\nprint('up', flush=True)\n"
                "while not os.path.exists('go'): time.sleep(0.05)\n"
                "print('late', flush=True)\nprint('got=' + input())"))
    t.expect("up\r\n")
    t.send("\x1a")
    t.expect("Stopped.*" + PROMPT)
    t.line("bg; echo bg$((1+1))")
    t.expect("bg2.*" + PROMPT)
    t.line("touch go")
    t.expect("late")
    t.line("echo still$((1+1))")
    t.expect("still2")          # the shell owns the keys while oshctl is in the background
    t.line("fg")
    t.until(lambda: not t.cooked(), "not raw again after fg")
    t.line("word")
    t.expect("got=word")
    t.expect(PROMPT)
    t.line("rm go; exit")
    t.wait()
    t.close()


def t_started_in_the_background():
    t = outer()
    t.line(line("sh", "-c", "echo from=$((1+1)); sleep 0.2") + " & wait; echo done$((1+1))")
    t.expect("from=2")
    t.expect("done2.*" + PROMPT)
    sane(t)
    t.line("exit")
    t.wait()
    t.close()


def t_stopped_outside():
    t = outer()
    t.line(line("sh", "-c", "echo up; read x; echo got=$x"))
    t.expect("up\r\n")
    pid = int(subprocess.check_output(["pgrep", "-P", str(t.pid)]).split()[0])
    os.kill(pid, signal.SIGSTOP)
    t.expect("Stopped.*" + PROMPT)
    t.line("fg")
    t.until(lambda: not t.cooked(), "not raw again after fg")
    t.line("word")
    t.expect("got=word")
    t.expect(PROMPT)
    t.line("exit")
    t.wait()
    t.close()


def t_vim():
    name = os.path.join(DIR, "note.txt")
    t = outer()
    t.line(line("vim.tiny", "-u", "NONE", "-i", "NONE", "-n", "note.txt"))
    t.expect("note.txt")
    t.send("ihello from vim\x1b")
    t.expect("hello from vim")
    t.resize(17, 66)
    time.sleep(0.3)
    t.send(":set lines? columns?\r")
    t.expect("lines=17.*columns=66")
    t.send("\r\x1a")
    t.expect("Stopped.*" + PROMPT)
    sane(t)
    t.line("fg")
    t.expect("hello from vim")
    t.send("\x1b:wq\r")
    t.expect(PROMPT)
    t.line("echo st$?")
    t.expect("st0")
    t.line("exit")
    t.wait()
    assert open(name).read() == "hello from vim\n"
    os.unlink(name)
    t.close()


def t_less():
    with open(os.path.join(DIR, "long.txt"), "w") as f:
        f.write("".join("line %d\n" % i for i in range(1, 501)))
    t = term("less", "-X", "long.txt")
    t.expect("line 23\r?\n")
    t.send("/line 250\r")
    t.expect("line 250")
    t.send("G")
    t.expect("line 500")
    t.send("q")
    assert t.wait() == 0
    assert t.cooked()
    t.close()


def t_pager_outside_owns_the_keys():
    t = outer()
    t.line(line("seq", "500") + " | less -X; echo st${PIPESTATUS[0]}")
    t.expect("\n23\r?\n")
    t.send("G")
    t.expect("\n500\r?\n")
    t.send("q")
    t.expect("st(0|141).*" + PROMPT)
    sane(t)
    t.line("exit")
    t.wait()
    t.close()


def t_pipeline_that_reads_the_terminal():
    t = outer()
    t.line(line("sh", "-c", "test -t 1 || echo piped; read x; echo got=$x") + " | cat")
    t.expect("piped")
    t.until(lambda: not t.cooked(), "the terminal is not taken over")
    t.line("word")
    t.expect("got=word")
    t.expect(PROMPT)
    sane(t)
    t.line("exit")
    t.wait()
    t.close()


def t_redirections_beside_a_terminal():
    t = outer()
    t.line("echo data | " + line("sh", "-c", "cat; test -t 1 && test -t 2 && ! test -t 0 && echo in-only"))
    t.expect("data.*in-only.*" + PROMPT)
    t.line(line("sh", "-c", "echo err >&2; test -t 0 && test -t 1 && ! test -t 2 && echo err-only")
           + " 2>err.txt")
    t.expect("err-only.*" + PROMPT)
    t.line("cat err.txt; rm err.txt; exit")
    t.expect(r"err\r\n")
    t.wait()
    t.close()


def t_password_prompt_in_a_pipeline():
    ask = "import getpass; print('got=' + getpass.getpass('Secret: '))"
    t = outer()
    t.line(line("/usr/bin/python3", "-c", ask) + " | cat")
    t.expect("cat\r\nSecret: ")
    t.line("hush")
    t.expect("got=hush")
    assert t.out.count(b"hush") == 1, "the password was echoed"
    t.expect(PROMPT)
    t.line("exit")
    t.wait()
    t.close()


def t_long_output():
    t = term("seq", "60000")
    assert t.wait() == 0
    assert t.text() == "".join("%d\n" % i for i in range(1, 60001))
    t.close()


def t_long_input():
    t = term("sh", "-c", "stty -echo; echo up; md5sum; stty echo")
    t.expect("up")
    text = "".join("line %d of a long paste\n" % i for i in range(4000))
    for i in range(0, len(text), 4096):
        t.send(text[i:i + 4096])
    t.send("\x04")
    import hashlib
    t.expect(hashlib.md5(text.encode()).hexdigest())
    assert t.wait() == 0
    t.close()


def t_restored_when_signalled():
    for sig, want in ((signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        t = term("sh", "-c", "echo up; exec sleep 60")
        t.expect("up")
        t.until(lambda: not t.cooked(), "never raw")
        os.kill(t.pid, sig)
        assert t.wait() == want
        assert t.cooked()
        t.close()


def t_restored_when_it_crashes():
    t = term("sh", "-c", "echo up; exec sleep 86412")
    t.expect("up")
    t.until(lambda: not t.cooked(), "never raw")
    os.kill(t.pid, signal.SIGSEGV)
    assert t.wait() == -signal.SIGSEGV
    assert t.cooked()
    assert gone("sleep 86412")
    t.close()


def t_hangup():
    t = term("sh", "-c", "echo up; exec sleep 86413")
    t.expect("up")
    os.close(t.master)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end and not os.waitpid(t.pid, os.WNOHANG)[0]:
        time.sleep(0.02)
    assert gone("sleep 86413")


def t_modes_are_copied():
    t = Term(["sh", "-c", "stty erase '^H' -ixon; " + line("stty", "-a")], cwd=DIR)
    t.expect("erase = \\^H")
    t.expect("-ixon")
    t.wait()
    t.close()


def done():
    subprocess.run(["rm", "-rf", DIR])

