/* SPDX-License-Identifier: Apache-2.0 */
/* `oshctl sandbox list | get`: a table or lines for people, the rows as oshd gives them for tools.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "manager.h"
#include "manager_call.h"
#include "own.h"
#include "person.h"
#include "sandbox_args.h"
#include "say.h"
#include "usage.h"
#include "verbs.h"

enum { COL_NAME, COL_STATE, COL_EXIT, COL_OWNER, COL_AGE, COL_LABELS, COLS };

static const char *const titles[COLS] = { "NAME", "STATE", "EXIT", "OWNER", "AGE", "LABELS" };

struct table {
	char *(*rows)[COLS];
	size_t n;
};

struct show {
	const char *socket;
	struct args labels;
	bool json;
};

/* What a table has room for, of a row. */
struct brief {
	const char *name, *state;
	uint32_t uid, exit;
	uint64_t created;
	bool has_exit;
	char labels[512];
};

static int put_label(char *to, size_t size, const char *key, const char *value)
{
	size_t n = strlen(to);

	snprintf(to + n, size - n, "%s%s=%s", n ? "," : "", key, value);
	return 0;
}

static int read_labels(sd_bus_message *m, struct brief *b)
{
	const char *key, *value;
	int r = sd_bus_message_enter_container(m, 'v', "a{ss}");

	if (r >= 0)
		r = sd_bus_message_enter_container(m, 'a', "{ss}");
	while (r >= 0 && (r = sd_bus_message_read(m, "{ss}", &key, &value)) > 0)
		put_label(b->labels, sizeof(b->labels), key, value);
	if (r >= 0)
		r = sd_bus_message_exit_container(m);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_field(sd_bus_message *m, const char *key, void *data)
{
	struct brief *b = data;

	if (!strcmp(key, "name"))
		return sd_bus_message_read(m, "v", "s", &b->name);
	if (!strcmp(key, "state"))
		return sd_bus_message_read(m, "v", "s", &b->state);
	if (!strcmp(key, "uid"))
		return sd_bus_message_read(m, "v", "u", &b->uid);
	if (!strcmp(key, "created"))
		return sd_bus_message_read(m, "v", "t", &b->created);
	b->has_exit |= !strcmp(key, "exit-status");
	if (!strcmp(key, "exit-status"))
		return sd_bus_message_read(m, "v", "u", &b->exit);
	return !strcmp(key, "labels") ? read_labels(m, b) : sd_bus_message_skip(m, "v");
}

static char *age(uint64_t us)
{
	static const struct {
		uint64_t s;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	uint64_t now = (uint64_t)time(NULL), s = us / 1000000;
	char text[32] = "0s";

	if (!us)
		return strdup("-");
	s = now > s ? now - s : 0;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (s >= units[i].s) {
			snprintf(text, sizeof(text), "%llu%c", (unsigned long long)(s / units[i].s),
				 units[i].unit);
			break;
		}
	return strdup(text);
}

static char *owner(uint32_t uid)
{
	char text[PERSON_MAX];

	person_owner(uid, text);
	return strdup(text);
}

static char *number(bool has, uint32_t n)
{
	char text[16] = "-";

	if (has)
		snprintf(text, sizeof(text), "%u", n);
	return strdup(text);
}

static int add_row(struct table *t, const struct brief *b)
{
	void *more = reallocarray(t->rows, t->n + 1, sizeof(*t->rows));

	if (!more)
		return -ENOMEM;
	t->rows = more;
	t->rows[t->n][COL_NAME] = strdup(b->name ? b->name : "?");
	t->rows[t->n][COL_STATE] = strdup(b->state ? b->state : "?");
	t->rows[t->n][COL_EXIT] = number(b->has_exit, b->exit);
	t->rows[t->n][COL_OWNER] = owner(b->uid);
	t->rows[t->n][COL_AGE] = age(b->created);
	t->rows[t->n][COL_LABELS] = strdup(b->labels);
	t->n++;
	return 0;
}

static void print_cell(const char *text, size_t width, bool last)
{
	manager_print(text, stdout);
	for (size_t n = strlen(text); !last && n < width + 2; n++)
		fputc(' ', stdout);
	if (last)
		fputc('\n', stdout);
}

static void print_table(const struct table *t)
{
	size_t width[COLS];

	for (int c = 0; c < COLS; c++) {
		width[c] = strlen(titles[c]);
		for (size_t i = 0; i < t->n; i++)
			if (strlen(t->rows[i][c]) > width[c])
				width[c] = strlen(t->rows[i][c]);
	}
	for (int c = 0; c < COLS; c++)
		print_cell(titles[c], width[c], c == COLS - 1);
	for (size_t i = 0; i < t->n; i++)
		for (int c = 0; c < COLS; c++)
			print_cell(t->rows[i][c], width[c], c == COLS - 1);
}

static void table_done(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		for (int c = 0; c < COLS; c++)
			free(t->rows[i][c]);
	free(t->rows);
}

static int list_text(sd_bus_message *answer, bool labelled)
{
	struct table t = { 0 };
	int r;

	while ((r = sd_bus_message_at_end(answer, false)) == 0) {
		struct brief b = { 0 };

		r = manager_row(answer, read_field, &b);
		if (r >= 0)
			r = add_row(&t, &b);
		if (r < 0)
			break;
	}
	if (r >= 0)
		print_table(&t);
	if (r >= 0 && !t.n)
		say_error(labelled ? "no sandboxes with such labels" : "no sandboxes; `oshctl sandbox create` makes one that stays");
	table_done(&t);
	return r < 0 ? r : 0;
}

static int list_json(sd_bus_message *answer)
{
	struct json j = json_to_file(stdout);
	int r;

	json_arr(&j);
	while ((r = sd_bus_message_at_end(answer, false)) == 0 &&
	       (r = manager_json(answer, &j)) >= 0)
		;
	json_end(&j);
	return r < 0 ? r : json_line(&j);
}

static int print_list(const struct show *s, sd_bus_message *answer)
{
	int r = sd_bus_message_enter_container(answer, 'a', "a{sv}");

	return r < 0 ? r : s->json ? list_json(answer) : list_text(answer, s->labels.n);
}

/* Text without its quotes: what JSON escapes stays escaped. */
static void print_value(const char *key, struct slice json)
{
	bool text = json.n >= 2 && json.p[0] == '"';
	char number[PERSON_MAX];

	if (person_number(key, json, number))
		printf("%-16s %s\n", key, number);
	else
		printf("%-16s %.*s\n", key, (int)(json.n - 2 * text), json.p + text);
}

/* The same object as JSON has it, a key a line. */
static int get_text(sd_bus_message *answer)
{
	struct buf b = { 0 };
	const char *key;
	int r = sd_bus_message_enter_container(answer, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(answer, 'e', "sv")) > 0) {
		struct json j = json_to_buf(&b);

		b.n = 0;
		r = sd_bus_message_read(answer, "s", &key);
		if (r >= 0)
			r = manager_json_value(answer, &j);
		if (r >= 0)
			r = sd_bus_message_exit_container(answer);
		if (r >= 0 && buf_ok(&b))
			print_value(key, (struct slice){ b.p, b.n });
	}
	buf_done(&b);
	return r;
}

static int print_one(const struct show *s, sd_bus_message *answer)
{
	struct json j = json_to_file(stdout);
	int r;

	if (!s->json)
		return get_text(answer);
	r = manager_json(answer, &j);
	return r < 0 ? r : json_line(&j);
}

/* name: NULL = all. */
static int show(const struct show *s, const char *name, struct err *e)
{
	sd_bus_message *m = NULL, *answer = NULL;
	sd_bus *bus = NULL;
	int r = manager_open(&bus, s->socket, e);

	if (r == 0)
		r = manager_new(bus, name ? MANAGER_GET : MANAGER_LIST, &m, e);
	if (r == 0)
		r = manager_filled(name ? sd_bus_message_append(m, "s", name)
					: manager_add_labels(m, ((struct args *)&s->labels)->v),
				   e);
	if (r == 0)
		r = manager_call(bus, m, &answer, e);
	if (r == 0 && (name ? print_one(s, answer) : print_list(s, answer)) < 0)
		r = fail(e, EBADMSG, "oshd sent an answer that makes no sense");
	sd_bus_message_unref(answer);
	sd_bus_message_unref(m);
	sd_bus_flush_close_unref(bus);
	return r;
}

static int read_and_show(int argc, char **argv, const char *verb, bool one)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "socket", required_argument, NULL, 's' },
						 { "label", required_argument, NULL, 'l' },
						 { 0 } };
	struct show s = { 0 };
	struct err e = { 0 };
	bool good = true;
	int c, r;

	optind = 0;
	while ((c = getopt_long(argc, argv, one ? "" : "l:", options, NULL)) != -1) {
		good &= c == 'j' || c == 's' || (c == 'l' && !one) || usage_stray(c, options);
		s.json |= c == 'j';
		if (c == 's')
			s.socket = optarg;
		if (c == 'l')
			args_add(&s.labels, optarg);
	}
	if (!good || !usage_operands(argc, argv, one ? "NAME" : "") || !args_pairs(&s.labels)) {
		args_done(&s.labels);
		return help_usage(verb);
	}
	r = show(&s, one ? argv[optind] : NULL, &e);
	args_done(&s.labels);
	if (r < 0)
		say_error("%s", e.text);
	return r < 0 || fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
}

int cmd_sandbox_list(int argc, char **argv)
{
	return read_and_show(argc, argv, "sandbox list", false);
}

int cmd_sandbox_get(int argc, char **argv)
{
	return read_and_show(argc, argv, "sandbox get", true);
}
