#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The official SDKs of Anthropic and OpenAI, as npm installs them, unmodified in a sandbox: with a key that is none, through inference.local
and through a marked host, streams and tools included. OSH_SDKS names a directory whose node_modules has them; without it npm is asked once, and
where it has nothing to give in that time they are skipped."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap  # noqa: E402
from models_world import KEYS, ModelsWorld  # noqa: E402

t = Tap()
SDKS = ("openai", "@anthropic-ai/sdk")
POLICY = """network_policies:
  openai:
    endpoints: [{host: api.openai.com, port: 443, protocol: rest, access: full, route: inference}]
    binaries: [{path: "/**/node"}, {path: "/**/nodejs"}]
inference:
  models: ["claude-*", "gpt-*"]
  aliases: {fast: claude-haiku}
  routes:
    - {name: claude, api: anthropic, provider: claude, model: "claude-*"}
    - {name: gpt, api: openai, provider: gpt, model: "gpt-*"}
"""
SCRIPT = r"""
import Anthropic from "@anthropic-ai/sdk"
import OpenAI from "openai"
const out = {}
const ask = [{role: "user", content: "hello"}]
const tool = {name: "weather", description: "d", input_schema: {type: "object", properties: {city: {type: "string"}}}}
const fn = {type: "function", function: {name: "weather", parameters: tool.input_schema}}
async function one(name, f) { try { out[name] = await f() } catch (e) { out[name] = `${e.status} ${JSON.stringify(e.error)} ${e.message}` } }

const a = new Anthropic({apiKey: "sk-ant-none", baseURL: "https://inference.local", maxRetries: 0})
await one("message", async () => (await a.messages.create({model: "fast", max_tokens: 9, messages: ask})).content[0].text)
await one("message stream", async () => { const s = a.messages.stream({model: "fast", max_tokens: 9, messages: ask}); const m = await s.finalMessage(); return `${m.content[0].text} ${m.usage.output_tokens}` })
await one("tool", async () => (await a.messages.create({model: "fast", max_tokens: 9, messages: ask, tools: [tool]})).content[0].input.city)
await one("tool stream", async () => (await a.messages.stream({model: "fast", max_tokens: 9, messages: ask, tools: [tool]}).finalMessage()).content[0].input.city)
await one("count", async () => (await a.messages.countTokens({model: "fast", messages: ask})).input_tokens)
await one("refused", async () => (await a.messages.create({model: "o1", max_tokens: 9, messages: ask})).id)

for (const [kind, client] of [["", new OpenAI({apiKey: "sk-none", baseURL: "https://inference.local/v1", maxRetries: 0})],
			      [" direct", new OpenAI({apiKey: process.env.OPENAI_API_KEY, maxRetries: 0})]]) {
	await one("chat" + kind, async () => (await client.chat.completions.create({model: "gpt-5", messages: ask})).choices[0].message.content)
	await one("chat stream" + kind, async () => { let text = "", n = 0; for await (const c of await client.chat.completions.create({model: "gpt-5", messages: ask, stream: true, stream_options: {include_usage: true}})) { text += c.choices[0]?.delta?.content ?? ""; n = c.usage?.completion_tokens ?? n } return `${text} ${n}` })
	await one("chat tool" + kind, async () => JSON.parse((await client.chat.completions.create({model: "gpt-5", messages: ask, tools: [fn]})).choices[0].message.tool_calls[0].function.arguments).city)
	await one("response" + kind, async () => (await client.responses.create({model: "gpt-5", input: "hello"})).output_text)
	await one("embedding" + kind, async () => (await client.embeddings.create({model: "gpt-e", input: "x", encoding_format: "float"})).data[0].embedding[0])
	await one("models" + kind, async () => (await client.models.list()).data[0].id)
}
console.log(JSON.stringify(out))
"""
WANT = {"message": "a word", "message stream": "a word 22", "tool": "Bern", "tool stream": "Bern", "count": 7}
for kind in ("", " direct"):
    WANT.update({"chat" + kind: "a word", "chat stream" + kind: "a word 42", "chat tool" + kind: "Bern", "response" + kind: "a word",
                 "embedding" + kind: 0.5, "models" + kind: "one"})


def installed(into):
    """node_modules with both SDKs, or why there is none."""
    given = os.environ.get("OSH_SDKS")
    if not given and shutil.which("npm"):
        try:
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", into, *SDKS], timeout=120,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        given = into
    path = os.path.join(given or into, "node_modules")
    return path if all(os.path.isdir(os.path.join(path, x)) for x in SDKS) else None


def main():
    with tempfile.TemporaryDirectory() as d, ModelsWorld() as w:
        modules = installed(d)
        if not modules or not shutil.which("node"):
            t.skip("SDKs of models", "no node, or npm has no openai and @anthropic-ai/sdk to give (OSH_SDKS names a directory that has)")
            t.done()
            return
        shutil.copytree(modules, os.path.join(w.work, "node_modules"))
        w.write("work/ask.mjs", SCRIPT)
        r = w.run(w.policy("", POLICY), ["/bin/sh", "-c", "node ask.mjs"], options=w.providers)
        got = w.came()
        try:
            out = json.loads(r.out)
        except ValueError:
            out = {}
        for name, want in WANT.items():
            t.ok(out.get(name) == want, f"SDK: {name}", out.get(name), r.err[-400:] if not out else "")
        t.ok(str(out.get("refused", "")).startswith("403 ") and "model_not_allowed" in out["refused"], "a refusal is an error that says why", out.get("refused"))
        keys = {f.get("x-api-key") or f.get("authorization") for _, _, f, _ in got}
        t.ok(len(got) == len(WANT) and keys == {KEYS["claude"], "Bearer " + KEYS["gpt"]}, "each call came with the backend's key", keys, len(got))
        t.ok(not any(k.startswith("x-stainless") for _, _, f, _ in got for k in f), "and with nothing that the SDK says of its machine", got[:1])
        t.ok(not any(k in r.out + r.err for k in (KEYS["claude"], KEYS["gpt"])), "which no byte inside has")
    t.done()


main()
