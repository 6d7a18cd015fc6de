# SPDX-License-Identifier: Apache-2.0
# A15: the loader starts the listed program: the identity is the loader's.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ermission|Could ?n.t connect|Failed to connect|not permitted'
EVENT='connect BINARY|NO_IDENTITY|EXEC_UNSEEN|TAINTED'
control() { attack; }
attack() { for l in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do [ -x $l ] && $l /usr/bin/curl -sS -m 20 --cacert "$CA" --fail https://allowed.example/hello && exit 0; done; false; }
