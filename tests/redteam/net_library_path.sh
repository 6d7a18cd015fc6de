# SPDX-License-Identifier: Apache-2.0
# B24: LD_LIBRARY_PATH: other libraries for the listed program.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ermission|Could ?n.t connect|Failed to connect'
EVENT='connect TAINTED'
control() { attack; }
attack() { LD_LIBRARY_PATH=/tmp curl -sS -m 20 --fail --cacert "$CA" https://allowed.example/hello; }
