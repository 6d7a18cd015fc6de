# SPDX-License-Identifier: Apache-2.0
# F2: the egress' listener, by the addresses on which it may stand.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='none'
control() { attempt connect 127.0.0.1 "$TLS4"; }
attack() { for p in 1 80 443 3128 8080 9050 15001 33333; do attempt connect 127.0.0.1 $p && exit 0; done; echo errno=ECONNREFUSED; false; }
