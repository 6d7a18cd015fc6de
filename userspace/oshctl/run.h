/* SPDX-License-Identifier: Apache-2.0 */
/* One `oshctl run`: what the caller asked for, what was opened for it, and its two ends. */
#pragma once

#include <stdbool.h>

#include "env.h"
#include "osh/msg.h"
#include "policy.h"
#include "provider_set.h"

#define RUN_FAILED 125			/* as env(1) and docker: osh itself could not */
#define RUN_NOT_FOUND 127		/* as env(1): there is no such program in the sandbox */
#define RUN_TIMED_OUT 124		/* as timeout(1) */

struct run_opts {
	const char *policy, *name, *workdir, *log, *socket, *hosts, *ca, *gpu;	/* NULL = not given */
	char **env;			/* NULL terminated -e values */
	const char **providers;		/* NULL terminated [NAME=]FILE */
	const char *placeholders;	/* name of the sandbox that theirs go by; NULL = random ones */
	uint64_t amount[OSH_RESOURCES];	/* over what the policy asks for; 0 = as it says */
	bool no_providers;		/* keys in the caller's environment are none of ours */
	char **argv;			/* the command, NULL terminated */
};

/* Everything that the caller named, opened with the caller's own rights. -1 = not given. */
struct run_files {
	int policy, log, hosts, ca, workdir;
	struct provider_set creds;
	char cwd[1024];			/* path of `workdir` */
	int control, init_control;	/* seqpacket pair: ours, and osh-init's until it is sent */
	int summary, summary_in;	/* stream sockets: ours to read, and the auditor's until it is sent */
};

/* What becomes of a stdio descriptor of ours. */
enum stdio_kind {
	STDIO_NONE,
	STDIO_TTY,			/* the sandbox gets a pty in its place */
	STDIO_PASS,			/* given as it is */
	STDIO_PUMP,			/* copied through a pipe: giving it would give more than bytes */
};
struct run_stdio {
	enum stdio_kind kind[3];
	int give[3];			/* for the sandbox: the descriptor, or the far end of a pipe; -1 = pty */
	int keep[3];			/* our end of that pipe, -1 = none */
	int tty;			/* the caller's terminal, -1 = none */
	bool eager;			/* stdin and stdout are terminals: ours is raw from the start */
};

void run_files_init(struct run_files *f);	/* nothing is open */
int run_open_given(const struct run_opts *o, struct run_files *f, struct err *e);	/* credentials, hosts, CA, log */
int run_open(const struct run_opts *o, struct run_files *f, struct err *e);
void run_close(struct run_files *f);

/* The policy, or the default preset, becomes a bundle; start and end, so that other work fits between them. */
int run_compile_start(const struct run_opts *o, struct run_files *f, struct policy_job *j, struct err *e);
int run_compile_end(const struct run_opts *o, struct run_files *f, struct policy_job *j, int *ret_bundle,
		    struct err *e);
/* lasting: it has a resident oshd, which can give it another policy and so made it an authority for TLS. */
int run_build_env(const struct run_opts *o, int bundle, const struct run_files *f, bool lasting, struct env *env,
		  struct err *e);

int run_fill_stdio(void);	/* closed stdio would be taken by the first descriptors that we open */
int run_stdio_open(struct run_stdio *s, bool pipes, struct err *e);	/* pipes: a terminal is given as bytes too */

/* The caller's terminal as the sandbox's is to be: size and modes. */
void run_describe_terminal(int tty, struct osh_msg_init_spec *m);

struct run_order {
	char *const *argv, *const *envp;	/* NULL terminated */
	const char *cwd;		/* absolute */
	uint32_t flags;			/* OSH_SPEC_INHERIT or 0; with it a cwd of "" */
};

/* Sends the command to osh-init; the message waits in the socket until it is there. */
int run_send_spec(const struct run_order *o, int control, struct run_stdio *s, struct err *e);

/*
 * Signals are the sandbox's from run_relay_start() on, so that goes before the command is sent.
 * run_relay() returns when the sandbox is gone, with the exit status for oshctl.
 */
int run_relay_start(int control, const struct run_stdio *s, struct err *e);
int run_relay(void);
bool run_relay_missed(void);	/* it ended because the sandbox does not see the program */
void run_relay_limit(uint64_t ms);	/* after so long: SIGTERM, later SIGKILL, and RUN_TIMED_OUT */

/*
 * What comes on `fd`, printed unless `silent`, until oshd closes it as the last of the sandbox: its name, number, tables and
 * cgroups are free then. A signal ends the wait, and so does the end of oshd, which `oshd` tells by hanging up.
 */
void run_summary(int fd, int oshd, bool silent);
