#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Rules about what is said to models: a call that holds something is refused, or goes on without it; whatever way it is
written, and on record by the name of the rule alone."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap  # noqa: E402
from models_world import ModelsWorld  # noqa: E402

t = Tap()
URL = "https://inference.local"
AWS = "AKIA" + "ABCDEFGHIJKLMNOP"
GITHUB = "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nabc+/=\n-----END RSA PRIVATE KEY-----"
POLICY = """inference:
  routes:
    - {name: claude, api: anthropic, provider: claude, as: the-model-of-the-backend}
    - {name: gpt, api: openai, provider: gpt}
    - {name: cloud, api: bedrock, provider: cloud, host: bedrock-runtime.eu-west-1.amazonaws.com}
  privacy:
    - {name: keys, kinds: [secrets], action: refuse}
    - {name: people, kinds: [email], action: redact}
    - {name: project, patterns: ["blue[ -]falcon", "case-[0-9]*"], action: redact}
"""


def go(w, script, policy=POLICY):
    return w.go(script, policy)


def curl(path, raw, more=""):
    return f"curl -sS -m 60 {more} --data-binary @{raw} -H 'content-type: application/json' {URL}{path}; echo; "


def write(w, name, raw):
    with open(os.path.join(w.dir, name), "wb") as f:
        f.write(raw)


def details(r):
    return [e["osh"].get("detail", "") for e in r.events if e.kind == "http"]


def said(text, model="m", **more):
    return json.dumps(dict(more, model=model, messages=[{"role": "user", "content": text}]), ensure_ascii=False).encode()


def redacted(w):
    body = (b'{"messages": [{"role": "user", "content": "write to ann.x@example.org, \\u0061nn@\\u0065xample.org\\nand bob@b.example.\\u00e9"},'
            b' {"role": "user", "content": [{"type": "text", "text": "Blue Falcon, BLUE-FALCON: CASE-0815-x"}]}], "n": 1.50, "model": "m" }')
    write(w, "work/b", body)
    for how in ("--http1.1", "--http2", "--http1.1 -H 'transfer-encoding: chunked'"):
        r = go(w, curl("/v1/messages", "b", how))
        got = w.came()
        want = (b'{"messages": [{"role": "user", "content": "write to [redacted: people], [redacted: people]\\nand [redacted: people].\\u00e9"},'
                b' {"role": "user", "content": [{"type": "text", "text": "[redacted: project], [redacted: project]: [redacted: project]"}]}],'
                b' "n": 1.50, "model": "the-model-of-the-backend" }')
        t.ok(len(got) == 1 and got[0][3] == want and "a word" in r.out, f"what is found is replaced, the rest is sent byte by byte: {how}", got, r)
        t.ok(got and got[0][2].get("content-length") == str(len(want)) and "transfer-encoding" not in got[0][2], "its length is the new one", got)
        t.ok(details(r) == ["rule people (redact): 3, rule project (redact): 3; route claude, model the-model-of-the-backend"],
             "on record: rules, how often, and nothing of the content", details(r))
        t.ok("example.org" not in json.dumps(r.events) and "alcon" not in json.dumps(r.events), "no content is on record", r)
    write(w, "work/b", said("nothing of that kind: user@host, AKIAx, case-x, task-force-of-the-year-2026"))
    r = go(w, curl("/v1/chat/completions", "b"))
    got = w.came()
    t.ok(len(got) == 1 and b"user@host, AKIAx, case-x" in got[0][3] and details(r) == ["route gpt, model m"], "what is not meant stays", got, r)
    write(w, "work/b", b'{"prompt": "ann@example.org", "max_tokens": 5}')
    r = go(w, curl("/model/eu.x/invoke", "b"))
    got = w.came()
    t.ok(len(got) == 1 and got[0][3] == b'{"prompt": "[redacted: people]", "max_tokens": 5}', "where the path names the model, too; signed as it is sent", got, r)


REFUSED = (
    ("a key of AWS", said("id " + AWS)),
    ("of GitHub", said("x" + GITHUB)),
    ("a private key", said(PEM)),
    ("one in JSON in a string", said(json.dumps({"k": PEM}))),
    ("a key of an API", said("key=sk-ant-api03-aaaaaaaaaaaaaaaaaaaaaaaa")),
    ("a JWT", said("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9")),
    ("in escapes", said("x").replace(b'"x"', b'"' + b"".join(b"\\u%04x" % c for c in AWS.encode()) + b'"')),
    ("with what is not seen between", said("\u200b".join(AWS))),
    ("with marks of direction and of variants between", said("\u200e".join(AWS[:8]) + "".join(c + m for c, m in zip(AWS[8:], "\u034f\u2061\u2064\ufe00\ufe0f\U000e0001\U000e007f\U000e01ef" * 2)))),
    ("in tags", said("".join(chr(ord(c) + 0xe0000) for c in AWS))),
    ("in tags, in escapes", json.dumps(json.loads(said("".join(chr(ord(c) + 0xe0000) for c in AWS)))).encode()),
    ("in letters of double width", said("".join(chr(ord(c) + 0xfee0) for c in AWS))),
    ("in a key", said("x", metadata={AWS: 1})),
    ("in a key that is there twice", said("x").replace(b"{", b'{"y": {"a": "' + AWS.encode() + b'", "a": "b"}, ', 1)),
    ("in the model's name", said("x", model=AWS)),
    ("in the result of a tool", json.dumps({"model": "m", "messages": [{"role": "tool", "content": [{"type": "tool_result", "content": AWS}]}]}).encode()),
    ("deep", json.dumps({"model": "m", "x": [[[{"y": [AWS]}]]]}).encode()),
    ("behind a megabyte", said("a " * 500000 + AWS)),
    ("in escapes of JSON in a string, as in the arguments of a tool", said(json.dumps({"k": AWS}).replace("AKIA", "\\u0041KIA"))),
    ("in those of JSON in JSON in a string", said(json.dumps(json.dumps({"k": AWS})).replace("AKIA", "\\u0041KIA"))),
    ("in a terminal's colours", said("AKIA\x1b[01;31m\x1b[K" + AWS[4:] + "\x1b[m")),
    ("behind one", said("\x1b[31msk-" + "0123456789abcdef" * 2)),
    ("what could be replaced, in escapes of JSON in a string", said(json.dumps({"k": "ann@example.org"}).replace("@", "\\u0040"))),
    ("what could be replaced, in such escapes, beside what is none where colours are not seen",
     said(json.dumps("\x1b[blue falcon, blue falcon").replace("\\u001b", "\x1b").replace("e falcon\"", "e\\u0020falcon\""))),
    ("what could be replaced, in a key", said("x", metadata={"ann@example.org": 1})),
)


def refused(w):
    for i, (_, raw) in enumerate(REFUSED):
        write(w, f"work/r{i}", raw)
    r = go(w, "".join(curl("/v1/messages", f"r{i}", "-w ' %{http_code}'") for i in range(len(REFUSED))))
    lines, got = r.out.replace("\n ", " ").strip().splitlines(), w.came()
    t.ok(len(lines) == len(REFUSED) and not got, "what is refused reaches nobody", r, got)
    for (what, _), ln in zip(REFUSED, lines):
        a, _, status = ln.rpartition(" ")
        a = json.loads(a)
        rule = "rule project (redact): 2, of it in an escaped" if "beside" in what else "rule people (redact): 1" if "replaced" in what else "rule keys (refuse): 1"
        t.ok(status == "403" and a["error"] == "content_refused" and a["reason"] == "PRIVATE" and rule in a["detail"] and a["next_steps"],
             f"refused: {what}", ln)
    text = r.out + json.dumps(r.events)
    t.ok(AWS not in text and "GHIJ" not in text and "MIIEow" not in text, "neither the answer nor the record holds it", r)
    t.ok(details(r)[0] == "rule keys (refuse): 1" and r.has("http", "PRIVATE"), "they are on record", details(r))
    write(w, "work/g", said("x"))
    write(w, "work/u", said("x").replace(b'"x"', b'"\xc1\x81KIA\xff"'))
    write(w, "work/p", b"prompt=" + AWS.encode())
    r = go(w, curl("/v1/messages", "g", "-H 'content-encoding: gzip'") + curl("/model/eu.x/invoke", "g", "-H 'content-encoding: gzip'")
           + curl("/v1/messages", "u") + curl("/model/eu.x/invoke", "u") + curl("/model/eu.x/invoke", "p"))
    errors = [json.loads(ln)["error"] for ln in r.out.splitlines() if ln.strip()]
    t.ok(errors == ["model_unclear", "content_unclear", "content_unclear", "content_unclear", "content_unclear"] and not w.came(),
         "a coded body, one that is no UTF-8, one that is no JSON", r)
    write(w, "work/o", said("x"))
    r = go(w, curl("/v1/messages", "o", f"-A '{AWS}'") + curl("/v1/messages", "o", f"-H 'anthropic-beta: {AWS}'")
           + curl(f"/v1/messages?beta=AK%49A{AWS[4:]}", "o") + f"curl -sS {URL}/v1/models/{AWS}; echo; curl -sS '{URL}/v1/models?after_id={AWS}'; echo; "
           + f"curl -sS -X GET -d @r0 {URL}/v1/models; echo; " + curl(f"/v1/messages?key={AWS}", "o", f"-H 'x-mine: {AWS}'"))
    lines = [ln for ln in r.out.splitlines() if ln.strip()]
    got = w.came()
    t.ok([json.loads(ln).get("error") for ln in lines] == ["content_refused"] * 6 + [None] and len(got) == 1 and AWS not in str(got),
         "in a field, in the query, in the path, in the body of what needs none; what does not go on does not matter", r, got)
    t.ok(AWS not in "".join(lines[:6]) + json.dumps(r.events), "nor is a path that holds it on record, or said to the caller", r)
    r = go(w, f"curl -sS {URL}/v1/files/{AWS}; echo; curl -sS -d @o {URL}/v1/files/AK%49A{AWS[4:]}?x; echo; curl -sS {URL}/v1/files/f1; echo; "
           + f"curl -sS -H 'connection: upgrade' -H 'upgrade: x' {URL}/{AWS}")
    said_ = [json.loads(ln) for ln in r.out.splitlines() if ln.strip()]
    t.ok([x["error"] for x in said_] == ["not_a_model_call"] * 4 and not w.came() and AWS not in r.out + json.dumps(r.events) and AWS[4:] not in r.out + json.dumps(r.events)
         and [x["path"] for x in said_] == ["[redacted]", "[redacted]", "/v1/files/f1", "[redacted]"], "nor that of what is no call", said_, r)


def large(w):
    write(w, "work/big", said("a@b.co " * 2000000))
    r = go(w, curl("/v1/messages", "big"))
    t.ok("content_unclear" in r.out and "more is to be replaced" in r.out and r.has("http", "PRIVATE_UNCLEAR") and not w.came(),
         "more than can be replaced is refused", r.out[:300], r.events[-3:])
    write(w, "work/big", said("a@b.co " * 200000 + "a" * 15000000))
    r = go(w, curl("/v1/messages", "big"))
    t.ok('"limit_reached"' in r.out and "Send less" in r.out and not w.came() and
         [e["http_response"]["code"] for e in r.events if e["osh"].get("reason") == "LIMIT"] == [413],
         "what would grow beyond the bound of a body is refused by name, and on record", r.out[:300], r.events[-3:])
    for i, text in enumerate(("sk-" * 5000000, "eyJ" * 5000000 + ".eyJx")):
        write(w, f"work/big{i}", said(text))
    r = go(w, curl("/v1/messages", "big0") + curl("/v1/messages", "big1"))
    t.ok(len(w.came()) == 2, "texts that are made to take long do not", r.out[:300])
    write(w, "work/big", said("a" * 5000000 + " a@b.co " + "a-" * 5000000))
    r = go(w, curl("/v1/messages", "big"))
    got = w.came()
    t.ok(len(got) == 1 and b" [redacted: people] " in got[0][3], "fifteen megabytes are looked through", r.out[:300])


def main():
    with ModelsWorld() as w:
        for fn in (redacted, refused, large):
            fn(w)
    t.done()


main()
