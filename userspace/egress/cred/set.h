/* SPDX-License-Identifier: Apache-2.0 */
/* The credentials as they lie in memory. Private to cred/. */
#pragma once

#include "cred/cred.h"
#include "osh/creds.h"
#include "provider.h"

struct cred {
	uint32_t number;		/* in this process no other credential's, and another one's after a rotation */
	char name[OSH_CRED_NAME];
	char placeholder[OSH_CRED_PLACEHOLDER];
	struct provider provider;
	struct slice secret;		/* locked memory; what goes upstream */
	struct slice key_id, token;	/* SIGV4: inside of `parts` */
	struct slice client_id, client_secret, refresh;	/* with a refresh: likewise */
	char *rotated;			/* locked memory: the refresh token that came with a token, or NULL */
	char *access;			/* locked memory: the token that `secret` then is; NULL = no refresh */
	char *past;			/* the one before, which the provider may still honour: searched for, never sent */
	size_t past_len;
	uint64_t good_until_ms, failed_ms;	/* loop time; 0 = never */
	bool asked;			/* a request for a token is under way */
	char *parts;			/* locked memory: the whole secret as read */
	size_t parts_len;
};

/* `gone` is what a former set had and this one has not: never sent, and searched for in what its hosts answer. */
#define CREDS_GONE 16

struct creds {
	struct cred cred[OSH_CREDS], gone[CREDS_GONE];	/* gone: the oldest first */
	uint32_t n, n_gone;
	struct scanner *placeholders, *secrets;	/* tag = index + 1 */
};

struct cred *creds_get(struct creds *c, const char *name);
const struct cred *creds_find(const struct creds *c, const char *name);
/* The value of "key" in a flat JSON object, in place; an escape in it is refused. n == 0: not there. */
struct slice member(struct slice json, const char *key);

bool cred_covers(const struct cred *c, const struct cred_ask *q);
/* A token came: from now on it is the secret, and searched for. 0 or -errno; the old one stays on failure. */
int cred_renew(struct creds *c, struct cred *of, struct slice access, struct slice refresh);

/* Of all of `c`, which has none yet, or -errno. */
int creds_scanners(struct creds *c, struct err *e);
void cred_done(struct cred *c);		/* wipes and zeroes it */

bool cred_host(const struct cred *c, const char *host);
bool creds_near(const struct creds *cs, const char *host);	/* any of them */
