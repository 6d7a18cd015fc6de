/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log of one user that lasts, of what is allowed or of all else: lines in a chain (chain.h), in files that oshd opens for appending. A file
 * that is full is followed by the next, for which oshd is asked; a line is never in two of them. While the
 * file system takes nothing, denials wait with their sandboxes (sandbox.c) and all else is counted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "hash.h"
#include "osh/msg.h"
#include "sync.h"

struct journal {
	struct journal *next;
	uint32_t uid;
	uint32_t kind;			/* enum osh_journal_kind */
	uint32_t file;			/* its number, 0 = none */
	int fd;				/* -1 = none */
	uint64_t size;
	uint8_t chain[HASH_LEN];	/* of the last line */
	uint8_t before[HASH_LEN];	/* and of the one before it */
	struct buf rest;		/* of a line that the file took in part */
	uint64_t lost;			/* lines that are in no file; said when there is room again */
	bool behind;			/* denials wait for room */
	uint64_t seq;			/* of the lines about the log itself */
	uint64_t retry_ms;		/* it takes nothing: the next attempt; 0 = it does */
	uint64_t ask_ms;		/* when oshd may be asked again */
	uint64_t sync_ms;		/* by then what was written is to be on disk; 0 = it is */
};

/* Says to oshd that a file is wanted. */
typedef void journal_ask(void *data, const struct journal *j);

struct journal *journal_find(struct journal *list, uint32_t uid, uint32_t kind);

/* A file for that user, or none (fd -1). Takes fd. The chain goes on where this process wrote the one before. */
int journal_set(struct journal **list, struct syncer *s, const struct osh_msg_audit_journal *m, int fd,
		uint64_t now_ms);

/* A line that ends in "}\n"; `end` where it is a sandbox's last. False: it is in no file. */
bool journal_line(struct journal *j, const char *p, size_t n, uint64_t now_ms);

const char *journal_kind(uint32_t kind);	/* as in the names of files */

/* A file is there and takes bytes, and none of a line is still to come. */
bool journal_open(const struct journal *j);

/* Another attempt where it is time for one; true = it takes lines, and denials wait for it. */
bool journal_retry(struct journal *j, uint64_t now_ms);

/* Asks for the next file, has old lines brought to disk. */
void journal_tick(struct journal *j, struct syncer *s, uint64_t now_ms, journal_ask *ask, void *data);

void journal_hurry(struct journal *j, uint64_t now_ms);	/* a sandbox ended: on disk soon */
void journal_free(struct journal **list, struct journal *j, struct syncer *s);	/* s NULL: on disk when it returns */
