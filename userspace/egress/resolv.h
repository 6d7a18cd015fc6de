/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nameservers of a resolv.conf, and nothing else of it. Lenient as every reader of that file is:
 * a line that is not understood is passed over; no usable line means that no name resolves.
 */
#pragma once

#include "ip.h"
#include "slice.h"

#define RESOLV_BYTES 65536
#define RESOLV_SERVERS 3

/* Number of servers written, 0..RESOLV_SERVERS. */
int resolv_parse(struct slice text, struct ip servers[RESOLV_SERVERS]);
