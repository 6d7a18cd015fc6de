#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every verb and option has help, a place in the man page and a word for shells: the tables (verbs.def, options.def)
against what getopt takes, one option at a time."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, ROOT, Tap, run  # noqa: E402

OSHCTL = os.path.abspath(os.path.join(BUILD, "oshctl"))
SOURCES = os.path.join(ROOT, "userspace/oshctl")
# Known so that nobody thinks they work: refused by name, and so nowhere in help.
LATER = {("run", "--detach"), ("run", "--json")}
OPTION = re.compile(r"^  (?:(-\w)(?:, )?|    )(?:--([\w-]+))?(\[=\w+\])?(?: (\S+))?  +\S")


def verbs():
    return re.findall(r'^VERB\("([^"]+)"', open(os.path.join(SOURCES, "verbs.def")).read(), re.M)


def listed(verb):
    """{option: takes an argument} as `oshctl help VERB` has them."""
    found, aliases = {}, {}
    for line in run([OSHCTL, "help", *verb.split()], 20)[1].splitlines():
        m = OPTION.match(line)
        if m:
            names = [n for n in (m.group(1), m.group(2) and "--" + m.group(2)) if n]
            for n in names:
                found[n] = bool(m.group(4))
            aliases[names[-1]] = names
    return found, aliases


def everywhere():
    """Long options and letters that any verb has, from the tables that getopt reads."""
    longs, letters = set(), set("h")
    for f in glob.glob(SOURCES + "/*.c"):
        text = open(f).read()
        longs |= set(re.findall(r'\{ "([\w-]+)", (?:no|required|optional)_argument', text))
        for spec in re.findall(r'getopt(?:_long)?\(argc, argv, (?:one \? "" : )?"\+?([\w:]*)"', text):
            letters |= set(spec.replace(":", ""))
    return sorted(longs), sorted(letters)


def takes(verb, option, where):
    """Does getopt know it? Whatever else it is told, it is used wrongly here, and does nothing."""
    err = run([OSHCTL, *verb.split(), option, "--no-such-option"], 20, cwd=where)[2]
    return "unrecognized option" not in err.replace("unrecognized option '--no-such-option'", "") and "invalid option" not in err


def refused(verb, option, argument, where):
    """With operands that would do, it is still used wrongly."""
    words, operands = verb.split(), ["x", "y", "z"]
    for n in range(4):
        rc, _, _ = run([OSHCTL, *words, "--socket=/nonexistent", option, *argument, *operands[:n]], 20, cwd=where)
        if rc != 2:
            return False
    return True


def t_options(t, where):
    longs, letters = everywhere()
    for verb in verbs():
        have, _ = listed(verb)
        missing = [o for o in have if not takes(verb, o, where)]
        candidates = ["--" + x for x in longs] + ["-" + x for x in letters]
        short = {o for o in candidates if any(h.startswith(o) for h in have)}       # getopt takes abbreviations
        extra = [o for o in candidates if o not in short and (verb, o) not in LATER and o != "-h" and takes(verb, o, where)
                 and not refused(verb, o, [], where) and not refused(verb, o, ["1"], where)]
        t.ok(not missing and not extra, f"{verb}: its options are those that help lists",
             f"listed, and unknown: {missing}", f"taken, and not listed: {extra}")


def t_help(t, _):
    for verb in verbs():
        rc, out, err = run([OSHCTL, *verb.split(), "--help"], 20)
        said = run([OSHCTL, "help", *verb.split()], 20)[1]
        t.ok(rc == 0 and out == said and out.startswith(f"usage: oshctl {verb}") and len(out.splitlines()) > 1,
             f"{verb} --help", rc, out, err)
    rc, out, _ = run([OSHCTL, "--help"], 20)
    t.ok(rc == 0 and all(f"oshctl {v} " in out for v in verbs()), "--help lists every verb")
    long = [x for x in out.splitlines() if len(x) > 110]
    t.ok(not long, "in lines that a terminal has room for", *long)
    for word in ("--version", "-V"):
        rc, out, err = run([OSHCTL, word], 20)
        t.ok(rc == 0 and re.fullmatch(r"oshctl \d+\.\d+\.\d+\n", out) and not err, f"{word} says which osh it is", rc, out, err)
    rc, _, err = run([OSHCTL, "policy", "check", "--no-such"], 20)
    t.ok(rc == 2 and err.startswith("oshctl policy check: unrecognized option '--no-such'\nusage: "),
         "an option that no verb has is answered by the whole verb's name", rc, err)
    for words in (["--help"], ["help"], ["help", "run"], ["--version"], ["help", "--man"], ["policy", "schema"], ["policy", "preset"]):
        with open("/dev/full", "w") as full:
            rc = subprocess.run([OSHCTL, *words], stdout=full, stderr=subprocess.PIPE, check=False, timeout=20).returncode
        t.ok(rc == 1, f"{' '.join(words)}: fails where nothing can be written", rc)


# Used wrongly in what no table shows: the first line says what the second one, the usage, does not.
WRONG = [
    ("run", "no command was given"), ("run --wall forever -- true", "--wall: 'forever'"), ("run -e =x -- true", "-e wants"),
    ("policy check --json --sarif x", "--json and --sarif exclude each other"), ("policy check", "FILE is missing"),
    ("policy compile x", "-o is missing"), ("policy eval", "-p is missing"), ("policy explain", "-p is missing"),
    ("policy explain -p x", "REQUEST is missing"), ("policy explain -p x --binary curl y", "--binary wants an absolute path, not 'curl'"),
    ("policy explain -p x --ancestor sh y", "--ancestor wants an absolute path"), ("policy diff -w here x y", "-w wants an absolute path"),
    ("policy diff x", "NEW is missing"), ("policy diff x y z", "'z' is one word too many"), ("policy schema x", "'x' is one word too many"),
    ("policy prove --json --sarif x", "exclude each other"), ("policy prove --graph png x", "--graph wants dot or svg"),
    ("policy prove --volume v:/v x", "--with FILE is missing"), ("policy prove --base y --with z x", "--base and --with exclude"),
    ("policy prove --graph dot --with z x", "--graph and --with exclude"), ("policy set x", "-p is missing"),
    ("policy list --rev 1 x", "--rev is no option of this verb"), ("policy get --rev 0 x", "--rev wants a number from 1 on, not '0'"),
    ("policy rollback x", "--rev is missing"), ("sandbox stop -f x", "--force is no option of this verb"),
    ("sandbox stop -t soon x", "-t wants seconds"), ("sandbox label x", "K=V is missing"), ("sandbox list -l x", "label 'x'"),
    ("sandbox upload x y", "DEST is missing"), ("sandbox download x", "SRC is missing"), ("sandbox forward x", "PORT:INSIDE is missing"),
    ("provider create x", "where the secret is read from"), ("provider create x --stdin --from-env", "where the secret is read from"),
    ("provider rotate --types x", "--types is no option of this verb"), ("provider get --user no-such-user x", "no user is called"),
    ("provider attach x", "NAME is missing"), ("volume delete --json x", "--json is no option of this verb"),
    ("inference set x", "--route is missing"), ("inference set --all --route r x", "'x' is one word too many"),
    ("logs -f --until 1h", "-f has no end"), ("logs -n x", "-n wants a number"), ("complete", "are missing"),
]


NEAR = [
    ("", "a verb is missing\nusage: oshctl "), ("-H", "-H wants a host"), ("-H somewhere", "a verb is missing"),
    ("policy", "'policy' is the first word of these verbs:\n  oshctl policy check "), ("polcy", "did you mean 'policy'?"),
    ("help sandbx", "did you mean 'sandbox'?"), ("polcy check x", "did you mean 'policy check'?"),
    ("policy preset claude-code", "did you mean 'claude_code'?"), ("policy check preset:codx", "did you mean 'codex'?"),
    ("policy explain -p preset:default curl", "as 'GET https://HOST/PATH'"),
]


def t_wrong(t, where):
    """Of each verb: too few words, too many, an option that nobody has. Where that is a usage error, it is said which."""
    for verb in set(verbs()) - {"help"}:     # which knows no such verb
        for words in ([], ["x"], ["x", "y"], list("abcdefgh"), ["--no-such"]):
            argv = verb.split() + ([] if "--no-such" in words else ["--socket=/nonexistent"] * ("--socket" in listed(verb)[0])) + words
            rc, _, err = run([OSHCTL, *argv], 20, cwd=where)
            lines = err.splitlines()
            if rc == 2 and not (len(lines) == 2 and lines[0].startswith("oshctl") and f"{lines[1]} ".startswith(f"usage: oshctl {verb} ")):
                t.ok(False, f"{' '.join(argv)}: what is wrong, then the usage", err)
    for line, want in NEAR:
        rc, out, err = run([OSHCTL, *line.split()], 20, cwd=where)
        t.ok(rc in (1, 2) and not out and err.startswith("oshctl: ") and want in err, f"{line or 'no verb'}: {want!r}", rc, out, err)
    for line, want in WRONG:
        rc, out, err = run([OSHCTL, *line.split()], 20, cwd=where)
        first, _, rest = err.partition("\n")
        t.ok(rc == 2 and not out and first.startswith("oshctl: ") and want in first and rest.startswith("usage: oshctl "),
             f"{line}: {want}", rc, err)


def plain(text):
    return re.sub(r"\s+", " ", re.sub(r".\x08", "", text))


def t_man(t, where):
    page = os.path.join(where, "oshctl.1")
    rc, out, err = run([OSHCTL, "help", "--man"], 20)
    with open(page, "w") as f:
        f.write(out)
    text = plain(run(["mandoc", page], 20)[1])
    lost = [v for v in verbs() if f"oshctl {v} " not in text]
    for verb in verbs():
        part = text.split(f" oshctl {verb} ", 1)[-1]
        lost += [(verb, o) for o in listed(verb)[0] if o + " " not in part and o + "," not in part and o + "[" not in part]
    t.ok(rc == 0 and not lost, "every verb and option is in oshctl(1)", err, *lost)
    for path in (page, os.path.join(ROOT, "docs/man/oshd.8")):
        rc, out, err = run(["mandoc", "-T", "lint", "-W", "warning", path], 20)
        t.ok(rc == 0 and not out, f"mandoc has nothing against {os.path.basename(path)}", out, err)
        rc, out, err = run(["groff", "-man", "-Tutf8", "-ww", "-z", "-mdoc", path], 20)
        t.ok(rc == 0 and not err, f"nor groff, which man uses", err)
    said = {o for o in re.findall(r"^  (--[\w-]+)", run([os.path.join(BUILD, "oshd"), "--help"], 20)[1], re.M)}
    text = plain(run(["mandoc", os.path.join(ROOT, "docs/man/oshd.8")], 20)[1])
    t.ok(said and all(o in text for o in said), "oshd(8) has the options of oshd --help", said)


def complete(*words):
    return [line.split("\t")[0] for line in run([OSHCTL, "complete", "--", *words], 20)[1].splitlines()]


def t_complete(t, _):
    seconds = {}
    for v in verbs():
        first, _, second = v.partition(" ")
        seconds.setdefault(first, set()).add(second)
    got = complete("")
    t.ok(set(got) - {"--host", "--help", "--version"} == set(seconds) and len(got) == len(set(got)), "first words, each once", got)
    for first, want in seconds.items():
        if want != {""}:
            t.ok(set(complete(first, "")) == want, f"second words of {first}", complete(first, ""))
    for verb in verbs():
        have, aliases = listed(verb)
        got = complete(*verb.split(), "-")
        t.ok(set(got) == set(aliases), f"{verb}: its options", got, aliases)
    cases = [
        (("run", "-p", ""), ":file", "preset:default"), (("run", "--policy=preset:co"), "--policy=preset:codex"),
        (("run", "--"), "--policy"), (("run", "--", ""), ":command"), (("run", "--", "git", ""), ":file"),
        (("run", "-e", "X=1", "-w", ""), ":dir"), (("run", "git", ""), ":file"), (("help", "doc"), "doctor"),
        (("logs", "--user", "roo"), "root"), (("policy", "preset", "cod"), "codex"), (("policy", "check", ""), ":file"),
        (("-H", "somewhere", "pol"), "policy"), (("--host=somewhere", "policy", "che"), "check"),
        (("sandbox", "exec", "x", "--", ""), ":command"), (("sandbox", "download", "-l", "x", ""), ":file"),
    ]
    for words, *want in cases:
        got = complete(*words)
        t.ok(all(w in got for w in want), f"{' '.join(words)!r}: {' '.join(want)}", got)
    none = [("run", "--name", ""), ("-H", ""), ("nosuchverb", ""), ("policy", "schema", ""), ("-H", "a", "sandbox", "stop", ""),
            ("sandbox", "stop", ""), ("run", "--", "git", "-")]
    for words in none:
        got = [g for g in complete(*words) if g != ":file"]
        t.ok(not got, f"{' '.join(words)!r}: nothing", got)
    rc, out, err = run([OSHCTL, "complete", "--"], 20)
    t.ok(rc == 0 and not out and not err, "and nothing where nothing is asked", rc, out, err)


def main():
    t = Tap()
    where = tempfile.mkdtemp(prefix="osh-test-")
    os.environ["OSH_SOCKET"] = "/nonexistent"
    try:
        for case in (t_help, t_wrong, t_options, t_man, t_complete):
            case(t, where)
    finally:
        shutil.rmtree(where)
    t.done()


if __name__ == "__main__":
    main()
