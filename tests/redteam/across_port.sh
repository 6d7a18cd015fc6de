# SPDX-License-Identifier: Apache-2.0
# D: another port of the sandbox that serves: by name, by the route, by the loopback.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=none
ACROSS=caller
EXPECT='errno=ECONNREFUSED'
EVENT='none'
control() { beside attempt connect 127.0.0.1 8001; }
attack() {
	for host in inference.local:8001 gpu.sandbox.local:8001 127.0.0.1:8001; do
		curl -sk -m 10 -H "host: $host" https://inference.local/v1/models
	done
	attempt connect ::1 8001 || attempt connect 127.0.0.1 8001
}
