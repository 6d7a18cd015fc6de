/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message of the D-Bus wire as far as it has to be known here: how long it is, what kind, how many descriptors
 * came with it. What it says is for oshd.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "osh/limits.h"

#define CALL_HEAD 16u			/* of every message: its size is in there */

enum call_kind { CALL_METHOD = 1, CALL_RETURN = 2, CALL_ERROR = 3 };

struct call {
	uint8_t bytes[OSH_CALL_BYTES];
	uint64_t size;			/* of the whole message; more than fits = its bytes were dropped */
	uint32_t serial;
	uint8_t kind;
	bool silent;			/* the sender wants no answer */
	int fds[OSH_CALL_FDS];
	int n_fds;
	bool surplus;			/* more came than that; the kernel has closed them */
};

/* 1 = one whole message, 0 = the far end closed, -errno. Waits. */
int call_read(int fd, struct call *c);
void call_done(struct call *c);		/* closes its descriptors, which may take for ever */

/* The head of a message and its descriptors, up to `max`; then call_rest() bytes follow. */
int call_head(int fd, uint8_t head[CALL_HEAD], int *fds, int max, int *ret_n);
uint64_t call_size(const uint8_t head[CALL_HEAD]);	/* 0 = no D-Bus */

int call_send(int fd, const void *p, size_t n, const int *fds, int n_fds);
int call_pass(int from, int to, uint64_t n);		/* n bytes; to -1: they are dropped */

/* An error as the answer to `c`, of that name; the text is ASCII. */
size_t call_refusal(const struct call *c, const char *name, const char *text, uint8_t *to, size_t max);
size_t call_ping(uint8_t *to, size_t max);
