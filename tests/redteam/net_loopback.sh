# SPDX-License-Identifier: Apache-2.0
# B8: a service on the host's own loopback.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=ECONNREFUSED'
EVENT='none'
NET=yes
control() { attempt connect 127.0.0.1 "$TLS4"; }
attack() { attempt connect 127.0.0.1 "$TLS4"; }
