#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Calls of models: by inference.local and by a host that is marked, each to the route that its model has, with the
backend's key and name for the model and nothing of the caller's; streams as they come; every call on record."""
import json
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, run  # noqa: E402
from models_world import KEYS, ModelsWorld  # noqa: E402
from osh import until  # noqa: E402

t = Tap()
URL = "https://inference.local"
ROUTES = """inference:
  models: ["claude-*", "gpt-*", "llama3", "eu.*", "o/p:q"]
  aliases: {fast: claude-haiku, banned: o1}
  routes:
    - {name: haiku, api: anthropic, provider: claude, model: claude-haiku, as: claude-haiku-4-5-20251001}
    - {name: claude, api: anthropic, provider: claude}
    - {name: gpt, api: openai, provider: gpt, model: ["gpt-*", "o/*"]}
    - {name: other, api: openai, provider: gpt, host: models.example, path: /openai, model: "claude-*"}
    - {name: cloud, api: bedrock, provider: cloud, host: bedrock-runtime.eu-west-1.amazonaws.com, model: "eu.*", as: "eu.real:0"}
    - {name: local, api: ollama, host: ollama.example, tls: false}
"""
MARKED = """network_policies:
  openai:
    endpoints: [{host: api.openai.com, port: 443, protocol: rest, access: full, route: inference}]
    binaries: [{path: /usr/bin/curl}]
"""


def body(**q):
    return "'" + json.dumps(q) + "'"


def go(w, script, more="", routes=ROUTES):
    return w.go(script, more + routes)


def curl(path, data=None, more="", host=URL):
    post = f"-d {data} -H 'content-type: application/json'" if data else ""
    return f"curl -sS -m 60 {more} {post} {host}{path}"


def calls(r):
    return [e["unmapped"] for e in r.events if e.kind == "inference"]


def routed(w):
    own = "-H 'x-api-key: sk-ant-my-own' -H 'authorization: Bearer mine' -H 'cookie: c=1' -H 'x-spy: 1' -H 'anthropic-version: 2023-06-01' -H 'anthropic-beta: b1'"
    r = go(w, "echo $ANTHROPIC_API_KEY; " + curl("/v1/messages?beta=true\\&key=mine", body(messages=[], model="fast", max_tokens=1), own + " -D /tmp/h") + "; cat /tmp/h")
    got = w.came()
    m, path, f, raw = got[0] if got else ("", "", {}, b"{}")
    t.ok(r.out.startswith("sk-ant-") and '"a word"' in r.out, "a call of inference.local is answered", r, got)
    t.ok(path == "/v1/messages?beta=true" and f.get("host") == "api.anthropic.com", "by the backend, under its own name", got)
    t.ok(f.get("x-api-key") == KEYS["claude"] and not {"authorization", "cookie", "x-spy"} & set(f), "with its key, and nothing of the caller's", f)
    t.ok(f.get("anthropic-version") == "2023-06-01" and f.get("anthropic-beta") == "b1", "but what the API needs", f)
    t.ok(json.loads(raw) == {"messages": [], "model": "claude-haiku-4-5-20251001", "max_tokens": 1}, "the model by its name there, the rest as it was", raw)
    r2 = go(w, "curl -sS -m 60 -d " + body(model="claude-a") + f" {URL}/v1/messages")
    t.ok([f.get("content-type") for *_, f, _ in w.came()] == ["application/json"] and '"a word"' in r2.out, "what was read as JSON is sent as JSON", r2)
    t.ok("tracking" not in r.out and KEYS["claude"] not in r.out + r.err + json.dumps(r.events), "neither a cookie nor the key comes back", r)
    c = calls(r)
    t.ok(len(c) == 1 and c[0]["route"] == "haiku" and c[0]["model_asked"] == "fast" and c[0]["model"] == "claude-haiku-4-5-20251001"
         and c[0]["tokens_in"] == 11 and c[0]["tokens_out"] == 22 and c[0]["tokens_counted"], "the call is on record, with its tokens", c)
    ev = [e for e in r.events if e.kind == "inference"][0] if c else {}
    t.ok(ev.get("class_uid") == 6003 and ev["api"] == {"operation": "anthropic_messages", "service": {"name": "haiku"}, "response": {"code": 200}}
         and "a word" not in json.dumps(r.events), "as API activity, without content", ev)
    said = [e for e in r.events if e.kind == "http" and e["osh"]["verdict"] == "allowed"]
    t.ok(len(said) == 1 and said[0]["osh"].get("detail") == "route haiku, model claude-haiku-4-5-20251001"
         and said[0]["http_request"]["url"]["path"] == "/v1/messages", "and so is the decision, before it went", said)


def shapes(w):
    table = [("/v1/messages/count_tokens", "claude-opus", "/v1/messages/count_tokens", "claude-opus", "api.anthropic.com", "claude"),
             ("/v1/chat/completions", "gpt-5", "/v1/chat/completions", "gpt-5", "api.openai.com", "gpt"),
             ("/v1/responses", "o/p:q", "/v1/responses", "o/p:q", "api.openai.com", "gpt"),
             ("/v1/embeddings", "gpt-e", "/v1/embeddings", "gpt-e", "api.openai.com", "gpt"),
             ("/v1/chat/completions", "claude-x", "/openai/v1/chat/completions", "claude-x", "models.example", "other"),
             ("/v1/completions", "llama3", "/v1/completions", "llama3", "ollama.example", "local"),
             ("/api/chat", "llama3", "/api/chat", "llama3", "ollama.example", "local")]
    r = go(w, "; ".join(curl(p, body(model=m)) for p, m, *_ in table) + "; " + curl("/model/eu.x%3A1/invoke", body(prompt="x"))
           + "; " + curl("/v1/models") + "; " + curl("/v1/models/gpt-4"))
    got, c = w.came(w.models), calls(r)
    local = w.came(w.local)
    here = [(p, json.loads(b)["model"], f["host"]) for m, p, f, b in got + local if m == "POST" and b"model" in b]
    t.ok(sorted(here) == sorted((p, m, h) for _, _, p, m, h, _ in table), "each shape goes where its model is served", r, here)
    t.ok([x["route"] for x in c][:7] == [x[5] for x in table], "and says so", c)
    bed = [(p, f) for m, p, f, _ in got if p.startswith("/model/")]
    t.ok(len(bed) == 1 and bed[0][0] == "/model/eu.real%3A0/invoke" and "AKIDEXAMPLE000000001" in bed[0][1].get("authorization", ""),
         "a model in the path is renamed there, and the request is signed", bed)
    t.ok([p for m, p, *_ in got if m == "GET"] == ["/v1/models", "/v1/models/gpt-4"], "models are listed", got)
    t.ok(all("authorization" not in f and "x-api-key" not in f for _, _, f, _ in local), "no key goes to a route without a provider", local)


REFUSED = (
    ("a model that is not in the list", "/v1/messages", body(model="o1"), 403, "model_not_allowed", "MODEL"),
    ("an alias of one", "/v1/messages", body(model="banned"), 403, "model_not_allowed", "MODEL"),
    ("a model that no route of this API serves", "/v1/responses", body(model="eu.x"), 200, "", ""),
    ("no model", "/v1/messages", body(messages=[]), 400, "model_unclear", "MODEL_UNCLEAR"),
    ("two models", "/v1/messages", "'{\"model\":\"claude-a\",\"model\":\"o1\"}'", 400, "model_unclear", "MODEL_UNCLEAR"),
    ("two spellings of the key", "/api/chat", "'{\"model\":\"llama3\",\"Model\":\"o1\"}'", 400, "model_unclear", "MODEL_UNCLEAR"),
    ("more models beside the one", "/v1/chat/completions", body(model="gpt-4", models=["o1"]), 400, "model_unclear", "MODEL_UNCLEAR"),
    ("a body that is no JSON", "/v1/messages", "model=claude-a", 400, "model_unclear", "MODEL_UNCLEAR"),
    ("another path", "/v1/files", body(model="gpt-4"), 403, "not_a_model_call", "NOT_INFERENCE"),
    ("a model in the path", "/model/o1/invoke", body(x=1), 403, "model_not_allowed", "MODEL"),
)


def native(w):
    """llama.cpp's server and Ollama by their own calls, which need name no model where none are listed."""
    llama = "inference: {routes: [{name: cpp, api: llama, host: ollama.example, tls: false}]}\n"
    posts = [("/completion", dict(prompt="p")), ("/completion", dict(prompt="p", stream=True)), ("/tokenize", dict(content="p")),
             ("/v1/chat/completions", dict(model="m", messages=[]))]
    ollama = llama.replace("llama,", "ollama,").replace("cpp", "ol")
    for routes, asks, get, not_it in ((llama, posts, "/health", "/api/chat"),
                                      (ollama, [("/api/generate", dict(model="m", prompt="p")), ("/api/embed", dict(model="m", input="p"))], "/api/tags", "/completion")):
        r = go(w, "; ".join([curl(p, body(**q)) for p, q in asks] + [curl(get), curl(not_it, body(model="m"))]), routes=routes)
        got, c = w.came(w.local), calls(r)
        t.ok([(m, p) for m, p, *_ in got] == [("POST", p) for p, _ in asks] + [("GET", get)], f"{get}: what such a server has reaches it, and what it has not does not", got, r)
        t.ok([json.loads(b) for *_, b in got[:-1]] == [q for _, q in asks], f"{get}: as it was said", got)
        t.ok(r.out.count('"error":"model_not_served"') == 1, f"{get}: another server's call is refused", r)
        if routes == llama:
            t.ok([(x["tokens_in"], x["tokens_out"]) for x in c[:2]] == [(61, 62)] * 2 and r.out.count("a word") >= 3, "and its tokens are counted, streamed or not", c)
        else:
            t.ok((c[0]["tokens_in"], c[0]["tokens_out"]) == (31, 32), "and its tokens are counted", c)


def refused(w):
    w.came()
    each = [x for x in REFUSED if x[3] != 200]
    r = go(w, "; ".join(curl(p, d, "-o /tmp/b -w '%{http_code} '") + "; cat /tmp/b; echo" for _, p, d, *_ in each))
    lines = [ln for ln in r.out.splitlines() if ln.strip()]
    got = w.came()
    t.ok(len(lines) == len(each) and not got and not calls(r), "what is refused reaches nobody", r, got)
    for (what, _, _, status, error, why), ln in zip(each, lines):
        a = json.loads(ln.split(" ", 1)[1])
        t.ok(ln.startswith(str(status)) and a["error"] == error and a["reason"] == why and a["next_steps"], f"refused: {what}", ln)
    r = go(w, curl("/v1/messages", body(model="claude-a"), "-H 'content-encoding: gzip' -w '%{http_code}'") + "; "
           + "head -c 17000000 /dev/zero | tr '\\0' ' ' >/tmp/big; " + curl("/v1/messages", "@/tmp/big", "-o /dev/null -w ' %{http_code}'"))
    t.ok('"model_unclear"' in r.out and "400 413" in r.out and not w.came(), "a coded body, and one that is too long", r)
    r = go(w, curl("/", host="https://models.example") + "; " + curl("/", host="https://api.anthropic.com") + "; " + curl("/", host="http://ollama.example"))
    t.ok(r.out == "" and not w.came() and r.has("connect", "BINARY"), "backends are the egress' own: no program gets there", r)
    r = go(w, curl("/v1/messages", body(model="claude-a")), routes=ROUTES.replace("  models", "  binaries: [/usr/bin/wget]\n  models", 1))
    t.ok(r.out == "" and not w.came() and r.has("connect", "BINARY"), "who may call is said by inference.binaries", r)
    r = go(w, curl("/v1/messages", body(model="claude-a", metadata={"echo": True})) + "; echo rc $?")
    t.ok(KEYS["claude"] not in r.out and "rc 0" not in r.out and r.has("http", "ECHO"), "an answer that says the key is withheld", r)
    w.came()
    r = go(w, curl("/v1/messages", '"{\\"model\\":\\"claude-a\\",\\"k\\":\\"$OPENAI_API_KEY\\"}"'))
    t.ok("credential_endpoint_mismatch" in r.out and not w.came(), "a placeholder in a body is refused", r)


def marked(w):
    r = go(w, curl("/v1/chat/completions", body(model="gpt-5"), "-H \"authorization: Bearer $OPENAI_API_KEY\"", "https://api.openai.com") + "; echo; "
           + curl("/v1/files", host="https://api.openai.com"), MARKED)
    got = w.came()
    t.ok(len(got) == 1 and got[0][1] == "/v1/chat/completions" and got[0][2].get("authorization") == "Bearer " + KEYS["gpt"],
         "a host that is marked takes calls of models, and gives them to their route", r, got)
    t.ok('"not_a_model_call"' in r.out, "and nothing else", r)


STREAM = r"""
import json, ssl, socket, sys
def talk(path, q, first):
    s = ssl.create_default_context().wrap_socket(socket.create_connection(("inference.local", 443), timeout=100), server_hostname="inference.local")
    raw = json.dumps(q).encode() if q else b""
    s.sendall(b"%s %s HTTP/1.1\r\nHost: inference.local\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (b"POST" if q else b"GET", path.encode(), len(raw), raw))
    got = b""
    while d := s.recv(65536):
        got += d
        if first and b'a word' in got or first and b'message_start' in got:
            print("first", flush=True)
            first()
            first = None
    return got
kind, path, model = sys.argv[1:4]
out = talk(path, {"model": model, "stream": True, "metadata": {"hold": True}},
           (lambda: talk("/v1/models", None, None)) if kind == "self" else (lambda: None))
print("end" if b"[DONE]" in out or b"message_stop" in out or b'"done": true' in out else out)
"""


def streams(w):
    w.write("work/stream.py", STREAM)
    for path, model, tokens in (("/v1/messages", "claude-a", (11, 22)), ("/v1/chat/completions", "gpt-4", (41, 42))):
        r = go(w, f"python3 stream.py self {path} {model}")
        c = [x for x in calls(r) if x.get("model") == model]
        t.ok(r.out == "first\nend\n", f"a stream of {path} comes as it is sent: the second event is sent after the first was read", r)
        t.ok(len(c) == 1 and (c[0]["tokens_in"], c[0]["tokens_out"]) == tokens and c[0]["duration_ms"] >= c[0]["first_byte_ms"], "its tokens are counted", c)
        w.came()
    r = go(w, curl("/v1/messages", body(model="claude-a", stream=True), "--http2 -w '%{http_version}'") + "; "
           + curl("/api/chat", body(model="llama3", stream=True)))
    t.ok("message_stop" in r.out and r.out.count('"done": true') == 1 and "\n2" in r.out and (calls(r)[-1]["tokens_out"] == 32), "HTTP/2 inside, and lines of JSON", r)
    w.came()
    r = go(w, "for i in $(seq 60); do " + curl("/v1/messages", body(model="claude-a", stream=True), "-o /tmp/$i") + " & done; wait; cat /tmp/[0-9]* | grep -c message_stop")
    t.ok(r.out.strip() == "120" and len(calls(r)) == 60 and len(w.came()) == 60, "sixty at once", r)


SICK = """inference:
  %s
  routes:
    - {name: dead, api: anthropic, host: dead.example}
    - {name: sick, api: anthropic, provider: claude, as: sick-model-of-a-long-name}
    - {name: well, api: anthropic, provider: gpt, host: models.example, path: /p}
"""


def failing(w):
    w.came()
    ask = curl("/v1/messages", body(model="claude-a", stream=True, metadata={"a": "b"}), "-w '%{http_code} '")
    r = go(w, ask + "; " + ask, routes=SICK % "fallback: true")
    got, c = w.came(), calls(r)
    t.ok(r.out.count("message_stop") == 4 and r.out.count("200 ") == 2, "where backends fail the next route that serves the model takes the call", r, c)
    t.ok([(f["host"], p, json.loads(b)["model"]) for _, p, f, b in got] == [
        ("api.anthropic.com", "/v1/messages", "sick-model-of-a-long-name"), ("models.example", "/p/v1/messages", "claude-a"),
        ("models.example", "/p/v1/messages", "claude-a")], "as that backend has it; and one that failed is not the first choice for a while", got)
    t.ok(len(got) == 3 and all(json.loads(b).get("metadata") == {"a": "b"} for *_, b in got) and "x-api-key" not in got[1][2]
         and got[1][2].get("authorization") == "Bearer " + KEYS["gpt"] and KEYS["gpt"] not in json.dumps(got[0][2]), "each gets the whole body, and its own key alone", got)
    t.ok([(x["route"], x["tokens_out"]) for x in c] == [("dead", 0), ("sick", 0), ("well", 22), ("well", 22)], "every attempt is on record", c)
    said = [e["api"].get("response", {}).get("code") for e in r.events if e.kind == "inference"]
    t.ok(said == [None, 503, 200, 200], "with what its backend said", said)
    r = go(w, ask, routes=SICK % "models: [\"claude-*\"]")
    t.ok("502 " in r.out and "upstream_unreachable" in r.out and not w.came(), "without fallback a failure is the answer", r)
    r = go(w, ask, routes="\n".join(ln for ln in (SICK % "fallback: true").splitlines() if "well" not in ln) + "\n")
    t.ok("overloaded" in r.out and "503 " in r.out, "where no route is left the last answer is the answer", r)
    w.came()


def switched(w):
    """Another policy comes into force while a stream is under way: that goes on, the next call goes the new way."""
    w.came()
    new = ROUTES.replace("name: claude, api: anthropic, provider: claude", "name: new, api: anthropic, provider: claude, as: claude-new")
    p = w.write("next.yaml", w.policy("", new))
    gone = w.write("gone.yaml", w.policy("", ROUTES.replace('  models: ["claude-*", ', '  models: [')))
    with w.resident() as d:
        for file, want in ((p, "first\nend\n"), (gone, "first\n")):
            done = {}

            def stream():
                done["r"] = w.run(w.policy("", ROUTES), ["/bin/sh", "-c", "python3 stream.py other /v1/messages claude-a; "
                                  + curl("/v1/messages", body(model="claude-b"))], options=[*w.providers, "--name", "box"])
            th = threading.Thread(target=stream)
            th.start()
            held = until(lambda: w.models.waiting.is_set() or not th.is_alive(), 100) and w.models.waiting.is_set()
            rc, out, err = run([os.path.join(BUILD, "oshctl"), "policy", "set", "box", "-p", file, "--wait", "--socket", d.bus], 100)[:3]
            w.models.go.set()
            th.join(150)
            r, got = done.get("r"), w.came()
            t.ok(held and rc == 0 and r and r.out.startswith(want), f"a stream under way {'goes on' if 'end' in want else 'ends where its model is gone'}", rc, err, r)
            if "end" in want:
                t.ok([json.loads(b)["model"] for *_, b in got] == ["claude-a", "claude-new"], "and the next call is the new route's", got)
            else:
                t.ok("model_not_allowed" in r.out and r.has("http", "REVOKED"), "and the next call is refused", r)


def main():
    with ModelsWorld() as w:
        for fn in (routed, shapes, native, refused, marked, streams, failing, switched):
            fn(w)
    t.done()


main()
