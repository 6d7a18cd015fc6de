#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `oshctl policy diff`, word for word: diff/{old,new}.yaml -> diff/want; every example is put to
# `policy explain` on both sides. UPDATE=1 writes the file anew; read the difference.
. "$(dirname "$0")/../lib.sh"
cd "$ROOT/tests/golden/diff" || exit 1
CTL=$BUILD/oshctl
differ() { "$CTL" policy diff -w /w/p "$@" 2>/dev/null; }

differ old.yaml new.yaml >"$TMP/want"
check "differences exit 1" [ $? -eq 1 ]
[ -n "${UPDATE:-}" ] && cp "$TMP/want" want
check "differences are as before" diff -u want "$TMP/want"

differ --json old.yaml new.yaml >"$TMP/json"
cat >"$TMP/confirm.py" <<'PY'
import json, subprocess, sys
ctl, tmp = sys.argv[1:]
found = json.load(open(tmp + "/json"))
assert found["complete"] and len(found["differences"]) > 15 and found["settings"] == ["dns.wildcard_names"]
for d in found["differences"]:
    got = []
    for file in "old.yaml", "new.yaml":
        cmd = [ctl, "policy", "explain", "-p", file, "-w", "/w/p", "--json"]
        cmd += ["--binary", d["binary"]] if d["binary"] else []
        out = subprocess.run(cmd + [d["request"]], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        got.append(json.loads(out)["decision"])
    want = ["deny", "allow"] if d["change"] == "newly_allowed" else ["allow", "deny"]
    assert got == want, (d, got)
PY
check "every example differs" /usr/bin/python3 "$TMP/confirm.py" "$CTL" "$TMP"

for f in ../fine.yaml ../explain/policy.yaml new.yaml; do
	check "$f equals itself" differ "$f" "$f"
done
sed 's/^network_policies/# comment\n&/; s/port: 443,/ports: [443],/' old.yaml >"$TMP/same.yaml"
check "spelling is no difference" differ old.yaml "$TMP/same.yaml"

# One edit each, which must not be taken for nothing.
n=0
while IFS='	' read -r edit; do
	n=$((n + 1))
	sed "$edit" old.yaml >"$TMP/edited.yaml"
	differ old.yaml "$TMP/edited.yaml" >"$TMP/out"
	check "edit $n is found" [ $? -eq 1 -a -s "$TMP/out" ]
done <<'EDITS'
s|include_workdir: true|include_workdir: false|
s|/tmp, ||
s|ports: \[53\]|ports: [53, 54]|
s|9.9.0.0/16|9.9.0.0/17|
s|"\*.wild|"x.wild|
s|psql}\]|psql}]\n    taint: ignore|
s|10.1.0.0/16|10.1.0.0/15|
s|, allowed_ips: \[10.1.0.0/16\]||
s|method: GET|method: POST|
s|"/repos/\*\*"|"/repos/**/x"|
s|"/repos/\*\*"}|"/repos/**", query: {a: "b*"}}|
s|protocol: rest|protocol: rest\n        deny_rules: [{method: GET, path: /repos/a/b}]|
s|/opt/\*/bin|/opt/?/bin|
s|enforcement: enforce|enforcement: audit|
$aprocess: {env: {pass: [TERM]}}
$aresources: {pids: 7}
$aresources: {swap: 1Gi}
$aresources: {io_weight: 7}
$aresources: {files: 70}
$aresources: {disk: 1Gi}
$aresources: {wall: 7s}
$aprocess: {run_as_user: 1000}
$aprocess: {env: {set: {A: "b"}}}
$agpu: {count: 1}
$aassert: [{never: {host: x.example.com, method: [POST]}}]
EDITS
# What is compared as written is compared as text: these two had one 64-bit sum.
{ cat old.yaml && echo 'resources: {cpu: 2000m, memory: "1100585370035"}'; } >"$TMP/a.yaml"
{ cat old.yaml && echo 'resources: {cpu: 2001m, memory: "1073741824"}'; } >"$TMP/b.yaml"
differ "$TMP/a.yaml" "$TMP/b.yaml" >"$TMP/out"
check "limits of one sum are told apart" [ $? -eq 1 -a "$(cat "$TMP/out")" = "changed: resources" ]
"$CTL" policy diff old.yaml >"$TMP/out" 2>&1
check "one file exits 2" [ $? -eq 2 ]
differ old.yaml ../mistakes.yaml >"$TMP/out"
check "a wrong policy exits 1 and says nothing" [ $? -eq 1 -a ! -s "$TMP/out" ]
differ old.yaml /nonexistent >"$TMP/out"
check "a missing policy exits 1" [ $? -eq 1 ]
tap_done
