# SPDX-License-Identifier: Apache-2.0
# C11: what is asked backwards: labels that look like an address.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='rcode=[0-9]+ answers=0|error='
EVENT='dns NAME_UNKNOWN|NAME_TYPE|NAME_BAD'
control() { attack; }
attack() { probe dns 127.0.0.1 53 4.3.2.1.in-addr.arpa PTR; }
