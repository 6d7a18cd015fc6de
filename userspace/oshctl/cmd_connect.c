/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `oshctl sandbox connect`: looks at the sandbox's terminal, which goes on when we leave. Where there is
 * none, one is opened with a login shell or the command that is given.
 */
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "chan.h"
#include "env.h"
#include "own.h"
#include "run.h"
#include "say.h"
#include "session.h"
#include "spec.h"
#include "usage.h"
#include "verbs.h"
#include "view.h"

#define VERB_NAME "sandbox connect"
#define TRIES 3				/* somebody else opens or ends the terminal in between */

struct connect_opts {
	const char *name, *socket;
	bool watch, no_replay;
	struct view_opts view;
	char **argv;			/* NULL = a login shell */
};

enum { OPT_WATCH = 256, OPT_NO_REPLAY, OPT_KEYS, OPT_SOCKET, OPT_HELP };

static const struct option options[] = {
	{ "watch", no_argument, NULL, OPT_WATCH },
	{ "no-replay", no_argument, NULL, OPT_NO_REPLAY },
	{ "detach-keys", required_argument, NULL, OPT_KEYS },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

/* -1 = go on, else the exit status. */
static int read_options(int argc, char **argv, struct connect_opts *o)
{
	struct err e;
	int c;

	optind = 0;
	(void)detach_parse(&o->view.detach, DETACH_DEFAULT, &e);
	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (c == OPT_WATCH) {
			o->watch = true;
		} else if (c == OPT_NO_REPLAY) {
			o->no_replay = true;
		} else if (c == OPT_SOCKET) {
			o->socket = optarg;
		} else if (c == OPT_KEYS) {
			if (detach_parse(&o->view.detach, optarg, &e) < 0) {
				say_error("%s", e.text);
				return help_usage(VERB_NAME);
			}
		} else if (c == OPT_HELP) {
			help_verb(stdout, VERB_NAME);
			return 0;
		} else {
			return help_usage(VERB_NAME);
		}
	}
	o->name = argv[optind];
	if (!o->name && !usage_operands(argc, argv, "NAME"))
		return help_usage(VERB_NAME);
	argv += optind + 1;
	if (*argv && !strcmp(*argv, "--"))
		argv++;
	o->argv = *argv ? argv : NULL;
	return -1;
}

/* Of sending. Where osh-init has closed already it has said why, and that is read next. */
static int said(int r, struct err *e)
{
	return r < 0 && r != -EPIPE ? fail(e, -r, "the sandbox does not answer: %s", strerror(-r)) : 0;
}

static int send_attach(const struct connect_opts *o, int control, struct err *e)
{
	struct osh_msg_attach m = { .flags = (o->watch ? OSH_ATTACH_WATCH : 0) | (o->no_replay ? OSH_ATTACH_NEW : 0) };
	struct winsize size = { 0 };
	int r;

	(void)ioctl(0, TIOCGWINSZ, &size);
	m.rows = size.ws_row;
	m.cols = size.ws_col;
	m.xpixel = size.ws_xpixel;
	m.ypixel = size.ws_ypixel;
	r = chan_send(control, OSH_MSG_INIT_ATTACH, &m, sizeof(m), NULL, 0);
	return said(r, e);
}

/* $SHELL is the sandbox's, which only it knows. */
static char *const login_shell[] = { (char *)"/bin/sh", (char *)"-c", (char *)"exec \"${SHELL:-/bin/sh}\" -l", NULL };

static int send_command(const struct connect_opts *o, int control, struct err *e)
{
	struct osh_msg_init_spec m = { .flags = OSH_SPEC_INHERIT | OSH_SPEC_TTY, .rows = 24, .cols = 80 };
	const char *kind = getenv("TERM");
	_close_ int memfd = -1;
	struct env env = { 0 };
	mode_t mask = umask(077);
	_free_ char *term = NULL;
	int r = 0;

	umask(mask);
	m.umask = mask;
	if (isatty(0))
		run_describe_terminal(0, &m);
	if (isatty(0) && kind && asprintf(&term, "TERM=%s", kind) >= 0)
		r = env_set(&env, term, e);
	if (r == 0)
		r = spec_write(o->argv ? o->argv : login_shell, env.v, "", &m, &memfd, e);
	if (r == 0) {
		r = chan_send(control, OSH_MSG_INIT_SPEC, &m, sizeof(m), &memfd, 1);
		r = said(r, e);
	}
	env_done(&env);
	return r;
}

/* The stream of a view, or osh-init's reason: -ENOENT = no terminal, -EBUSY = there is one. */
static int take_view(int control, int *ret_stream, struct err *e)
{
	const struct osh_msg_failed *bad;
	struct chan_in in;
	int r = chan_recv(control, &in);

	if (r <= 0)
		return fail(e, ECONNRESET, "the sandbox has ended");
	bad = chan_is(&in, OSH_MSG_INIT_ERROR, sizeof(*bad), 0);
	if (bad)
		r = fail(e, bad->code > 0 ? bad->code : EIO, "%.239s", bad->text);
	else if (chan_is(&in, OSH_MSG_INIT_PTY, sizeof(struct osh_msg_id), 1))
		*ret_stream = chan_take(&in, 0);
	else
		r = fail(e, EBADMSG, "osh-init sent an answer that makes no sense");
	chan_in_done(&in);
	return r < 0 ? r : 0;
}

static int attach(struct sessions *c, const struct connect_opts *o, int *ret_control, int *ret_stream, struct err *e)
{
	_close_ int control = -1;
	int r = session_open(c, 0, &control, e);

	if (r == 0)
		r = send_attach(o, control, e);
	if (r == 0)
		r = take_view(control, ret_stream, e);
	if (r == 0)
		*ret_control = take_fd(&control);
	return r;
}

static int open_terminal(struct sessions *c, const struct connect_opts *o, int *ret_control, int *ret_stream,
			 struct err *e)
{
	_close_ int control = -1;
	int r = session_open(c, OSH_OPEN_TERMINAL, &control, e);

	if (r == 0)
		r = send_command(o, control, e);
	if (r == 0)
		r = take_view(control, ret_stream, e);
	if (r == 0)
		*ret_control = take_fd(&control);
	return r;
}

static int connect_to(const struct connect_opts *o, int *ret_control, int *ret_stream, struct err *e)
{
	struct sessions c = { 0 };
	int r = sessions_init(&c, o->socket, o->name, e);

	for (int i = 0; r == 0 && i < TRIES; i++) {
		r = attach(&c, o, ret_control, ret_stream, e);
		if (r == 0 && o->argv)
			say_error("'%s' has a terminal already: '%s' is not started", o->name, o->argv[0]);
		if (r != -ENOENT || o->watch)
			break;
		r = open_terminal(&c, o, ret_control, ret_stream, e);
		if (r != -EBUSY)
			break;
		r = i + 1 < TRIES ? 0 : r;
	}
	sessions_done(&c);
	return r;
}

int cmd_sandbox_connect(int argc, char **argv)
{
	_close_ int control = -1, stream = -1;
	struct connect_opts o = { 0 };
	struct err e = { 0 };
	int r = run_fill_stdio() < 0 ? RUN_FAILED : read_options(argc, argv, &o);

	if (r >= 0)
		return r;
	r = connect_to(&o, &control, &stream, &e);
	if (r < 0) {
		say_error("%s", e.text);
		return RUN_FAILED;
	}
	r = view_relay(control, stream, &o.view);
	if (r != VIEW_DETACHED)
		return r;
	fprintf(stderr, "\r\nThe terminal goes on. Come back with: oshctl sandbox connect %s\r\n", o.name);
	return EXIT_DONE;
}
