# SPDX-License-Identifier: Apache-2.0
# G1: the machine's devices mounted again.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM|not permitted'
EVENT='syscall SYSCALL'
control() { mkdir -p there && unshare -m sh -c 'mount --bind /dev there && ./attempt open there/nvidia61' | grep ENXIO; }
attack() { mkdir -p there && unshare -Urm sh -c 'mount -t devtmpfs none there || mount --bind /dev there' && device there/nvidia61; }
