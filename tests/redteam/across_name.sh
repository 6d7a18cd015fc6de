# SPDX-License-Identifier: Apache-2.0
# D: the served port itself, by the name that the log has, which no program is listed for.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=none
ACROSS=caller
EXPECT='errno=EACCES'
EVENT='connect BINARY'
control() { beside attempt connect 127.0.0.1 8000; }
attack() { attempt host gpu.sandbox.local 8000; }
