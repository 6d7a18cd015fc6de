/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a transaction that more than one file of this directory needs; none begins or ends one. */
#pragma once

#include "db.h"

uint64_t row_time(uint64_t given);	/* now, where 0 was given */
void row_text(sqlite3_stmt *s, int column, char *to, size_t size);
int row_share(struct state *st, enum stmt count, uid_t uid, int most, const char *what, struct err *e);

int policy_add(struct state *st, uint64_t key, uint32_t revision, int bundle_fd, int source_fd, uid_t by,
	       uint32_t from, struct err *e);
int policy_check_bytes(struct state *st, uint64_t key, struct err *e);	/* once all is written */
int volume_need(struct state *st, uid_t uid, const char *name, uint64_t *ret_key, struct err *e);

int provider_use(struct state *st, uint64_t sandbox, uid_t uid, const struct state_provider_use *u, struct err *e);
int provider_uses(struct state *st, struct state_sandbox *s, struct err *e);

/* Bundles and texts by their content. */
int blob_put(struct state *st, const void *p, size_t n, int64_t *ret_key, struct err *e);
int blob_open(struct state *st, int64_t key, const char *name, int *ret_fd, struct err *e);
int blob_sweep(struct state *st, struct err *e);	/* those that no revision has */
int blob_memfd(const char *name, const void *p, size_t n, int *ret_fd, struct err *e);	/* sealed */

int trash_add(struct state *st, enum state_tree kind, uint64_t key, struct err *e);
