/* SPDX-License-Identifier: Apache-2.0 */
/* What the methods of created sandboxes share. */
#pragma once

#include "life.h"

struct create_request {
	struct run_request q; /* borrowed from the message */
	struct state_sandbox row;
	int source_fd; /* borrowed; -1 = not given */
};

int bus_needs_state(const struct caller *who, struct err *e); /* an embedded oshd keeps nothing */
int bus_find_life(const struct caller *who, const char *name, struct life **ret, struct err *e);

int bus_label_check(const char *key, const char *value, struct err *e);
/* a{ss}; *ret is the caller's to free, also on failure. */
int bus_read_labels(sd_bus_message *m, struct state_label **ret, size_t *ret_n, struct err *e);
void bus_labels_free(struct state_label *l, size_t n);
bool bus_labels_match(const struct state_sandbox *row, const struct state_label *want,
		      size_t n); /* all of them */

/* Descriptors that are given replace those that were. */
int bus_keep_given(struct life_given *g, const struct run_request *q, struct err *e);

/* life_done: data is the call, which is answered and unreferenced. */
void bus_answer_created(void *data, const struct life *l, const char *why);
void bus_answer_done(void *data, const struct life *l, const char *why);
