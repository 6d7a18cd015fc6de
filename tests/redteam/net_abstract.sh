# SPDX-License-Identifier: Apache-2.0
# B10: an abstract unix socket of the host.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ECONNREFUSED|EPERM|EACCES)'
EVENT='none'
control() { python3 -c "import socket,os;s=socket.socket(socket.AF_UNIX);s.bind(\"\\0osh-rt\");s.listen();os.execv(\"$ATTEMPT\",[\"attempt\",\"unix\",\"@osh-rt\"])" || attempt raw; }
attack() { attempt unix @osh-rt; }
