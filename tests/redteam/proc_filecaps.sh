# SPDX-License-Identifier: Apache-2.0
# E1: capabilities on a file, which exec would give.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='EPERM|not permitted|not supported'
EVENT='none'
control() { cp /bin/true caps && setcap cap_net_admin+ep caps && rm caps || { python3 -c "import os; os.setxattr('attempt', 'security.capability', bytes.fromhex('0100000200100000000000000000000000000000'))" && python3 -c "import os; os.removexattr('attempt', 'security.capability')"; }; }
attack() { python3 -c "import os; open('caps', 'w'); os.setxattr('caps', 'security.capability', bytes.fromhex('0100000200100000000000000000000000000000'))"; }
