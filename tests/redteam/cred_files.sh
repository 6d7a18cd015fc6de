# SPDX-License-Identifier: Apache-2.0
# F13: the key in a file that can be opened.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=cred
CRED=yes
EXPECT='not there'
EVENT='none'
control() { grep -rsl "$KEY" "$WORLD/keys" | grep -q . || { mkdir -p "$WORLD/keys2" && printf %s "$KEY" >"$WORLD/keys2/key" && grep -rsl "$KEY" "$WORLD/keys2" | grep -q .; }; }
attack() { grep -rsl redteam-key-0123 "$WORLD/keys" /run /sandbox /tmp | grep -q . && exit 0; echo not there; false; }
