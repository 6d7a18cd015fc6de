/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of users' logs as oshd gives them, read as one stream of lines a user and kind, and the streams as one by time.
 * A file is left only when the next one has begun: nothing is added to the one before then.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "osh/limits.h"
#include "slice.h"

struct log_file {
	uint32_t number;
	int fd;
};

struct log_stream {
	struct log_stream *next;
	uint32_t uid, kind;
	struct log_file files[OSH_LOG_FILES + 1];	/* the first is the one being read */
	unsigned n_files;
	uint64_t line_no;		/* in that file, of the line given last */
	struct buf in;			/* read and not yet given */
	size_t at;
	struct slice line;		/* waits to be given; n 0 = none */
	uint32_t line_file;		/* the file it is in */
	int64_t line_ms;
};

struct log_source {
	const char *socket;		/* NULL = OSH_SOCKET, then the system's */
	bool one_user;
	bool denied;			/* what is allowed is not read */
	uint32_t uid;			/* with one_user */
	struct log_stream *streams;
	bool left_behind;		/* files went before they were read: lines are missing */
};

/* By number or name; false, said on stderr: nobody. */
bool log_source_user(struct log_source *s, const char *text);

/* Asks oshd; may be asked again for files that came since. */
int log_source_fetch(struct log_source *s, struct err *e);

/* The next line by time and whose it is, newline not included; NULL = no whole line is there now. */
struct log_stream *log_source_next(struct log_source *s, struct slice *ret);

/* A file is full or gone: another may be there. */
bool log_source_is_old(const struct log_source *s);

void log_source_skip_before(struct log_source *s, int64_t ms);	/* whole files that were last written before */
void log_source_done(struct log_source *s);
