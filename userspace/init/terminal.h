/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal that osh-init keeps: the master of a pty, its recent output, and views of it. A view is
 * one end of a stream socket pair: what is typed comes out of it, output goes in.
 *
 * No view can hold up the command or another view. Each has its own place in the kept output; one that
 * falls further behind than is kept loses what is no longer there, and is told so in its stream. The view
 * that typed or resized last is waited for, while it goes on reading, as a terminal would be; a view
 * that stops reading is not.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "err.h"
#include "osh/msg.h"

struct view {
	struct terminal *terminal;	/* NULL = this place is free */
	uint32_t number;		/* never given twice */
	int stream;
	bool watch;
	struct winsize size;		/* of the viewer's window */
	uint64_t at;			/* of the output, what comes next */
	uint64_t moved_ms;		/* when it took something last */
	char note[96];			/* goes before the output */
	size_t note_at, note_n;
	char typed[512];		/* not yet taken by the command */
	size_t typed_at, typed_n;
};

struct terminal {
	struct terminal *next;
	int master;			/* -1 = its command has ended, and all that it said is here */
	bool ended;
	uint64_t total;			/* bytes of output so far */
	uint64_t until_ms;		/* ended: when its views end, read out or not */
	uint32_t views_made;
	struct view *driver;		/* typed or resized last */
	struct view views[OSH_SESSIONS];
	char kept[OSH_REPLAY];		/* the last of them, at total modulo */
};

struct terminal *terminal_new(int master);	/* takes it; NULL = no memory */
void terminal_free(struct terminal *t);

/* far: the viewer's end, the caller's. The view is the terminal's, which may end it at any time. */
int terminal_view(struct terminal *t, const struct osh_msg_attach *m, uint32_t *ret_number, int *ret_far,
		  struct err *e);
struct view *terminal_find(struct terminal *t, uint32_t number);	/* NULL: it has ended */
void view_size(struct view *v, const struct osh_msg_attach *m);
void view_end(struct view *v);

short terminal_events(const struct terminal *t, uint64_t now);	/* of the master, for poll */
uint64_t terminal_deadline(const struct terminal *t, uint64_t now);	/* when to look again, 0 = only on events */
void terminal_ready(struct terminal *t, short revents);
short view_events(const struct view *v);
void view_ready(struct view *v, short revents);

void terminal_end(struct terminal *t);		/* its command has ended: what it said last, then the views end */
bool terminal_over(struct terminal *t, uint64_t now);	/* ended, and no view is left: to be freed */
