# SPDX-License-Identifier: Apache-2.0
# B25: a proxy of its own choice in the environment.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ermission|Could ?n.t connect|Failed to connect'
EVENT='connect DEST_UNKNOWN'
control() { attempt connect "$ADDRESS" "$PORT"; }
attack() { https_proxy=http://$ADDRESS:$PORT curl -sS -m 20 --fail --cacert "$CA" https://denied.example/; }
