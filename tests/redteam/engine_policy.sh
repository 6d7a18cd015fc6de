# SPDX-License-Identifier: Apache-2.0
# F1: the policy that it runs under.
# shellcheck shell=sh disable=SC2034,SC2154,SC2010
EXPECT='errno='
EVENT='none'
control() { attack; }
attack() { attempt write "$WORLD/policy.yaml-0"; }
