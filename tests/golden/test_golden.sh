#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `oshctl policy check` says, word for word: NAME.yaml -> NAME.want (text) and NAME.json.
# `UPDATE=1 tests/golden/test_golden.sh` writes them anew; read the difference before committing.
. "$(dirname "$0")/../lib.sh"
cd "$ROOT/tests/golden" || exit 1

for f in *.yaml; do
	n=${f%.yaml}
	"$BUILD/oshctl" policy check "$f" >"$TMP/$n.want" 2>&1
	echo "exit $?" >>"$TMP/$n.want"
	"$BUILD/oshctl" policy check --json "$f" >"$TMP/$n.json" 2>&1
	for kind in want json; do
		[ -n "${UPDATE:-}" ] && cp "$TMP/$n.$kind" "$n.$kind"
		check "$n.$kind" diff -u "$n.$kind" "$TMP/$n.$kind"
	done
done
check "no byte that steers a terminal" sh -c "! LC_ALL=C grep -lP '[\x00-\x09\x0b-\x1f\x7f]' '$TMP'/*.want"
"$BUILD/oshctl" polcy check x >"$TMP/verb" 2>&1
check "unknown verb exits 2" [ $? -eq 2 ]
check "unknown verb has a hint" grep -q "did you mean 'policy check'" "$TMP/verb"
"$BUILD/oshctl" policy check >"$TMP/usage" 2>&1
check "no file exits 2" [ $? -eq 2 ]
"$BUILD/oshctl" policy check /nonexistent >"$TMP/missing" 2>&1
check "missing file exits 1" [ $? -eq 1 ]
cat fine.yaml | "$BUILD/oshctl" policy check /dev/stdin >"$TMP/piped" 2>&1
check "a policy may come through a pipe" [ $? -eq 0 ]
cat mistakes.yaml | "$BUILD/oshctl" policy check /dev/stdin 2>&1 | sed 's|/dev/stdin|mistakes.yaml|' >"$TMP/piped"
check "and is read as a file is" sh -c "grep -v '^exit' mistakes.want | cmp - '$TMP/piped'"
for f in . /dev/null; do
	"$BUILD/oshctl" policy check --json "$f" >"$TMP/kind" 2>"$TMP/said"
	check "$f is no policy" [ $? -eq 1 ]
	check "$f: said, and in the one line of JSON" sh -c "grep -q \"'$f' is neither a regular file nor a pipe\" '$TMP/said' &&
		python3 -c 'import json, sys; assert not json.load(sys.stdin)[\"ok\"]' <'$TMP/kind'"
done
for o in "" --json --sarif; do
	# shellcheck disable=SC2086
	"$BUILD/oshctl" policy check $o lints.yaml >"$TMP/plain" 2>&1
	check "warnings alone are no failure $o" [ $? -eq 0 ]
	# shellcheck disable=SC2086
	"$BUILD/oshctl" policy check $o --strict lints.yaml >"$TMP/strict" 2>&1
	check "with --strict they are $o" [ $? -eq 1 ]
	check "and nothing else changes $o" cmp "$TMP/plain" "$TMP/strict"
done
check "--strict and no warnings" "$BUILD/oshctl" policy check --strict "$ROOT/policy-compiler/presets/default.yaml"
check "every preset file is embedded" \
	[ "$("$BUILD/oshctl" policy preset | wc -l)" -eq "$(find "$ROOT/policy-compiler/presets" -name '*.yaml' | wc -l)" ]
"$BUILD/oshctl" policy check preset:nonesuch >"$TMP/nonesuch" 2>&1
check "an unknown preset is refused" [ $? -eq 1 ]
printf '%s\n' '{"stage":"l4","request":{"host":"api.openai.com","port":443,"binary":"/usr/bin/codex"}}' \
	'{"stage":"l4","request":{"host":"api.openai.com","port":443,"binary":"/usr/bin/curl"}}' |
	"$BUILD/oshctl" policy eval -p preset:codex >"$TMP/eval" 2>&1
check "a preset can be asked" sh -c "grep -c '\"decision\":\"allow\"' '$TMP/eval' | grep -qx 1"
"$BUILD/oshctl" policy schema >"$TMP/schema.json" 2>&1
check "the schema is JSON Schema" python3 - "$TMP/schema.json" <<'PY'
import json, sys
s = json.load(open(sys.argv[1]))
assert s["$schema"] == "https://json-schema.org/draft/2020-12/schema" and s["additionalProperties"] is False
def walk(v, keyword=True):
    """No keyword that is not JSON Schema's, no empty list of alternatives."""
    known = {"$schema", "title", "type", "properties", "description", "additionalProperties", "required", "items",
             "anyOf", "enum", "const", "minimum", "maximum", "minProperties", "dependentRequired", "deprecated"}
    if isinstance(v, list):
        assert v
        [walk(x) for x in v]
    elif isinstance(v, dict):
        assert not keyword or set(v) <= known, set(v) - known
        [walk(x, k not in ("properties", "dependentRequired")) for k, x in v.items()]
walk(s)
PY
"$BUILD/oshctl" policy check --json --sarif lints.yaml >"$TMP/both" 2>&1
check "--json and --sarif exclude each other" [ $? -eq 2 ]
"$BUILD/oshctl" policy check --sarif lints.yaml mistakes.yaml /nonexistent >"$TMP/sarif" 2>/dev/null
check "SARIF: one run, rules and places" python3 - "$TMP/sarif" <<'PY'
import json, sys
run, = json.load(open(sys.argv[1]))["runs"]
rules = {r["id"] for r in run["tool"]["driver"]["rules"]}
files = set()
for r in run["results"]:
    where = r["locations"][0]["physicalLocation"]
    files.add(where["artifactLocation"]["uri"])
    assert r["ruleId"] in rules and r["level"] in ("error", "warning") and r["message"]["text"], r
    assert where["artifactLocation"]["uri"] == "/nonexistent" or where["region"]["startLine"] > 0, r
assert files == {"lints.yaml", "mistakes.yaml", "/nonexistent"}, files
PY
printf '%s\n' '{"stage":"l4","request":{"host":"api.example.com","port":443}}' \
	'{"stage":"l4","stage":"l4"}' 'x' '{"stage":"l9"}' |
	"$BUILD/oshctl" policy eval -p fine.yaml >"$TMP/eval" 2>&1
check "eval answers every line" [ "$(wc -l <"$TMP/eval")" -eq 4 ]
check "eval decides" sh -c "head -n1 '$TMP/eval' | grep -q '\"decision\":\"allow\",\"rule\":\"network\[0\]\"'"
check "eval refuses duplicate keys and nonsense" [ "$(grep -c '"decision":"error"' "$TMP/eval")" -eq 3 ]
"$BUILD/oshctl" policy compile fine.yaml -o "$TMP/a" && "$BUILD/oshctl" policy compile fine.yaml -o "$TMP/b"
check "the same policy gives the same bundle" cmp "$TMP/a" "$TMP/b"
tap_done
