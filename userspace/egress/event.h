/* SPDX-License-Identifier: Apache-2.0 */
/* A decision about a connection as the record that osh-audit gets. */
#pragma once

#include "ip.h"
#include "osh/abi.h"
#include "grant.h"

/* `addr`, `port`: what was dialled; NULL, 0 = nothing. */
struct osh_event_named event_of(const struct grant *g, enum osh_verdict verdict, enum osh_reason why,
			        const struct ip *addr, uint16_t port);
