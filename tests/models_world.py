# SPDX-License-Identifier: Apache-2.0
"""World with servers that stand for model APIs: each remembers what came, and answers as its API does, streams included.
`hold` in the metadata of a request makes its stream wait after its first event until somebody calls `/v1/models`, or, where it is
a number, until so many streams wait; `tag` is what the model says."""
import http.server
import json
import os
import ssl
import subprocess
import threading

from world import World

NAMES = ["api.anthropic.com", "api.openai.com", "models.example", "bedrock-runtime.eu-west-1.amazonaws.com"]
KEYS = {"claude": "sk-ant-real-4eC39HqLyjWDarjtT1zdp7dc", "gpt": "sk-proj-real-9f8e7d6c5b4a39281706",
        "cloud": json.dumps({"access_key_id": "AKIDEXAMPLE000000001", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"})}
RECORDS = {
    "claude": {"hosts": ["api.anthropic.com"], "placement": {"header": "x-api-key"}, "env": ["ANTHROPIC_API_KEY"], "shape": "sk-ant-{}"},
    "gpt": {"hosts": ["api.openai.com", "models.example"], "placement": {"header": "authorization", "prefix": "Bearer "},
            "env": ["OPENAI_API_KEY"], "shape": "sk-{}"},
    "cloud": {"hosts": ["bedrock-runtime.eu-west-1.amazonaws.com"], "placement": {"sigv4": "bedrock"}, "env": ["AWS_SECRET_ACCESS_KEY"]},
}


USE = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Bern"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Bern"}'}}


def line(name, **more):
    return f'event: {name}\ndata: {json.dumps(dict(more, type=name))}\n\n'


def data(x):
    return f"data: {json.dumps(x)}\n\n"


def events(path, q, text):
    """A stream as the API of that path has it; the first element goes alone."""
    model, tools = q.get("model", ""), q.get("tools")
    if path.endswith("/messages"):
        start = dict(USE, input={}) if tools else {"type": "text", "text": ""}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(USE["input"])} if tools else {"type": "text_delta", "text": text}
        return [line("message_start", message={"id": "m", "type": "message", "role": "assistant", "model": model, "content": [], "stop_reason": None,
                                               "stop_sequence": None, "usage": {"input_tokens": 11, "output_tokens": 1}}),
                line("content_block_start", index=0, content_block=start), line("content_block_delta", index=0, delta=delta),
                line("content_block_stop", index=0),
                line("message_delta", delta={"stop_reason": "tool_use" if tools else "end_turn", "stop_sequence": None}, usage={"output_tokens": 22}),
                line("message_stop")]
    if path == "/api/chat":
        return [json.dumps({"model": model, "message": {"content": text}, "done": False}) + "\n",
                json.dumps({"model": model, "done": True, "prompt_eval_count": 31, "eval_count": 32}) + "\n"]
    if path == "/completion":
        return [data({"content": text, "stop": False}), data({"content": "", "stop": True, "tokens_evaluated": 61, "tokens_predicted": 62})]
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": model}
    delta = {"tool_calls": [dict(CALL, index=0)]} if tools else {"content": text}
    return [data(dict(chunk, choices=[{"index": 0, "delta": dict(delta, role="assistant"), "finish_reason": None}])),
            data(dict(chunk, choices=[{"index": 0, "delta": {}, "finish_reason": "tool_calls" if tools else "stop"}])),
            data(dict(chunk, choices=[], usage={"prompt_tokens": 41, "completion_tokens": 42, "total_tokens": 83})), "data: [DONE]\n\n"]


def answer(path, q, text):
    model, tools = q.get("model", ""), q.get("tools")
    if path.endswith("/messages"):
        return {"id": "m", "type": "message", "role": "assistant", "model": model, "stop_sequence": None,
                "content": [USE] if tools else [{"type": "text", "text": text}],
                "stop_reason": "tool_use" if tools else "end_turn", "usage": {"input_tokens": 11, "output_tokens": 22}}
    if path.endswith("/count_tokens"):
        return {"input_tokens": 7}
    if path.endswith("/embeddings"):
        return {"object": "list", "model": model, "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
                "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    if path.endswith("/responses"):
        return {"id": "r", "object": "response", "created_at": 1, "model": model, "status": "completed", "usage": {"input_tokens": 51, "output_tokens": 52},
                "output": [{"id": "o", "type": "message", "role": "assistant", "status": "completed",
                            "content": [{"type": "output_text", "text": text, "annotations": []}]}]}
    if path == "/completion":
        return {"content": text, "stop": True, "tokens_evaluated": 61, "tokens_predicted": 62}
    if path in ("/api/chat", "/api/generate"):
        return {"model": model, "message": {"content": text}, "done": True, "prompt_eval_count": 31, "eval_count": 32}
    message = {"role": "assistant", "content": None, "tool_calls": [CALL]} if tools else {"role": "assistant", "content": text}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": model, "usage": {"prompt_tokens": 41, "completion_tokens": 42, "total_tokens": 83},
            "choices": [{"index": 0, "finish_reason": "tool_calls" if tools else "stop", "message": message}]}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def say(self, data, kind="application/json", status=200):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Set-Cookie", "tracking=1")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def note(self, body):
        fields = {k.lower(): v for k, v in self.headers.items()}
        with self.server.lock:
            self.server.seen.append((self.command, self.path, fields, body))
        return fields

    def do_GET(self):
        self.note(b"")
        self.server.go.set()
        self.say(json.dumps({"object": "list", "data": [{"id": "one", "object": "model"}]}).encode())

    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fields = self.note(raw)
        path = self.path.split("?")[0]
        q = json.loads(raw) if raw else {}
        hold, tag = (q.get("metadata", {}).get(k) for k in ("hold", "tag"))
        if q.get("model", "").startswith("sick"):
            self.say(b'{"error": "overloaded"}', status=503)
            return
        text = fields.get("x-api-key", "") + fields.get("authorization", "") if q.get("metadata", {}).get("echo") else tag or "a word"
        if not q.get("stream"):
            self.say(json.dumps(answer(path, q, text)).encode())
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson" if path == "/api/chat" else "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for i, e in enumerate(events(path, q, text)):
            if hold and i == 1:
                self.server.waits(hold)
                if not self.server.go.wait(60):
                    self.close_connection = True
                    return
            e = e.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(e), e))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, context, address="127.0.0.1"):
        self.seen, self.lock, self.go, self.waiting, self.context = [], threading.Lock(), threading.Event(), threading.Event(), context
        self.held = 0
        super().__init__((address, 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def waits(self, how_many):
        with self.lock:
            self.held += 1
            if how_many is not True and self.held >= how_many:
                self.go.set()
        self.waiting.set()

    def finish_request(self, request, client):
        request.settimeout(120)
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client)

    def handle_error(self, *_):
        pass


class ModelsWorld(World):
    """`models`: with TLS, under every name; `local`: without, as ollama.example port 80."""

    def __init__(self):
        super().__init__()

        def openssl(*a):
            subprocess.run(["openssl", *a], cwd=self.dir, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.write("api.ext", "subjectAltName=" + ",".join("DNS:" + n for n in NAMES) + "\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "api.key", "-out", "api.csr",
                "-subj", "/CN=" + NAMES[0])
        openssl("x509", "-req", "-in", "api.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "api.ext", "-out", "api.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(self.dir, "api.pem"), os.path.join(self.dir, "api.key"))
        self.models, self.local = Server(context), Server(None)
        with open(self.hosts, "w") as f:
            f.write(f"127.0.0.1:{self.models.server_port} {' '.join(NAMES)}\n127.0.0.1:{self.local.server_port} ollama.example\n127.0.0.1:1 dead.example\n")
        keys = os.path.join(self.dir, "keys")
        os.mkdir(keys, 0o700)
        self.providers = []
        for name, record in RECORDS.items():
            with open(os.path.join(keys, name + ".secret"), "w") as f:
                f.write(KEYS[name] + "\n")
            path = os.path.join(keys, name + ".json")
            with open(path, "w") as f:
                json.dump(dict(record, secret_file=name + ".secret"), f)
            self.providers += ["--provider", path]

    def go(self, script, policy, options=()):
        """A shell script in a sandbox of this policy, with every key."""
        return self.run(self.policy("", policy), ["/bin/sh", "-c", script], options=[*self.providers, *options])

    def came(self, server=None):
        """What the servers got since the last time: (method, path, fields, body)."""
        out = []
        for s in (server,) if server else (self.models, self.local):
            with s.lock:
                out += s.seen
                s.seen, s.held = [], 0
            s.go.clear()
            s.waiting.clear()
        return out

    def close(self):
        for s in (self.models, self.local):
            s.go.set()
            s.shutdown()
            s.server_close()
        super().close()


__all__ = ["KEYS", "ModelsWorld"]
