/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's --upstream-hosts: lines of `ADDR[:PORT] NAME...`, an IPv6 address in brackets where
 * a port follows. Strict: one bad line refuses the file, since a skipped line would send a name to
 * the public resolver instead.
 *
 * Two lines are about a proxy (RFC 9110 9.3.6, CONNECT): `ADDR:PORT @proxy` is where every name goes that has no
 * address here, and `@direct NAME... .SUFFIX...` lists those that are resolved and dialled all the same.
 */
#pragma once

#include "err.h"
#include "ip.h"
#include "osh/limits.h"
#include "slice.h"

#define HOSTS_BYTES (256u << 10)		/* as much as oshd reads of it */
#define HOSTS_ENTRIES 16384		/* (address, name) pairs */

struct hosts_entry {
	struct ip addr;
	uint16_t port;			/* 0 = as asked for */
	char name[OSH_NAME_MAX];	/* lower case, no trailing dot */
};

struct hosts {
	struct hosts_entry *e;
	size_t n, cap;
	struct hosts_entry proxy;	/* port 0 = none */
	struct hosts *direct;		/* names and suffixes (with their dot) past the proxy, or NULL */
};

/* h starts zeroed. What is wrong begins with the number of its line: `7: not a host name`. */
int hosts_parse(struct hosts *h, struct slice text, struct err *e);
void hosts_done(struct hosts *h);

/* The next entry of this name after *at (start with 0), or NULL. */
const struct hosts_entry *hosts_next(const struct hosts *h, const char *name, size_t *at);

/* Does a connection to this name go through the proxy? */
bool hosts_proxied(const struct hosts *h, const char *name);

/* Lower-cases a host name into `out`; false if it is not one. */
bool hosts_name(struct slice in, char out[OSH_NAME_MAX]);
