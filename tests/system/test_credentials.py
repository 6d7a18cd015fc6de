#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Credentials that stay outside: the upstream gets the key, the sandbox a placeholder, and nothing brings the key in.

A sandbox with unmodified clients, an upstream that says back what it got in every way it can think of, a token
endpoint, and a program inside that searches its whole world for the key.
"""
import base64
import http.server
import json
import os
import ssl
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap  # noqa: E402
from keys_world import SEARCH  # noqa: E402
from world import World  # noqa: E402

t = Tap()
KEY = "sk-live/4eC39HqLyjWDarjtT1zdp7dc+Q="
HOST = "allowed.example"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with what the request's path asks for, made of the key that came."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def fields(self):
        return {k.lower(): v for k, v in self.headers.items()}

    def key(self):
        auth = self.headers.get("Authorization", "")
        return auth.removeprefix("Bearer ")

    def answer(self, body, status=200, **fields):
        self.send_response(status)
        for k, v in fields.items():
            self.send_header(k.replace("_", "-"), v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.path, self.fields(), body))
        if self.path == "/token":
            self.token(body)
        else:
            self.answer(b"posted\n")

    def token(self, body):
        self.server.tokens += 1
        form = urllib.parse.parse_qs(body.decode())
        if form.get("grant_type") == ["client_credentials"]:
            pair = base64.b64encode(b"client%20one:very-secret%2Fclient").decode()
            good = self.fields().get("authorization") == "Basic " + pair and form.get("scope") == ["read write"]
            return self.answer(b'{"access_token":"client-token-0001","expires_in":60}' if good else b"{}", 200 if good else 401)
        if form.get("refresh_token") != ["refresh-0123456789"]:
            return self.answer(b'{"error":"invalid_grant"}', 400)
        return self.answer(json.dumps({"access_token": f"fresh-token-{self.server.tokens:08}", "token_type": "Bearer",
                                       "expires_in": self.server.life}).encode())

    def do_GET(self):
        self.server.seen.append((self.path, self.fields(), b""))
        k = self.key().encode()
        echo = {
            "/echo": k, "/json": json.dumps({"you": k.decode()}).encode(), "/base64": base64.b64encode(b"x" + k + b"yz"),
            "/basic": base64.b64encode(b"user:" + k), "/percent": urllib.parse.quote(k, safe="").encode(),
            "/every": "".join(f"%{c:02x}" for c in k).encode(), "/hex": k.hex().encode(),
            "/unicode": "".join(f"\\u{c:04X}" if c in b"/+-=_" else chr(c) for c in k).encode(),
            "/slashes": k.replace(b"/", b"\\/").replace(b"-", b"\\u002d"),
            "/html": "".join(chr(c) if chr(c).isalnum() else f"&#{c};" for c in k).encode(),
            "/utf16": k.decode().encode("utf-16"),
            "/lines": b"\r\n".join(base64.b64encode(k)[i:i + 8] for i in range(0, 60, 8)),
        }.get(self.path.split("?")[0])
        if self.path == "/slow":
            return self.slow(k)
        if self.path == "/location":
            return self.answer(b"", 302, Location="https://elsewhere.example/?k=" + k.decode())
        if echo is not None:
            return self.answer(b"before " * 10 + echo + b" after\n")
        return self.answer(b"fine\n")

    def slow(self, k):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for c in k:
            self.wfile.write(b"1\r\n%c\r\n" % c)
            self.wfile.flush()
            time.sleep(0.005)
        self.wfile.write(b"0\r\n\r\n")


class Upstream(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, world):
        self.seen, self.tokens, self.life = [], 0, 3600
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(os.path.join(world.dir, "leaf.pem"), os.path.join(world.dir, "leaf.key"))
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def finish_request(self, request, client):
        request.settimeout(20)
        tls = self.context.wrap_socket(request, server_side=True)
        super().finish_request(tls, client)
        tls.close()

    def handle_error(self, *_):
        pass


POLICY = """network_policies:
  api:
    endpoints:
      - {host: %s, port: 443, protocol: rest, access: full, credential: acme}
      - {host: git.example, port: 443, protocol: rest, access: full}
    binaries: [{path: /usr/bin/curl}, {path: /usr/bin/python3*}]
""" % HOST


def main():
    with World() as w:
        up = Upstream(w)
        w.policy_text = w.policy("", POLICY)
        with open(w.hosts, "w") as f:
            f.write(f"127.0.0.1:{up.server_port} {HOST} git.example\n")
        w.keys = os.path.join(w.dir, "keys")
        os.mkdir(w.keys, 0o700)
        for fn in (header, withheld, misplaced, not_given, whole_world, oauth):
            fn(w, up)
        up.shutdown()
        up.server_close()


def record(w, name, secret, **more):
    with open(os.path.join(w.keys, "secret"), "w") as f:
        f.write(secret + "\n")
    path = os.path.join(w.keys, name + ".json")
    with open(path, "w") as f:
        json.dump({"hosts": [HOST], "placement": {"header": "authorization", "prefix": "Bearer "},
                   "env": ["ACME_API_KEY"], "secret_file": "secret", **more}, f)
    return path


def go(w, script, *more, options=None, env=None):
    path = record(w, "acme", KEY) if options is None else None
    return w.run(w.policy_text, ["/bin/sh", "-c", script, *more], env=env,
                 options=["--upstream-ca", os.path.join(w.dir, "ca.pem"), *(options or ["--provider", path])])


def header(w, up):
    up.seen.clear()
    r = go(w, f'echo "$ACME_API_KEY"; curl -sS -m 20 -H "Authorization: Bearer $ACME_API_KEY" https://{HOST}/x; '
              f'curl -sS -m 20 -H "Authorization: Bearer of-my-own" https://{HOST}/y; curl -sS -m 20 https://git.example/z',
           env={"ACME_API_KEY": KEY})
    got = {p: h.get("authorization") for p, h, _ in up.seen}
    t.ok(r.out.startswith("osh-acme-") and r.out.count("fine") == 3, "the sandbox holds a placeholder, and its requests work", r)
    t.ok(got.get("/x") == got.get("/y") == "Bearer " + KEY, "the key is put in place of what the sandbox sent", got)
    t.ok("/z" in got and got["/z"] is None, "a host of another endpoint gets no key", got)
    t.ok(KEY not in r.out + r.err and KEY not in json.dumps(r.events), "the key is in no output and no record")


def withheld(w, up):
    for path in ("echo", "json", "base64", "basic", "percent", "every", "hex", "lines", "location", "slow",
                 "unicode", "slashes", "html", "utf16"):
        r = go(w, f'curl -sS -m 20 -i https://{HOST}/{path}; echo "rc $?"')
        bits = [KEY, base64.b64encode(KEY.encode()).decode()[:30], KEY.encode().hex(), urllib.parse.quote(KEY, safe="")]
        t.ok(not any(b in r.out for b in bits) and r.has("http", "ECHO"), f"an answer that says the key is withheld: {path}", r)
    r = go(w, f"curl -sS -m 20 https://{HOST}/nothing")
    t.ok(r.out == "fine\n", "an answer that does not say it is whole", r)


def misplaced(w, up):
    tries = {
        "another field": '-H "X-Copy: $ACME_API_KEY" https://%s/a' % HOST,
        "the query": '"https://%s/a?k=$ACME_API_KEY"' % HOST,
        "the path": '"https://%s/$ACME_API_KEY"' % HOST,
        "a body": '--data "k=$ACME_API_KEY" https://%s/a' % HOST,
        "a body in chunks": '-H "Transfer-Encoding: chunked" --data "k=$ACME_API_KEY" https://%s/a' % HOST,
        "another host": '-H "Authorization: Bearer $ACME_API_KEY" https://git.example/a',
        "a cookie, base64": '-H "Cookie: c=$(printf %%s "x$ACME_API_KEY" | base64 -w0)" https://%s/a' % HOST,
    }
    for what, args in tries.items():
        up.seen.clear()
        r = go(w, f'curl -sS -m 20 {args}; echo "rc $?"')
        leaked = [s for s in up.seen if "osh-acme-" in s[0] + str(s[1]) + s[2].decode()]
        t.ok(r.has("http", "PLACEHOLDER") and not leaked, f"a placeholder in a wrong place is refused: {what}", r, leaked)


def not_given(w, up):
    r = go(w, "true", options=["--upstream-hosts", w.hosts])
    t.ok(r.rc == 125 and "--provider acme=" in r.err, "a policy that names a provider does not start without it", r)
    path = record(w, "narrow", KEY, paths=["/v1/**"], methods=["GET"])
    up.seen.clear()
    r = go(w, f"curl -sS -m 20 https://{HOST}/v2/x; curl -sS -m 20 https://{HOST}/v1/x; curl -sS -m 20 -d a https://{HOST}/v1/x",
           options=["--provider", "acme=" + path])
    t.ok([p for p, _, _ in up.seen] == ["/v1/x"] and r.has("http", "CREDENTIAL"), "a request outside the record is refused", r, up.seen)
    short = record(w, "short", "tiny")
    r = go(w, f"curl -sS -m 20 https://{HOST}/x; echo rc $?", options=["--provider", "acme=" + short])
    t.ok("rc 0" not in r.out and "tiny" not in json.dumps(r.events), "a secret that is too short to guard is not used", r)


def whole_world(w, up):
    tool = os.path.join(w.work, "search.py")
    with open(tool, "w") as f:
        f.write(SEARCH)
    r = go(w, f'curl -sS -m 20 https://{HOST}/x & sleep 0.3; curl -sS -m 20 https://{HOST}/echo -o /tmp/got; '
              f'printf %s "$1" | python3 {tool}', "sh", KEY[::-1], env={"ACME_API_KEY": KEY})
    t.ok("found []" in r.out, "a search of environment, files and memory finds no key", r)


def oauth(w, up):
    secret = json.dumps({"client_id": "client one", "client_secret": "very-secret-client", "refresh_token": "refresh-0123456789"})
    more = {"refresh": {"grant": "refresh_token", "token_url": f"https://{HOST}/token"}}
    up.seen.clear()
    up.tokens = 0
    r = go(w, f"for i in 1 2 3; do curl -sS -m 20 https://{HOST}/x & done; wait; curl -sS -m 20 https://{HOST}/y",
           options=["--provider", "acme=" + record(w, "oauth", secret, **more)])
    keys = [h.get("authorization") for p, h, _ in up.seen if p in ("/x", "/y")]
    t.ok(keys == ["Bearer fresh-token-00000001"] * 4 and up.tokens == 1, "one token is fetched, and used by all", r, up.seen)
    up.tokens, up.life = 0, 1
    r = go(w, f"curl -sS -m 20 https://{HOST}/x; sleep 1.2; curl -sS -m 20 https://{HOST}/echo; sleep 1.2; curl -sS -m 20 https://{HOST}/x",
           options=["--provider", "acme=" + record(w, "oauth", secret, **more)])
    t.ok(up.tokens >= 2 and "fresh-token" not in r.out and r.has("http", "ECHO"), "an old token is renewed, and searched for as well", r, up.tokens)
    pair = json.dumps({"client_id": "client one", "client_secret": "very-secret/client"})
    client = {"refresh": {"grant": "client_credentials", "token_url": f"https://{HOST}/token", "scope": "read write"}}
    up.seen.clear()
    r = go(w, f"curl -sS -m 20 https://{HOST}/x", options=["--provider", "acme=" + record(w, "client", pair, **client)])
    t.ok([h.get("authorization") for p, h, _ in up.seen if p == "/x"] == ["Bearer client-token-0001"], "client credentials give a token", r, up.seen)
    bad = secret.replace("refresh-0", "refused-0")
    up.seen.clear()
    r = go(w, f"curl -sS -m 20 https://{HOST}/x", options=["--provider", "acme=" + record(w, "oauth", bad, **more)])
    t.ok(r.has("http", "CREDENTIAL") and "/x" not in [p for p, _, _ in up.seen], "without a token nothing is sent", r)


main()
t.done()
