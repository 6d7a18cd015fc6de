/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads of HTTP/2 (RFC 9113, section 8): fields as HPACK gives them, checked one by one, become a struct
 * head; a struct head becomes the fields to send. nghttp2 has checked most of it before us. What it
 * would forgive or leave to the application is an error here.
 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "http/head.h"

enum h2_kind { H2_REQUEST, H2_RESPONSE, H2_TRAILERS };

struct h2_reading {			/* a head that is arriving */
	struct head head;
	enum h2_kind kind;
	uint32_t seen;			/* pseudo fields, one bit each */
	uint32_t n, bytes;		/* as counted for SETTINGS_MAX_HEADER_LIST_SIZE */
	uint32_t cookies, hosts, lengths;
	bool extended;			/* :protocol */
	const char *bad;		/* one line: why it is refused, or NULL */
};

#define H2_LIST_BYTES (HEAD_BYTES + 32 * HEAD_FIELDS)	/* what we announce */

void h2_reading_start(struct h2_reading *r, enum h2_kind kind);
void h2_reading_done(struct h2_reading *r);

/* False = beyond any sense (twice what was announced): the connection should end. */
bool h2_reading_field(struct h2_reading *r, struct slice name, struct slice value);

void h2_reading_refuse(struct h2_reading *r, const char *why);

/*
 * Every field was read. 0, or the status that refuses it (400, 414, 431, 501) with *why. In
 * answers the number only says that it is refused.
 */
int h2_reading_end(struct h2_reading *r, const char *scheme, const char **why);

/* Fields to send; they point into *h and into `status`. 0 = more than fit: nothing may be sent. */
#define H2_NVS (HEAD_FIELDS + 32)
size_t h2_head_nvs(const struct head *h, enum h2_kind kind, char status[4], nghttp2_nv *nvs);
