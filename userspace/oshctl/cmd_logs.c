/* SPDX-License-Identifier: Apache-2.0 */
/* `oshctl logs` and `oshctl sandbox logs NAME`: the caller's own log, read and parsed as the caller. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "log_line.h"
#include "log_source.h"
#include "log_time.h"
#include "log_verify.h"
#include "own.h"
#include "say.h"
#include "usage.h"
#include "verbs.h"

#define LAST_MAX 100000			/* -n */
#define FOLLOW_LAST 10			/* lines that -f begins with */
#define LOOK_MS 100			/* how often -f looks; the files are root's, so that nothing can wake us */
#define ASK_ROUNDS 20			/* and how often it asks oshd for other files while nothing comes */

struct logs {
	struct log_source source;
	struct log_filter filter;
	bool follow, json, verify, colour;
	const char *known;		/* --verify=CHAIN */
	long last;			/* -n; -1 = all */
	bool any;			/* a line was shown */
};

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	stopped = sig;
}

/* Lines that wait until it is known which are the last. */
struct ring {
	struct buf *at;
	size_t n, next;
	bool full;
};

static void show(struct logs *l, struct slice line)
{
	l->any = true;
	if (!l->json) {
		log_line_print(stdout, line, l->colour);
		return;
	}
	(void)fwrite(line.p, 1, line.n, stdout);
	(void)putchar('\n');
}

static void keep(struct ring *r, struct slice line)
{
	struct buf *b = &r->at[r->next];

	b->n = 0;
	buf_put(b, line.p, line.n);
	r->next = (r->next + 1) % r->n;
	r->full |= !r->next;
}

static void show_ring(struct logs *l, struct ring *r)
{
	for (size_t i = r->full ? 0 : r->n - r->next; i < r->n; i++) {
		struct buf *b = &r->at[(r->next + i) % r->n];

		show(l, (struct slice){ b->p, b->n });
	}
	for (size_t i = 0; i < r->n; i++)
		buf_done(&r->at[i]);
	free(r->at);
}

/* Everything that is there now. */
static void show_lines(struct logs *l, struct ring *r)
{
	struct slice line;

	while (!stopped && !ferror(stdout) && log_source_next(&l->source, &line)) {
		if (!log_line_matches(line, &l->filter))
			continue;
		if (r)
			keep(r, line);
		else
			show(l, line);
	}
}

static int show_first(struct logs *l)
{
	struct ring r = { .n = (size_t)l->last };

	if (l->last < 0) {
		show_lines(l, NULL);
		return 0;
	}
	if (l->last) {
		r.at = calloc(r.n, sizeof(*r.at));
		if (!r.at)
			return -ENOMEM;
		show_lines(l, &r);
		show_ring(l, &r);
		return 0;
	}
	for (struct slice line; log_source_next(&l->source, &line);)
		;
	return 0;
}

/* Until a signal, or until nobody reads our output any longer. */
static void follow(struct logs *l)
{
	unsigned quiet = 0;
	bool said = false;

	while (!stopped && !fflush(stdout)) {
		struct pollfd p = { .fd = STDOUT_FILENO };
		struct err e = { 0 };

		if (poll(&p, 1, LOOK_MS) > 0 && (p.revents & (POLLERR | POLLHUP | POLLNVAL)))
			return;
		if (log_source_is_old(&l->source) || ++quiet >= ASK_ROUNDS) {
			quiet = 0;
			(void)log_source_fetch(&l->source, &e);	/* an oshd that is being restarted is asked again */
		}
		if (l->source.left_behind && !said) {
			said = true;
			say_error("the log went on faster than it was read: lines are missing");
		}
		show_lines(l, NULL);
	}
}

static int run(struct logs *l)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct err e = { 0 };

	l->source.denied = l->filter.denied && !l->verify;
	if (log_source_fetch(&l->source, &e) < 0) {
		say_error("%s", e.text);
		return EXIT_REFUSED;
	}
	signal(SIGPIPE, SIG_IGN);
	if (l->verify)
		return log_verify(&l->source, l->known, l->json, stdout) || fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
	if (l->follow) {
		sigaction(SIGINT, &sa, NULL);
		sigaction(SIGTERM, &sa, NULL);
	}
	log_source_skip_before(&l->source, l->filter.since_ms);
	if (show_first(l) < 0)
		say_error("out of memory");
	if (l->follow)
		follow(l);
	else if (l->filter.sandbox && !l->any && l->last)
		say_error("the log has no such line of a sandbox '%s'", l->filter.sandbox);
	if (fflush(stdout) && errno != EPIPE)
		return EXIT_REFUSED;
	return stopped ? 128 + stopped : EXIT_DONE;
}

static bool read_time(const char *text, int64_t *ret)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (log_time_parse(text, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, ret))
		return true;
	say_error("'%s' is no time: say 1h, 30m, 2d, 20:15, 2026-11-21, '2026-11-21 20:15' or @SECONDS", text);
	return false;
}

static bool read_last(struct logs *l, const char *text)
{
	char *end;

	l->last = strtol(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && l->last <= LAST_MAX)
		return true;
	say_error("-n wants a number of lines, at most %d", LAST_MAX);
	return false;
}

enum { OPT_SINCE = 256, OPT_UNTIL, OPT_SANDBOX, OPT_DENIED, OPT_JSON, OPT_VERIFY, OPT_USER, OPT_SOCKET };

static const struct option options[] = {
	{ "follow", no_argument, NULL, 'f' },
	{ "lines", required_argument, NULL, 'n' },
	{ "since", required_argument, NULL, OPT_SINCE },
	{ "until", required_argument, NULL, OPT_UNTIL },
	{ "sandbox", required_argument, NULL, OPT_SANDBOX },
	{ "denied", no_argument, NULL, OPT_DENIED },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "verify", optional_argument, NULL, OPT_VERIFY },
	{ "user", required_argument, NULL, OPT_USER },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ 0 },
};

static bool one_option(struct logs *l, int c)
{
	switch (c) {
	case 'f': l->follow = true; return true;
	case 'n': return read_last(l, optarg);
	case OPT_SINCE: return read_time(optarg, &l->filter.since_ms);
	case OPT_UNTIL: return read_time(optarg, &l->filter.until_ms);
	case OPT_SANDBOX: l->filter.sandbox = optarg; return true;
	case OPT_DENIED: l->filter.denied = true; return true;
	case OPT_JSON: l->json = true; return true;
	case OPT_VERIFY: l->verify = true; l->known = optarg; return true;
	case OPT_USER: return log_source_user(&l->source, optarg);
	case OPT_SOCKET: l->source.socket = optarg; return true;
	default: return false;
	}
}

static bool chooses(const struct log_filter *f)
{
	return f->sandbox || f->denied || f->since_ms || f->until_ms;
}

/* A name: as `sandbox logs` has it. */
static int logs(int argc, char **argv, const char *verb, bool named)
{
	const char *term = getenv("TERM"), *plain = getenv("NO_COLOR");
	struct logs l = { .last = -2, .colour = isatty(STDOUT_FILENO) && !(plain && *plain) && term && strcmp(term, "dumb") };
	int c, status;

	while ((c = getopt_long(argc, argv, "fn:", options, NULL)) != -1)
		if (!one_option(&l, c))
			return help_usage(verb);
	if (l.verify && (named || l.last != -2 || chooses(&l.filter))) {
		say_error("--verify looks at the whole log: give it without what chooses lines");
		return help_usage(verb);
	}
	if ((named && l.filter.sandbox && !usage_stray(OPT_SANDBOX, options)) || !usage_operands(argc, argv, named ? "NAME" : ""))
		return help_usage(verb);
	if (named)
		l.filter.sandbox = argv[optind];
	if (l.follow && (l.filter.until_ms || l.verify)) {
		say_error("-f has no end: give it without --until and --verify");
		return help_usage(verb);
	}
	if (l.last == -2)
		l.last = l.follow && !l.filter.since_ms ? FOLLOW_LAST : -1;
	status = run(&l);
	log_source_done(&l.source);
	return status;
}

int cmd_logs(int argc, char **argv)
{
	return logs(argc, argv, "logs", false);
}

int cmd_sandbox_logs(int argc, char **argv)
{
	return logs(argc, argv, "sandbox logs", true);
}
