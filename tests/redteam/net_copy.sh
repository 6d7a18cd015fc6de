# SPDX-License-Identifier: Apache-2.0
# B23: a copy of the listed program elsewhere.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='Permission denied|Could ?n.t connect|Failed to connect'
EVENT='connect BINARY|NO_IDENTITY|EXEC_UNSEEN'
control() { cp /usr/bin/curl /tmp/curl && /tmp/curl -sS -m 20 --fail --cacert "$CA" https://allowed.example/hello; }
attack() { cp /usr/bin/curl /tmp/curl && /tmp/curl -sS -m 20 --fail --cacert "$CA" https://allowed.example/hello; }
