# SPDX-License-Identifier: Apache-2.0
# B1: a listed name with an address of the caller's.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ermission|Could ?n.t connect|Failed to connect'
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() { curl -sS -m 20 --fail --cacert "$CA" --resolve "allowed.example:443:$ADDRESS" https://allowed.example/hello; }
