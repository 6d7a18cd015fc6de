/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oshctl policy eval -p FILE: JSON lines {"stage": "l4", "request": {...}} on stdin, one decision a
 * line on stdout. Reads the policy and the lines as a stranger's: confined before the first byte.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "eval_lines.h"
#include "json.h"
#include "osh/limits.h"
#include "own.h"
#include "policy.h"
#include "policy_file.h"
#include "policy_source.h"
#include "say.h"
#include "usage.h"
#include "verbs.h"

static bool live;			/* somebody waits for each answer */

static void print_answer(const struct question *q, const struct answer *a)
{
	struct json j = json_to_file(stdout);

	json_obj(&j);
	json_kv_str(&j, "decision", a->decision);
	json_kv_str(&j, "rule", a->rule);
	json_kv_str(&j, "layer", a->layer);
	json_kv_str(&j, "reason", a->reason);
	json_kv_str(&j, "reason_id", a->reason_id);
	if (a->line)
		json_kv_u64(&j, "line", a->line);
	if (a->canonical)
		json_kv_str(&j, "canonical", a->canonical);
	if (a->error)
		json_kv_str(&j, "error", a->error);
	if (a->protocol)
		json_kv_str(&j, "protocol", a->protocol);
	if (a->route)
		json_kv_str(&j, "route", a->route);
	if (a->model)
		json_kv_str(&j, "model", a->model);
	if (a->n_limits) {
		json_key(&j, "limits");
		json_arr(&j);
		for (uint32_t i = 0; i < a->n_limits; i++)
			json_u64(&j, a->limits[i]);
		json_end(&j);
	}
	if (a->audit)
		json_kv_bool(&j, "audit", true);
	if (!q->valid)
		json_kv_bool(&j, "valid", false);
	json_end(&j);
	(void)json_line(&j);
	if (live)
		fflush(stdout);
}

/*
 * A refused policy still answers: `validate` with the errors, the rest with what its rules would say
 * where the errors leave them complete. Every answer is marked, and the exit status says so.
 */
static int eval_lines(struct question *q)
{
	_free_ char *line = NULL;
	size_t cap = 0;
	bool any = false;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		struct answer said = answer_line(q, line, (size_t)n);

		print_answer(q, &said);
		arena_done(q->arena);
		*q->arena = (struct arena){ 0 };
		any = true;
	}
	if (!any && !q->valid) {
		struct answer said = answer_refused(q);

		print_answer(q, &said);
		arena_done(q->arena);
	}
	return ferror(stdin) || fflush(stdout) || !q->valid ? EXIT_REFUSED : EXIT_DONE;
}

static int eval_policy(const char *file, int fd)
{
	struct buf text = { .limit = OSH_POLICY_BYTES + 16384 };
	struct diags d = { 0 };
	struct arena line = { 0 };
	struct question q = { .diags = &d, .arena = &line };
	struct policy p;
	char part[16384];
	ssize_t n;
	int r;

	while ((n = read(fd, part, sizeof(part))) > 0 && buf_ok(&text))
		buf_put(&text, part, (size_t)n);
	r = policy_read(&p, (struct slice){ text.p, text.n }, &d);
	diags_sort(&d);
	q.policy = &p;
	q.valid = n == 0 && r == 0;
	if (n < 0 || r == -ENOMEM) {
		fprintf(stderr, "oshctl: cannot read policy '%s'\n", file);
		r = EXIT_REFUSED;
	} else {
		if (!q.valid)
			diags_print(&d, stderr, file, (struct slice){ text.p, text.n }, false);
		r = eval_lines(&q);
	}
	policy_done(&p);
	diags_done(&d);
	buf_done(&text);
	return r;
}

int cmd_policy_eval(int argc, char **argv)
{
	const char *file = NULL;
	_close_ int fd = -1;
	struct err e = { 0 };
	int c;

	while ((c = getopt(argc, argv, "p:")) != -1) {
		if (c != 'p')
			return help_usage("policy eval");
		file = optarg;
	}
	if (!file)
		say_error("-p is missing: the policy; requests come on standard input");
	if (!file || !usage_operands(argc, argv, ""))
		return help_usage("policy eval");
	if (policy_source_open(file, &fd, &e) < 0) {
		fprintf(stderr, "oshctl: %s\n", e.text);
		return EXIT_REFUSED;
	}
	json_object_seed(1);		/* jansson would open /dev/urandom behind the filter */
	live = isatty(STDOUT_FILENO);
	return policy_file_confine() ? eval_policy(file, fd) : EXIT_REFUSED;
}
