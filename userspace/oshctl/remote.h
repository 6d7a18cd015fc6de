/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `oshctl -H [USER@]HOST[:PORT] VERB...`: the same command line on another host, by ssh. It travels as one word of letters,
 * digits, '-' and '_', so that no shell on the way reads anything into it; `oshctl --remote WORD` there takes it apart. A
 * policy that is named by -p travels with it.
 */
#pragma once

#include <stdbool.h>

#include "buf.h"
#include "err.h"

#define REMOTE_VERB "--remote"
#define REMOTE_WORD 120000		/* bytes; Linux takes 131072 in one argument */
#define REMOTE_POLICY "remote:"		/* before a policy's path: it lies on that host */
#define REMOTE_SSH 125			/* exit status where ssh itself failed, with 255 */
#define REMOTE_255 254			/* and where the command there gave 255, which is ssh's own */

/* Where the command line goes. Strings are the caller's or the struct's own. */
struct remote_host {
	char dest[512];			/* USER@HOST, as ssh wants it */
	char port[8];			/* "" = ssh's own choice */
};

int remote_host_parse(const char *text, struct remote_host *ret, struct err *e);

/* The exit status of oshctl. argv: the verb and what follows. */
int remote_run(const char *host, int argc, char **argv);

/* argv with the policies that are to travel read. */
int remote_pack(int argc, char **argv, struct buf *ret_word, struct err *e);

/* The other side: makes argv of the word, and wipes it: it may hold what ps(1) is not to show. */
int remote_unpack(char *word, int *ret_argc, char ***ret_argv, struct err *e);

/* A policy that came along under this name: a descriptor at its start, or -1. */
int remote_policy(const char *name);
void remote_forget(void);		/* what came along */
