/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Furnishes a fresh network namespace for a sandbox: lo, local routes, the DNS program, the listener
 * of the egress with its steering, and the nftables table. Run by osh-launch's child as root inside
 * the new namespace, before it drops anything; reads a checked bundle and no text from outside.
 * Any step that fails fails the whole: the caller ends the child, and the namespace goes with it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bundle.h"
#include "err.h"

struct netns_args {
	int dns_prog_fd;		/* tc program, OSH_LFD_DNS */
	int steer_prog_fd;		/* sk_lookup program, OSH_LFD_STEER */
	int steer_map_fd;		/* its sockmap, OSH_LFD_STEER_MAP */
	const struct bundle *b;
	uint32_t net6[4];		/* network order, /48 */
	bool prepared;			/* netns_prepare() has been here */
	uint64_t off;			/* OSH_OFF_*; must be 0 unless built with OSH_TEST */
};

struct netns_result {
	int listener_fd;		/* TCP [::], dual stack, listening, non-blocking */
	int steer_link_fd;
	int netns_fd;
	uint64_t cookie;		/* of the netns: key of `by_netns` */
};

/*
 * Everything in the current namespace that no policy changes: sysctls, the nftables table, lo with the
 * sandbox' own addresses and the DNS program. Reads dns_prog_fd, net6 and off; *ret_fd, when asked
 * for, is the namespace. Refuses to touch a namespace that has any device up, so that a caller in the
 * wrong one does no harm.
 */
int netns_prepare(const struct netns_args *a, int *ret_fd, struct err *e);

/*
 * The rest, and the first part where it was not done ahead. 0 with *ret filled, its descriptors the
 * caller's; or -errno with the step named in *e.
 */
int netns_setup(const struct netns_args *a, struct netns_result *ret, struct err *e);

/*
 * Local routes on lo for the bundle's IP literals and networks, in the current namespace. Part of
 * netns_setup(). Routes that exist already are left alone.
 */
int netns_route_cidrs(const struct bundle *b, struct err *e);

/* For a reload, later: afterwards there are those of either bundle and no others, and none was missing meanwhile. */
int netns_follow(const struct bundle *next, const struct bundle *was, struct err *e);
