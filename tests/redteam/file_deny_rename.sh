# SPDX-License-Identifier: Apache-2.0
# Round a denied directory: the one above it gets another name, and the first name a directory of the agent's.
# shellcheck shell=sh disable=SC2034,SC2154
DENY=above/guarded
EXPECT='Device or resource busy|Operation not permitted|Permission denied|Read-only'
EVENT='none'
control() { mkdir -p "$WORK/above/guarded" && mv "$WORK/above" "$WORK/elsewhere" && mv "$WORK/elsewhere" "$WORK/above"; }
attack() { mv "$WORK/above" "$WORK/elsewhere" && mkdir -p "$WORK/above/guarded" && attempt write "$WORK/above/guarded/y"; }
