# SPDX-License-Identifier: Apache-2.0
# B25: a proxy of its own choice in the environment.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ermission|Could ?n.t connect|Failed to connect'
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() { http_proxy=http://$ADDRESS:80 curl -sS -m 20 --fail http://denied.example/hello; }
