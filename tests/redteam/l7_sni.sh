# SPDX-License-Identifier: Apache-2.0
# D2: TLS that names another host than the one that was dialled.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=requests
EXPECT='SSL|TLS|reset|alert|handshake'
EVENT='egress TLS_SNI'
control() { curl -sS -m 20 --cacert "$CA" --connect-to "::127.0.0.1:$TLS4" https://git.example/hello; }
attack() { curl -sS -m 20 --fail-with-body --connect-to git.example:443:allowed.example:443 https://git.example/hello; }
