# SPDX-License-Identifier: Apache-2.0
# C10: the system bus, on which resolvers and service managers listen.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES)'
EVENT='unix UNIX_PATH'
control() { attack; }
attack() { attempt unix /run/dbus/system_bus_socket; }
