/* SPDX-License-Identifier: Apache-2.0 */
/* What osh-prove is given: a policy, and files in JSON. Read after the process was confined. */
#pragma once

#include "find.h"
#include "policy.h"

struct input {
	const char *name;		/* of the file, for people */
	struct buf text;
	struct diags d;
	struct policy p;
};

/* False: said on stderr. */
bool input_policy(struct input *in, int fd, const char *name);
void input_done(struct input *in);

/* [{"name", "type", "scopes", "target_hosts", "injected_via"}], or an object with `credentials`. */
bool input_credentials(struct arena *a, int fd, const char *name, struct list *ret);

/* [{"category", "where", "program", "reason", "expires": "YYYY-MM-DD"}]; reason and expiry are wanted. */
bool input_accepts(struct arena *a, int fd, const char *name, struct list *ret);
