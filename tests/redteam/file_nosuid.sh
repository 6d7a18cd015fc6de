# SPDX-License-Identifier: Apache-2.0
# E1: a set-uid program put by somebody into the working directory gives no rights.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='none'
control() { cp /usr/bin/id own-id && chown 0:0 own-id && chmod 4755 own-id && setpriv --reuid=65534 --regid=65534 --clear-groups ./own-id -u | grep -qx 0; }
attack() { ./own-id -u | grep -qx 0 && exit 0; echo errno=EPERM; false; }
