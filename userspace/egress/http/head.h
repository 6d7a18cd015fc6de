/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of a message, whichever version of HTTP it came in: what the request line or the pseudo
 * fields say, and the fields in order. Owns its text. A head is rebuilt on its way: what was parsed is
 * written again from here, never passed on as bytes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

#define HEAD_BYTES 65536		/* names and values of one head together; more is refused */
#define HEAD_FIELDS 256
#define TARGET_BYTES 16384		/* path and query of a request */

struct field {
	uint32_t name, value;		/* offsets into `text`; both NUL terminated there, names in lower case */
	uint32_t name_len, value_len;	/* a value holds no CR, LF or NUL and no white space at its ends */
};

struct head {
	char *text;
	uint32_t n_text, cap_text;
	struct field *fields;
	uint32_t n_fields, cap_fields;
	/* Requests: offsets of text, 0 = absent. */
	uint32_t method, scheme, authority, target;	/* target: origin form, path and query as sent */
	uint16_t status;		/* responses: 100..599 */
	uint8_t version;		/* 10, 11 or 20: as received */
	bool too_big;			/* latched: an append found no room */
	bool secret;			/* holds a credential: its text is wiped before it is given back */
};

void head_done(struct head *h);
bool head_dup(struct head *to, const struct head *from);	/* *to is empty; false = no memory, and it stays so */
void head_reset(struct head *h);	/* empty, keeps its memory unless it is large */

uint32_t head_text(struct head *h, struct slice s);	/* copied; offset, 0 = too big */
bool head_add(struct head *h, struct slice name, struct slice value);	/* checked: false = too big, or never a field */
bool head_put(struct head *h, struct slice name, struct slice value);	/* the same for what its reader has checked */
void head_drop(struct head *h, const char *name);	/* every field of that name */
bool head_set(struct head *h, const char *name, struct slice value);	/* drop, then add */

static inline const char *head_str(const struct head *h, uint32_t at)
{
	return at ? h->text + at : "";
}

/* The n-th (from 0) field of that name, or NULL. */
const struct field *head_find(const struct head *h, const char *name, uint32_t n);
struct slice head_name(const struct head *h, const struct field *f);
struct slice head_value(const struct head *h, const struct field *f);

/* May a field of this name come after a body? Not what frames, routes, authenticates or describes the message. */
bool head_trailer_allowed(struct slice name);
