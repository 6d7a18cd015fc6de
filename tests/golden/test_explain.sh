#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `oshctl policy explain`, word for word: explain/requests -> explain/want. Layers depend on the kernel,
# so their part is looked at by itself. UPDATE=1 writes the file anew; read the difference.
. "$(dirname "$0")/../lib.sh"
cd "$ROOT/tests/golden/explain" || exit 1
CTL=$BUILD/oshctl

explain() { "$CTL" policy explain -p policy.yaml -w /work/p "$@"; }

# A request that names no program is curl's.
while IFS= read -r line; do
	case $line in
	[A-Z]*) set -- --binary /usr/bin/curl "$line" ;;
	*) set -- "$line" ;;
	esac
	explain "$@" 2>/dev/null | sed '/^  kept by/,/^  to /{/^  to /!d}'
done <requests >"$TMP/want"
[ -n "${UPDATE:-}" ] && cp "$TMP/want" want
check "answers are as before" diff -u want "$TMP/want"

# Every single change that is proposed as an addition, made: the answer turns around.
turned=0
add() {
	explain --json "$1" 2>/dev/null | /usr/bin/python3 -c '
import json, sys
a = json.loads(sys.stdin.readline())
c = a["change"]
if len(c) == 1 and c[0]["action"] == "add" and "line" not in c[0]:
    key, body = c[0]["yaml"].split("\n", 1)
    text = open("policy.yaml").read().split("\n")
    if key == "filesystem_policy:":
        name = body.split(":")[0]
        old = [i for i, l in enumerate(text) if l.startswith(name + ": [")]
        text[old[0]] = text[old[0]][:-1] + ", " + body.strip().split("[", 1)[1]
    else:
        text[text.index(key)] = key + "\n" + body.rstrip("\n")
    open(sys.argv[1], "w").write("\n".join(text))
    print(a["decision"])' "$TMP/changed.yaml"
}
while IFS= read -r line; do
	was=$(add "$line")
	[ -n "$was" ] || continue
	now=$("$CTL" policy explain --json -p "$TMP/changed.yaml" -w /work/p "$line" 2>/dev/null |
		sed 's/.*"decision":"\([a-z]*\)".*/\1/')
	turned=$((turned + 1))
	check "the change turns around: $line" [ "$was" != "$now" ]
done <requests
check "some changes were made" [ "$turned" -ge 6 ]

explain 'dns github.com' >"$TMP/layers"
check "layers are named" grep -q 'tc program on lo' "$TMP/layers"
# Who reads requests is what the compiler takes: the row turns by itself when it does.
for p in rest websocket graphql json-rpc mcp; do
	case $p in graphql) r='operation_type: query' ;; json-rpc) r='method: a' ;; mcp) r='tool: a' ;; *) r='method: GET, path: /a' ;; esac
	echo "{version: 1, network_policies: {x: {binaries: [/x], endpoints: [{host: a.test, port: 443, protocol: $p, rules: [{allow: {$r}}]}]}}}" >"$TMP/p.yaml"
	want=missing
	"$CTL" policy compile "$TMP/p.yaml" -o "$TMP/b" 2>/dev/null && want=lives
	"$CTL" policy explain -p "$TMP/p.yaml" 'connect /x a.test:443' >"$TMP/out" 2>/dev/null
	check "requests of $p: $want" grep -q "osh-egress, $p  *$want" "$TMP/out"
done
check "no row for connections that nobody looks into" sh -c "! '$CTL' policy explain -p policy.yaml 'connect /usr/bin/git github.com:443' 2>/dev/null | grep osh-egress,"
check "allowed exits 0" explain --binary /usr/bin/git 'connect github.com:443'
explain 'dns github.com' 'dns x.org' >"$TMP/out"
check "one denial of two exits 1" [ $? -eq 1 ]
for bad in '' 'dns' 'dns a b' 'connect x' 'connect x:0' 'connect x:65536' 'connect ::1:80' \
	'open relative' 'open /a/../b' 'open /a append' 'frob x' 'GET ftp://x/' 'GET https://u@x/' 'GET https://x:y/' \
	'POST https://x/ graphql' 'POST https://x/ graphql frob' 'POST https://x/ call' 'POST https://x/ call a b c' 'GET https://x/ y'; do
	explain 'dns github.com' "$bad" >"$TMP/out" 2>"$TMP/err"
	check "used wrongly: '$bad'" [ $? -eq 2 -a ! -s "$TMP/out" -a -s "$TMP/err" ]
done
explain "dns $(printf 'a\033[31m')" >"$TMP/out" 2>&1
check "no byte that steers a terminal" sh -c "! LC_ALL=C grep -qP '[\x00-\x09\x0b-\x1f\x7f]' '$TMP/out'"
"$CTL" policy explain -p ../mistakes.yaml 'dns x' >"$TMP/out" 2>"$TMP/err"
check "a wrong policy exits 1, with its mistakes" [ $? -eq 1 -a ! -s "$TMP/out" -a -s "$TMP/err" ]
"$CTL" policy explain -p policy.yaml 'dns github.com' >/dev/null
check "answers into /dev/null" [ $? -eq 0 ]
tap_done
