/* SPDX-License-Identifier: Apache-2.0 */
/* `oshctl sandbox forward`: in the foreground, until it is interrupted. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "forward.h"
#include "forward_listen.h"
#include "own.h"
#include "say.h"
#include "usage.h"
#include "verbs.h"

#define VERB_NAME "sandbox forward"
#define PORTS 32

static volatile sig_atomic_t stopped;

struct forwards {
	struct forward_port at[PORTS];
	char *path[PORTS];		/* of a unix socket, removed at the end; else NULL */
	unsigned n;
};

static void on_signal(int sig)
{
	stopped = sig;
}

static int add(struct forwards *f, const char *text, bool local, struct err *e)
{
	int r;

	if (f->n == PORTS)
		return fail(e, E2BIG, "at most %d ports at once", PORTS);
	f->at[f->n].fd = -1;
	r = local ? forward_listen_unix(text, &f->at[f->n], &f->path[f->n], e) : forward_listen(text, &f->at[f->n], e);
	f->n += !r;
	return r;
}

static void forwards_done(struct forwards *f)
{
	for (unsigned i = 0; i < f->n; i++) {
		own_close(&f->at[i].fd);
		if (f->path[i])
			unlink(f->path[i]);
		free(f->path[i]);
	}
}

/* One session before anything is promised: is there such a sandbox, and is it ours? */
static int probe(struct sessions *s, struct err *e)
{
	int fd = -1, r = session_open(s, 0, &fd, e);

	own_close(&fd);
	return r;
}

static int run(struct forwards *f, const char *name, const char *socket, struct err *e)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct sessions s = { 0 };
	sigset_t block, open;
	int r = sessions_init(&s, socket, name, e);

	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, &open);
	sigdelset(&open, SIGINT);
	sigdelset(&open, SIGTERM);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	if (!r)
		r = probe(&s, e);
	for (unsigned i = 0; !r && i < f->n; i++)
		printf("%s -> port %u in %s\n", f->at[i].name, f->at[i].inside, name);
	if (!r && fflush(stdout))
		r = fail(e, EIO, "standard output is closed");
	if (!r)
		r = forward_run(&s, socket, f->at, f->n, &stopped, &open, e);
	sessions_done(&s);
	return r;
}

int cmd_sandbox_forward(int argc, char **argv)
{
	static const struct option options[] = { { "unix", required_argument, NULL, 'u' },
						 { "socket", required_argument, NULL, 's' },
						 { 0 } };
	const char *socket = NULL, *name;
	struct forwards f = { 0 };
	struct err e = { 0 };
	int c, r = 0;

	while (!r && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'u')
			r = add(&f, optarg, true, &e);
		else if (c == 's')
			socket = optarg;
		else
			return help_usage(VERB_NAME);
	}
	name = argv[optind];
	for (int i = optind + 1; !r && name && i < argc; i++)
		r = add(&f, argv[i], false, &e);
	if (!r && !f.n) {
		(void)usage_operands(argc, argv, "NAME PORT:INSIDE...");
		forwards_done(&f);
		return help_usage(VERB_NAME);
	}
	if (!r)
		r = run(&f, name, socket, &e);
	forwards_done(&f);
	if (r < 0)
		say_error("%s", e.text);
	return r < 0 ? EXIT_REFUSED : EXIT_DONE;
}
