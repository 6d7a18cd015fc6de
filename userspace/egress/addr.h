/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May this address be dialled for that host? Special-purpose prefixes after RFC 6890 and its
 * successors, plus the metadata services of the clouds. Answers of DNS are hostile input.
 */
#pragma once

#include "bundle.h"
#include "ip.h"
#include "osh/abi.h"

enum addr_class {
	ADDR_FORBIDDEN,		/* never dialled: loopback, link-local, metadata, multicast, unspecified */
	ADDR_PRIVATE,		/* dialled only where the policy lists it in allowed_ips */
	ADDR_PUBLIC,
};

/* The most restrictive class of the address and of any IPv4 address that it carries inside. */
enum addr_class addr_class(const struct ip *a);

/* OSH_WHY_ALLOWED, or why this address may not be dialled for this (host number, port). */
enum osh_reason addr_judge(const struct bundle *b, uint32_t host, uint16_t port, const struct ip *a);

/* Does the policy say which addresses this (host number, port) may have? */
bool addr_restricted(const struct bundle *b, uint32_t host, uint16_t port);

bool addr_port_forbidden(uint16_t port);
