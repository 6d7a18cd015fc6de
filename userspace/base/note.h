/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a daemon says of itself: lines on stderr; or, where that is systemd's journal, messages with fields. What
 * journald does not take at once is left out and counted: nothing ever waits for it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NOTE_NOBODY ((uid_t)-1)

enum note_priority { NOTE_WARNING = 4, NOTE_NOTICE = 5, NOTE_INFO = 6 };	/* syslog's */

/*
 * A socket to journald, if stderr goes there ($JOURNAL_STREAM), else -1: note() uses it from now on, and a child may be given
 * it. `program` has to live as long.
 */
int note_open(const char *program);
void note_use(const char *program, int fd);	/* in a child; -1 = it was given none */
bool note_is_open(void);

/* About a sandbox (NULL = none) of a user, or of nobody. */
void note(const char *sandbox, uid_t uid, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A message of fields, in journald's own protocol; a value may have any bytes. Each is put, then all are sent. */
void note_begin(enum note_priority priority, const char *message, size_t n);
void note_text(const char *field, const char *value);	/* "" and NULL are left out */
void note_number(const char *field, uint64_t value);
void note_end(void);
