# SPDX-License-Identifier: Apache-2.0
# C3: a text record of a listed name: an answer with room for commands.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='rcode=[0-9]+ answers=0|error='
EVENT='dns NAME_TYPE'
control() { attack; }
attack() { probe dns 127.0.0.1 53 allowed.example TXT; }
