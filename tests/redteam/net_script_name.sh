# SPDX-License-Identifier: Apache-2.0
# B21: a script that bears the listed program's name.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ermission'
EVENT='connect BINARY|NO_IDENTITY'
control() { attack; }
attack() { mkdir -p bin; printf '#!/usr/bin/python3\nimport socket; socket.create_connection(("allowed.example", 443), 5)\n' >bin/curl; chmod +x bin/curl; bin/curl; }
