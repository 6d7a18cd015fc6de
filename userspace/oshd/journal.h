/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users' logs that last, as files: DIR/log/UID/{denied,allowed}-NNNNNNNN.jsonl, root's alone, where DIR is the state directory.
 * osh-audit writes them through descriptors for appending; here they are opened, counted and removed. Of what is in
 * them only the fixed-size end of the last line is looked at.
 */
#pragma once

#include "daemon.h"
#include "hash.h"
#include "osh/msg.h"

struct journal_file {
	uint32_t kind;			/* enum osh_journal_kind */
	uint32_t number;
	int fd;
	uint64_t size;
	uint8_t chain[HASH_LEN];	/* of its last line; all zero where there is none */
};

/* The file in which a user's log of that kind goes on, for appending: the newest, or a new one. The directory is made. */
int journal_open(struct daemon *d, uid_t uid, uint32_t kind, struct journal_file *ret, struct err *e);

/* The same after file `full`: another one where it is full indeed. More than OSH_LOG_FILES: the oldest go. */
int journal_next(struct daemon *d, uid_t uid, uint32_t kind, uint32_t full, struct journal_file *ret, struct err *e);

/* For reading, each kind oldest first; none is no error. ret has JOURNAL_LIST entries; chain and size are not set. */
#define JOURNAL_LIST (OSH_JOURNAL_KINDS * OSH_LOG_FILES)
int journal_list(struct daemon *d, uid_t uid, struct journal_file *ret, size_t *ret_n, struct err *e);

/* Calls fn for every user who has a log. */
int journal_each(struct daemon *d, int (*fn)(void *data, uid_t uid), void *data, struct err *e);

/* A descriptor that its holder writes the logs by: no second osh-audit does while one has it. Waits a moment. */
int journal_lock(struct daemon *d, int *ret_fd, struct err *e);
