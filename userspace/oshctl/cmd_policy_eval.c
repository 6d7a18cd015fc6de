/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oshctl policy eval -p FILE: JSON lines {"stage": "l4", "request": {...}} on stdin, one decision a
 * line on stdout. Reads the policy and the lines as a stranger's: confined before the first byte.
 */
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "eval.h"
#include "json.h"
#include "osh/limits.h"
#include "own.h"
#include "policy.h"
#include "text.h"
#include "verbs.h"

struct answer {
	const char *decision, *layer, *reason, *reason_id;
	const char *rule;
	uint32_t line;
};

static struct answer failed(const char *reason)
{
	return (struct answer){ "error", "request", reason, "BAD_REQUEST", NULL, 0 };
}

static struct answer decided(const struct decision *d, const char *layer)
{
	return (struct answer){ d->verdict == OSH_ALLOW ? "allow" : "deny", layer,
				reason_text(d->why), reason_id(d->why), d->rule, d->line };
}

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static struct answer on_l4(const struct policy *p, const json_t *q)
{
	const json_t *port = json_object_get(q, "port");
	struct eval_connect c = {
		.host = text_of(q, "host"),
		.binary = text_of(q, "binary"),
		.tainted = json_is_true(json_object_get(q, "tainted")),
	};
	struct decision d;

	if (!c.host || !json_is_integer(port) || json_integer_value(port) < 1 ||
	    json_integer_value(port) > 65535)
		return failed("l4 wants host and port");
	c.port = (uint32_t)json_integer_value(port);
	d = eval_connect(p, &c);
	return decided(&d, "connect");
}

static struct answer on_dns(const struct policy *p, const json_t *q)
{
	const char *host = text_of(q, "host");
	struct decision d;

	if (!host)
		return failed("dns wants host");
	d = eval_dns(p, host);
	return decided(&d, "dns");
}

/* `access` is "read" (default) or "write"; the path has neither links nor "..". */
static struct answer on_file(const struct policy *p, const json_t *q)
{
	const char *path = text_of(q, "path"), *want = text_of(q, "access");
	enum eval_access got;
	struct decision d;

	if (!path || *path != '/' || (want && strcmp(want, "read") && strcmp(want, "write")))
		return failed("file wants an absolute path, and access read or write");
	got = eval_file(p, path, text_of(q, "workdir"), text_of(q, "binary"), &d);
	if (want && !strcmp(want, "write") && got != EVAL_WRITE) {
		d.verdict = OSH_DENY;
		d.why = OSH_WHY_FILE_DENIED;
	}
	return decided(&d, "file");
}

/* The policy was read before the first line came, so it is valid. */
static struct answer on_validate(const struct policy *p, const json_t *q)
{
	(void)p;
	(void)q;
	return (struct answer){ "accept_policy", "policy", "policy is valid", "ALLOWED", NULL, 0 };
}

static const struct {
	const char *name;
	struct answer (*fn)(const struct policy *, const json_t *);
} stages[] = {
	{ "l4", on_l4 },
	{ "dns", on_dns },
	{ "file", on_file },
	{ "validate", on_validate },
};

static struct answer answer_line(const struct policy *p, const char *line, size_t n)
{
	json_error_t why;
	json_t *root = json_loadb(line, n, JSON_REJECT_DUPLICATES, &why);
	const char *stage = text_of(root, "stage");
	struct answer a = failed(root ? "unknown stage" : "line is no JSON object");

	for (size_t i = 0; stage && i < ARRAY_SIZE(stages); i++)
		if (!strcmp(stage, stages[i].name))
			a = stages[i].fn(p, json_object_get(root, "request"));
	json_decref(root);
	return a;
}

static void print_answer(const struct answer *a)
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
	json_end(&j);
	(void)json_line(&j);
}

/* A wrong policy is an answer to every line that asked for `validate`, and the end for the rest. */
static int refuse(const struct diags *d, const char *file, struct slice text)
{
	diags_print(d, stderr, file, text, false);
	for (uint32_t i = 0; i < d->n; i++) {
		struct answer a = { "reject_policy", "policy", d->v[i].text, "POLICY", NULL,
				    d->v[i].at.line };

		if (diag_severity(d->v[i].code) != DIAG_ERROR)
			continue;
		print_answer(&a);
		break;
	}
	return EXIT_REFUSED;
}

static int eval_lines(const struct policy *p)
{
	_free_ char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		struct answer a = answer_line(p, line, (size_t)n);

		print_answer(&a);
	}
	return ferror(stdin) || fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
}

static int eval_policy(const char *file, int fd)
{
	struct buf text = { .limit = OSH_POLICY_BYTES + 16384 };
	struct diags d = { 0 };
	struct policy p;
	char part[16384];
	ssize_t n;
	int r;

	while ((n = read(fd, part, sizeof(part))) > 0 && buf_ok(&text))
		buf_put(&text, part, (size_t)n);
	r = policy_read(&p, (struct slice){ text.p, text.n }, &d);
	diags_sort(&d);
	r = n < 0 || r < 0 ? refuse(&d, file, (struct slice){ text.p, text.n }) : eval_lines(&p);
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
	if (!file || optind != argc)
		return help_usage("policy eval");
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		fprintf(stderr, "oshctl: cannot open policy '%s': %s\n", file, strerror(errno));
		return EXIT_REFUSED;
	}
	json_object_seed(1);		/* jansson would open /dev/urandom behind the filter */
	if (policy_confine(&e) < 0) {
		fprintf(stderr, "oshctl: %s\n", e.text);
		return EXIT_REFUSED;
	}
	return eval_policy(file, fd);
}
