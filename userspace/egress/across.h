/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection to another sandbox: oshd is asked, looks into both policies, and gives a stream or says why not. Part of
 * dial.c, which owns what is dialled.
 */
#pragma once

#include "osh/msg.h"

struct dial;
struct flows;

/* OSH_WHY_ALLOWED: asked, and across_said() will come, or the dial's own time ends. Else why nobody can be asked. */
enum osh_reason across_ask(struct flows *fs, struct dial *d);
void across_forget(struct dial *d);	/* the answer is for nobody */
void across_said(struct flows *fs, const struct osh_msg_crossed *m, int *fd);	/* takes fd where it is wanted */

/* The first byte of such a stream. 1 = the port has taken the connection, 0 = not here yet, -1 = refused, or it is gone. */
int across_begun(struct dial *d);
