# SPDX-License-Identifier: Apache-2.0
# B24: code injected into the listed program by LD_PRELOAD.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='Permission denied|Could ?n.t connect|Failed to connect'
EVENT='connect TAINTED'
control() { attack; }
attack() { LD_PRELOAD=libc.so.6 curl -sS -m 20 --fail --cacert "$CA" https://allowed.example/hello; }
