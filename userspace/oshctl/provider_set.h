/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credentials that a run is given: records are read here, by the caller; secrets are copied from
 * their files into the set by the kernel and never enter this process, save those that were in its
 * environment already. See osh/creds.h.
 */
#pragma once

#include "env.h"
#include "osh/creds.h"
#include "provide.h"
#include "provider.h"
#include "slice.h"

struct profile;

struct provider_set {
	int fd;				/* sealed memfd, -1 = none given */
	uint32_t n;
	struct osh_creds_entry entry[OSH_CREDS];
	struct provider record[OSH_CREDS];
	struct osh_creds_entry stored[OSH_CREDS];	/* name and placeholder alone: oshd has the rest */
	struct provider stored_record[OSH_CREDS];
	uint32_t n_stored;
	struct json_t *profiles[OSH_CREDS];	/* what binaries[] lie in */
	const char *binaries[OSH_CREDS][33];
	struct provision provision[OSH_CREDS];	/* of those that have a type, for the compiler */
	size_t n_provisions;
	char *env[OSH_CREDS * 16 + 1];	/* "NAME=placeholder", NULL terminated */
};

/* One of a type. */
struct provider_item {
	const char *name;
	const struct profile *profile;
	const char *variable;		/* that is to hold the placeholder; NULL = those of the record */
	struct slice secret;
	bool adds;			/* see provide.h */
};

/*
 * An empty one is zero but for its fd of -1; whatever failed, provider_set_done() gives back what was opened.
 * given: NULL terminated, each [NAME=]FILE. sandbox: of a created one its name, by which the placeholders go, so that
 * they are the same at its next start: its command and its files hold them. NULL = random ones.
 */
int provider_set_files(struct provider_set *s, const char *const *given, const char *sandbox, struct err *e);
/* One that oshd has stored: `record` and `type` as it told them. */
int provider_set_stored(struct provider_set *s, const char *name, const char *type, const char *record, const char *sandbox,
			struct err *e);
/* Not a file: a name and nothing else, of which a file would have a '/', a '=' or ".json". */
bool provider_set_is_stored(const char *given);
int provider_set_add(struct provider_set *s, const struct provider_item *it, const char *sandbox, struct err *e);
int provider_set_seal(struct provider_set *s, struct err *e);	/* it is whole; and the compiler is told */

bool provider_set_has(const struct provider_set *s, const char *name);
/* Is there one for a host of this profile's, or one with its name? */
bool provider_set_near(const struct provider_set *s, const struct profile *p);
void provider_set_done(struct provider_set *s);
