# SPDX-License-Identifier: Apache-2.0
# B24: GCONV_PATH: character sets are libraries, too.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ermission|Could ?n.t connect|Failed to connect'
EVENT='connect TAINTED'
control() { attack; }
attack() { GCONV_PATH=/tmp curl -sS -m 20 --fail --cacert "$CA" https://allowed.example/hello; }
