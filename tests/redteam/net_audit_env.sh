# SPDX-License-Identifier: Apache-2.0
# B24: LD_AUDIT: a library beside the listed program's own.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ermission|Could ?n.t connect|Failed to connect'
EVENT='connect TAINTED'
control() { attack; }
attack() { LD_AUDIT=/tmp/none.so curl -sS -m 20 --fail --cacert "$CA" https://allowed.example/hello; }
