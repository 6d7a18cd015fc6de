/* SPDX-License-Identifier: Apache-2.0 */
/* `oshctl policy list | get | rollback`: the policies that a created sandbox has had. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "manager.h"
#include "manager_call.h"
#include "osh/limits.h"
#include "own.h"
#include "person.h"
#include "say.h"
#include "utf8.h"
#include "usage.h"
#include "verbs.h"

struct asked {
	const char *name, *socket;
	uint32_t revision;		/* 0 = the one in force */
	bool json, bundle;
	sd_bus *bus;
	sd_bus_message *answer;
};

static void asked_done(struct asked *a)
{
	sd_bus_message_unref(a->answer);
	sd_bus_close_unref(a->bus);
}

/* types "s" or "su". */
static int ask(struct asked *a, const char *method, bool with_revision, struct err *e)
{
	sd_bus_message *m = NULL;
	int r = manager_open(&a->bus, a->socket, e);

	if (!r)
		r = manager_new(a->bus, method, &m, e);
	if (!r)
		r = manager_filled(sd_bus_message_append(m, "s", a->name), e);
	if (!r && with_revision)
		r = manager_filled(sd_bus_message_append(m, "u", a->revision), e);
	if (!r)
		r = manager_call(a->bus, m, &a->answer, e);
	sd_bus_message_unref(m);
	return r;
}

static int unreadable(struct err *e)
{
	return fail(e, EBADMSG, "oshd sent an answer that makes no sense");
}

struct row {
	uint32_t revision, uid, from;
	uint64_t time;
	int in_force;
	const char *hash;
};

static int read_field(sd_bus_message *m, const char *key, void *data)
{
	static const struct {
		const char *key, *type;
		size_t at;
	} fields[] = {
		{ "revision", "u", offsetof(struct row, revision) }, { "uid", "u", offsetof(struct row, uid) },
		{ "from", "u", offsetof(struct row, from) },	     { "time", "t", offsetof(struct row, time) },
		{ "in-force", "b", offsetof(struct row, in_force) }, { "hash", "s", offsetof(struct row, hash) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (!strcmp(key, fields[i].key))
			return sd_bus_message_read(m, "v", fields[i].type, (char *)data + fields[i].at);
	return sd_bus_message_skip(m, "v");
}

static void print_row(const struct row *w)
{
	time_t t = (time_t)(w->time / 1000000);
	char when[32] = "?", from[16] = "-", owner[PERSON_MAX];
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(when, sizeof(when), "%F %T", &tm);
	person_owner(w->uid, owner);
	if (w->from)
		snprintf(from, sizeof(from), "%u", w->from);
	printf("%c %-8u  %-19s  %-10.32s  %-4s  %.12s\n", w->in_force ? '*' : ' ', w->revision, when, owner, from,
	       w->hash ? w->hash : "?");
}

static int print_table(sd_bus_message *m)
{
	int r = sd_bus_message_enter_container(m, 'a', "a{sv}");

	printf("  %-8s  %-19s  %-10s  %-4s  %s\n", "REVISION", "SET", "BY", "FROM", "POLICY");
	while (r >= 0 && sd_bus_message_at_end(m, false) == 0) {
		struct row w = { 0 };

		r = manager_row(m, read_field, &w);
		if (r >= 0)
			print_row(&w);
	}
	return r;
}

static int print_json(sd_bus_message *m)
{
	struct json j = json_to_file(stdout);
	int r = sd_bus_message_enter_container(m, 'a', "a{sv}");

	json_arr(&j);
	while (r >= 0 && sd_bus_message_at_end(m, false) == 0)
		r = manager_json(m, &j);
	json_end(&j);
	return r < 0 ? r : json_line(&j);
}

static int list(struct asked *a, struct err *e)
{
	int r = ask(a, MANAGER_POLICIES, false, e);

	if (r < 0)
		return r;
	return (a->json ? print_json(a->answer) : print_table(a->answer)) < 0 ? unreadable(e) : 0;
}

static int read_about(sd_bus_message *m, uint32_t *revision, int *bundle, int *text)
{
	const char *key;
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		r = sd_bus_message_read(m, "s", &key);
		if (r >= 0 && !strcmp(key, "bundle"))
			r = sd_bus_message_read(m, "v", "h", bundle);
		else if (r >= 0 && !strcmp(key, "text"))
			r = sd_bus_message_read(m, "v", "b", text);
		else if (r >= 0)
			r = !strcmp(key, "revision") ? sd_bus_message_read(m, "v", "u", revision)
						     : sd_bus_message_skip(m, "v");
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* Another user may have stored it, with whatever bytes: a terminal gets none that steer it. */
static int print_clean(int fd, struct err *e)
{
	struct buf b = { .limit = OSH_POLICY_BYTES + 1 };
	char part[16384];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, part, sizeof(part), at)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			part[i] = part[i] ? part[i] : '?';
		buf_put(&b, part, (size_t)n);
		at += n;
	}
	buf_put(&b, "", 1);
	if (n || !buf_ok(&b)) {
		buf_done(&b);
		return fail(e, n ? errno : E2BIG, "the policy cannot be read: %s", strerror(n ? errno : E2BIG));
	}
	for (char *line = b.p, *end; *line; line = end) {
		char stop = line[strcspn(line, "\n\t")];

		end = line + strcspn(line, "\n\t");
		*end = 0;
		utf8_clean(line);
		fputs(line, stdout);
		if (stop)
			putchar(stop);
		end += stop != 0;
	}
	buf_done(&b);
	return 0;
}

static int print_fd(int fd, struct err *e)
{
	char part[16384];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, part, sizeof(part), at)) > 0 && fwrite(part, 1, (size_t)n, stdout) == (size_t)n)
		at += n;
	return n ? fail(e, EIO, "the policy cannot be written: %s", strerror(errno)) : 0;
}

static int get(struct asked *a, struct err *e)
{
	int source = -1, bundle = -1, text = 0, r;
	uint32_t revision = 0;

	if (a->bundle && isatty(1))
		return fail(e, EINVAL, "a bundle is not for a terminal: write it to a file");
	r = ask(a, MANAGER_POLICY_GET, true, e);
	if (r < 0)
		return r;
	if (sd_bus_message_read(a->answer, "h", &source) < 0 || read_about(a->answer, &revision, &bundle, &text) < 0 ||
	    bundle < 0)
		return unreadable(e);
	if (!a->bundle && !text)
		return fail(e, ENODATA, "of revision %u of '%s' no text was kept: --bundle writes what was compiled", revision,
			    a->name);
	return a->bundle || !isatty(1) ? print_fd(a->bundle ? bundle : source, e) : print_clean(source, e);
}

static int rollback(struct asked *a, struct err *e)
{
	uint32_t revision;
	int r = ask(a, MANAGER_POLICY_ROLLBACK, true, e);

	if (r < 0)
		return r;
	if (sd_bus_message_read(a->answer, "u", &revision) < 0)
		return unreadable(e);
	printf("%s: revision %u is in force, with the policy of revision %u\n", a->name, revision, a->revision);
	return 0;
}

static bool read_number(const char *text, uint32_t *ret)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(text, &end, 10);
	*ret = (uint32_t)v;
	if (*text >= '0' && *text <= '9' && !*end && !errno && v && v <= UINT32_MAX)
		return true;
	say_error("--rev wants a number from 1 on, not '%s'", text);
	return false;
}

static int run(int argc, char **argv, const char *verb, const char *takes, int (*fn)(struct asked *, struct err *))
{
	static const struct option options[] = { { "rev", required_argument, NULL, 'r' },
						 { "json", no_argument, NULL, 'j' },
						 { "bundle", no_argument, NULL, 'b' },
						 { "socket", required_argument, NULL, 's' },
						 { 0 } };
	struct asked a = { 0 };
	struct err e = { 0 };
	int c, r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if ((c == '?' || (c != 's' && !strchr(takes, c))) && !usage_stray(c, options))
			return help_usage(verb);
		if (c == 'r' && !read_number(optarg, &a.revision))
			return help_usage(verb);
		if (c == 's')
			a.socket = optarg;
		a.json |= c == 'j';
		a.bundle |= c == 'b';
	}
	if (!usage_operands(argc, argv, "NAME"))
		return help_usage(verb);
	if (fn == rollback && !a.revision) {
		say_error("--rev is missing: `oshctl policy list %s` has the numbers", argv[optind]);
		return help_usage(verb);
	}
	a.name = argv[optind];
	r = fn(&a, &e);
	asked_done(&a);
	if (r < 0)
		say_error("%s", e.text);
	return r < 0 || fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
}

int cmd_policy_list(int argc, char **argv)
{
	return run(argc, argv, "policy list", "j", list);
}

int cmd_policy_get(int argc, char **argv)
{
	return run(argc, argv, "policy get", "rb", get);
}

int cmd_policy_rollback(int argc, char **argv)
{
	return run(argc, argv, "policy rollback", "r", rollback);
}
