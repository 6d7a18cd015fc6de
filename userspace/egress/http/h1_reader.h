/* SPDX-License-Identifier: Apache-2.0 */
/* A head being read, as its two files see it: h1_read.c (lines) and h1_field.c (what fields decide). */
#pragma once

#include "http/h1.h"

#define H1_LISTED_MOST 8		/* names in `connection` that are not known ones */

struct h1_reader {
	struct slice in;		/* at most HEAD_BYTES of it */
	size_t at;
	struct head *h;
	struct h1_message *m;
	bool request;
	const char *why;
	int status;
	uint32_t lines;
	/* Fields that decide about the message, as they were met. */
	bool host, coding, length, te_trailers, expect;
	bool close, wants_upgrade;
	struct slice upgrade;
	struct slice listed[H1_LISTED_MOST];
	uint32_t n_listed;
};

bool h1_refuse(struct h1_reader *r, int status, const char *why);	/* false */

bool h1_authority_good(struct slice s);
bool h1_put_authority(struct h1_reader *r, struct slice s);

bool h1_take_field(struct h1_reader *r, struct slice name, struct slice value);	/* one field; false = refused */
bool h1_settle_request(struct h1_reader *r);		/* what all of them together say */
bool h1_settle_response(struct h1_reader *r, const char *method);
