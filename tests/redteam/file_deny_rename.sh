# SPDX-License-Identifier: Apache-2.0
# Round a denied directory: the one above it gets another name, and the first name a directory of the agent's.
# shellcheck shell=sh disable=SC2034,SC2154
DENY=above/guarded
EXPECT='Device or resource busy|Operation not permitted|Permission denied|Read-only'
EVENT='none'
control() { mkdir -p above/guarded && rm -rf elsewhere && attack && rm -rf above && mv elsewhere above; }
attack() { mv above elsewhere && mkdir -p above/guarded && attempt write above/guarded/y; }
