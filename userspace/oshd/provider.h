/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stored providers and the sandboxes that have them. What a sandbox's egress reads is one sealed set
 * (osh/creds.h); a change makes the next one, which the egress that lives takes over.
 */
#pragma once

#include "sandbox.h"
#include "state/state.h"

/* The key that they are sealed with: systemd's credential, else a file of root's. `make`: where there is none yet. */
int provider_key(struct daemon *d, bool make, int *ret_fd, struct err *e);

/* The owner's, put into a set beside what base_fd has (-1 = nothing). *ret_fd -1: nothing of either. */
int provider_compose(struct daemon *d, uid_t owner, int base_fd, const struct state_provider_use *uses, size_t n,
		     int *ret_fd, struct err *e);

bool provider_in_set(int set_fd, const char *name, bool stored);	/* stored: only such a one counts */

struct bundle;
/* The first credential that the policy names and the set has not, or NULL. A policy may name one very often. */
const char *provider_missing(const struct bundle *b, int set_fd);

/* Those that are stored ones; how many. */
unsigned provider_names(int set_fd, char ret[OSH_CREDS][OSH_CRED_NAME]);

/* error NULL: whatever the sandbox sends from now on goes by the set that was given, or by a later one. */
typedef void provider_done(void *data, const char *error);

/*
 * The next set of a sandbox that lives; set_fd (-1 = none) becomes its own. done() is called once, perhaps
 * before this returns, unless it fails: then nothing has changed.
 */
int provider_live(struct sandbox *s, int set_fd, provider_done *done, void *data, struct err *e);
void provider_answered(struct sandbox *s, const struct osh_msg_reloaded *m);
void provider_egress_up(struct sandbox *s);	/* it was started with what there was when it was asked for */
void provider_egress_gone(struct sandbox *s);	/* the next one starts with the last set */
/* Adoption: what the former oshd wrote down and did not come to tell. */
void provider_resumed(struct sandbox *s);
