# SPDX-License-Identifier: Apache-2.0
# C5: data in an option of the question: the answer says nothing of it and nothing is sent on.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='rcode=[0-9]+ answers=0|error='
EVENT='dns NAME_UNKNOWN|NAME_BAD'
control() { attack; }
attack() { probe dns 127.0.0.1 53 denied.example A edns=400; }
