/* SPDX-License-Identifier: Apache-2.0 */
/* The credentials as they lie in memory. Private to cred/. */
#pragma once

#include "cred/cred.h"
#include "osh/creds.h"
#include "provider.h"

struct cred {
	char name[OSH_CRED_NAME];
	char placeholder[OSH_CRED_PLACEHOLDER];
	struct provider provider;
	struct slice secret;		/* locked memory; what goes upstream */
	struct slice key_id, token;	/* SIGV4: inside of `parts` */
	char *parts;			/* locked memory: the whole secret as read */
	size_t parts_len;
};

struct creds {
	struct cred cred[OSH_CREDS];
	uint32_t n;
	struct scanner placeholders, secrets;	/* tag = index + 1 */
};

const struct cred *creds_find(const struct creds *c, const char *name);
bool cred_covers(const struct cred *c, const struct cred_ask *q);
bool cred_host(const struct cred *c, const char *host);
