# SPDX-License-Identifier: Apache-2.0
# C10: the host's own resolver, on its loopback.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='error=|rcode=5|answers=0'
EVENT='none'
control() { attack; }
attack() { probe dns 127.0.0.53 53 denied.example A tcp; }
