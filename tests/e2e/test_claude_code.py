#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Claude Code, as npm installs it, unmodified in a sandbox: `claude -p` with a key that is none talks to a stand-in of its API through
inference.local, takes a stream that asks for a tool, runs that inside, and says what the next stream makes of what it gave. Npm's package
is a native program beside a wrapper that wants a newer node than Debian 12 has; the program wants none, and is what runs here. OSH_AGENTS
names a prefix of npm that has it; without it npm is asked once, and where it has nothing to give in that time this is skipped."""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import models_world  # noqa: E402
from lib import Tap  # noqa: E402
from models_world import KEYS, ModelsWorld, line  # noqa: E402

LIMIT = 600
t = Tap()
PACKAGE = "@anthropic-ai/claude-code"
POLICY = """process:
  env:
    set: {ANTHROPIC_BASE_URL: "https://inference.local", ANTHROPIC_API_KEY: sk-ant-none, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
          DISABLE_AUTOUPDATER: "1", HOME: /tmp, SHELL: /bin/bash}
inference:
  models: ["claude-*"]
  routes:
    - {name: claude, api: anthropic, provider: claude, as: claude-of-the-backend}
"""
COMMAND = "echo made-by-$((6 * 7)) | tee made.txt"


def texts(content):
    return content if isinstance(content, str) else "".join(x.get("text", "") for x in content or [] if isinstance(x, dict))


def events(path, q, _):
    """A turn of the model: the tool first, then what came of it."""
    results = [b for m in q.get("messages", []) if isinstance(m["content"], list) for b in m["content"] if b.get("type") == "tool_result"]
    tool = not results and any(x.get("name") == "Bash" for x in q.get("tools", []))
    text = "the tool said: " + texts(results[-1].get("content")).strip() if results else "nothing to do"
    start = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}} if tool else {"type": "text", "text": ""}
    said = json.dumps({"command": COMMAND, "description": "make a file"}) if tool else text
    half = len(said) // 2
    deltas = [{"type": "input_json_delta", "partial_json": p} if tool else {"type": "text_delta", "text": p} for p in (said[:half], said[half:])]
    return [line("message_start", message={"id": "msg_1", "type": "message", "role": "assistant", "model": q["model"], "content": [], "stop_reason": None,
                                           "stop_sequence": None, "usage": {"input_tokens": 11, "output_tokens": 1}}),
            line("content_block_start", index=0, content_block=start), *(line("content_block_delta", index=0, delta=d) for d in deltas),
            line("content_block_stop", index=0),
            line("message_delta", delta={"stop_reason": "tool_use" if tool else "end_turn", "stop_sequence": None}, usage={"output_tokens": 22}),
            line("message_stop")]


def program(into):
    """The native program, or None."""
    given = os.environ.get("OSH_AGENTS")
    if not given and shutil.which("npm"):
        try:
            subprocess.run(["npm", "install", "-g", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", into, PACKAGE], timeout=240, cwd=into,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        given = into
    found = glob.glob(os.path.join(given or into, f"lib/node_modules/{PACKAGE}/node_modules/@anthropic-ai/claude-code-linux-*/claude"))
    return next((os.path.realpath(p) for p in sorted(found) if "musl" not in p and os.access(p, os.X_OK)), None)


def talks(w, claude):
    where = os.path.dirname(claude)
    r = w.run(w.policy("", POLICY, read_only=[where]), [claude, "--version"], timeout=LIMIT, options=w.providers)
    t.ok(r.rc == 0 and r.out[:1].isdigit(), "it starts", r)
    print(f"# {r.out.strip()}", flush=True)
    ask = [claude, "-p", "make a file", "--allowedTools", "Bash", "--output-format", "stream-json", "--verbose"]
    r = w.run(w.policy("", POLICY, read_only=[where]), ask, timeout=LIMIT, options=w.providers)
    got = w.came()
    said = [json.loads(x) for x in r.out.splitlines() if x.startswith("{")]
    result = [x for x in said if x.get("type") == "result"]
    calls = [(f, json.loads(b)) for m, p, f, b in got if m == "POST" and p.split("?")[0] == "/v1/messages"]
    t.ok(r.rc == 0 and result and result[0].get("result") == "the tool said: made-by-42", "it says at its end what the second stream said", r, result)
    made = os.path.join(w.work, "made.txt")
    t.ok(os.path.exists(made) and open(made).read() == "made-by-42\n", "after the tool that the first one asked for ran inside", os.listdir(w.work))
    t.ok(len(calls) >= 2 and all(q.get("stream") for _, q in calls), "by streams", len(calls))
    t.ok(calls and all(f.get("x-api-key") == KEYS["claude"] and "authorization" not in f and q["model"] == "claude-of-the-backend" for f, q in calls),
         "each with the backend's key and its name for the model", [(f.get("x-api-key", "")[:12], q["model"]) for f, q in calls])
    t.ok(KEYS["claude"] not in r.out + r.err, "which no byte inside has", r)
    c = [e["unmapped"] for e in r.events if e.kind == "inference"]
    t.ok(len([x for x in c if (x["tokens_in"], x["tokens_out"]) == (11, 22)]) == len(calls), "each call is on record with its tokens", c)
    print(f"# refused: {sorted({(e.kind, e.name) for e in r.events if e.denied})}", flush=True)


def main():
    with tempfile.TemporaryDirectory(dir="/var/tmp" if os.path.isdir("/var/tmp") else None) as d:
        os.chmod(d, 0o755)
        claude = program(d)
        if not claude:
            t.skip("Claude Code", f"npm has no {PACKAGE} to give (OSH_AGENTS names a prefix of npm that has)")
            t.done()
        models_world.events = events
        with ModelsWorld() as w:
            talks(w, claude)
    t.done()


main()
