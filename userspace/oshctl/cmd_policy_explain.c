/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oshctl policy explain: for each request the verdict, what decided, what enforces it on this kernel,
 * and the smallest change that would turn it around. Confined before the policy is read.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "flip.h"
#include "json.h"
#include "layers.h"
#include "own.h"
#include "policy_file.h"
#include "say.h"
#include "text.h"
#include "usage.h"
#include "verbs.h"

struct explain {
	const struct policy_file *f;
	const struct layer *layers;
	const char *said;		/* the request as given */
	const struct ask *q;
	struct decision d;
	bool inside;			/* what is in the connection is judged too */
	unsigned protocols;		/* 1 << enum protocol: how it is read */
	const struct flip *flip;
};

/* The key of the policy that a rule's name stands for. */
static const char *key_prefix(const struct explain *x)
{
	return x->q->kind <= ASK_REQUEST && strncmp(x->d.rule, "network[", 8) ? "network_policies."
									      : "";
}

static bool concerns(const struct explain *x, const struct layer *l)
{
	return l->kinds & (1u << x->q->kind) &&
	       (l->inside == PROTO_NONE || (x->protocols & (1u << l->inside)));
}

static void text_layers(const struct explain *x)
{
	const char *promise = "";

	puts("  kept by, on this kernel");
	for (const struct layer *l = x->layers; l->name; l++) {
		if (!concerns(x, l))
			continue;
		if (strcmp(promise, l->promise))
			printf("    %s\n", l->promise);
		promise = l->promise;
		printf("      %-34s %s%s%s\n", l->name, layer_word(l->state), *l->note ? ": " : "",
		       l->note);
	}
}

/* Indented; the text is our own YAML with the policy's words in it. */
static void text_yaml(const char *yaml)
{
	while (*yaml) {
		fputs("      ", stdout);
		for (; *yaml && *yaml != '\n'; yaml++)
			put_clean(stdout, (char[]){ *yaml, 0 });
		fputc('\n', stdout);
		yaml += *yaml != 0;
	}
}

static void text_flip(const struct explain *x)
{
	const char *to = x->d.verdict == OSH_ALLOW ? "deny" : "allow";

	if (!x->flip->n)
		printf("  to %s it: no change was found that would\n", to);
	for (uint32_t i = 0; i < x->flip->n; i++) {
		const struct change *c = &x->flip->step[i];

		printf("  %s %s %s", i ? "and" : "to", i ? "also" : to, i ? "" : "it, ");
		printf("%s", c->action);
		if (c->line)
			printf(" at %s:%u", x->f->name, c->line);
		puts("");
		text_yaml(c->yaml);
	}
}

static void print_text(const struct explain *x)
{
	put_clean(stdout, x->said);
	printf("\n  %s: %s\n", x->d.verdict == OSH_ALLOW ? "allowed" : "denied",
	       reason_text(x->d.why));
	if (x->d.rule) {
		printf("  rule %s", key_prefix(x));
		put_clean(stdout, x->d.rule);
		printf(", %s:%u\n", x->f->name, x->d.line);
	} else {
		puts("  no rule speaks of it");
	}
	if (x->d.audit)
		puts("  but 'enforcement: audit' stands there: it is recorded and sent all the same");
	if (x->inside)
		puts("  what is asked inside the connection is judged request by request");
	text_layers(x);
	text_flip(x);
}

static void json_layers(struct json *j, const struct explain *x)
{
	json_key(j, "layers");
	json_arr(j);
	for (const struct layer *l = x->layers; l->name; l++) {
		if (!concerns(x, l))
			continue;
		json_obj(j);
		json_kv_str(j, "promise", l->promise);
		json_kv_str(j, "layer", l->name);
		json_kv_str(j, "state", layer_word(l->state));
		json_kv_str(j, "note", l->note);
		json_end(j);
	}
	json_end(j);
}

static void json_flip(struct json *j, const struct explain *x)
{
	json_key(j, "change");
	json_arr(j);
	for (uint32_t i = 0; i < x->flip->n; i++) {
		json_obj(j);
		json_kv_str(j, "action", x->flip->step[i].action);
		if (x->flip->step[i].line)
			json_kv_u64(j, "line", x->flip->step[i].line);
		json_kv_str(j, "yaml", x->flip->step[i].yaml);
		json_end(j);
	}
	json_end(j);
}

static void print_json(const struct explain *x)
{
	struct json j = json_to_file(stdout);

	json_obj(&j);
	json_kv_str(&j, "request", x->said);
	json_kv_str(&j, "decision", x->d.verdict == OSH_ALLOW ? "allow" : "deny");
	json_kv_str(&j, "reason", reason_text(x->d.why));
	json_kv_str(&j, "reason_id", reason_id(x->d.why));
	json_kv_str(&j, "rule", x->d.rule);
	json_kv_str(&j, "file", x->f->name);
	if (x->d.line)
		json_kv_u64(&j, "line", x->d.line);
	json_kv_bool(&j, "inspected", x->inside);
	json_kv_bool(&j, "audit", x->d.audit);
	json_layers(&j, x);
	json_flip(&j, x);
	json_end(&j);
	(void)json_line(&j);
}

#define ANCESTORS 16

struct options {
	const char *file, *binary, *workdir;
	const char *ancestors[ANCESTORS];	/* nearest first */
	uint32_t n_ancestors;
	bool as_json;
};

static bool explain_one(const struct policy_file *f, const struct layer *layers,
			const struct options *o, const char *said)
{
	static struct ask q;
	struct arena a = { 0 };
	struct flip flip;
	struct explain x = { f, layers, said, &q, { 0 }, false, 0, &flip };

	if (ask_parse(&q, said, o->binary, o->workdir, NULL) < 0)
		return false;
	q.connect.ancestors = o->ancestors;
	q.connect.n_ancestors = o->n_ancestors;
	x.d = ask_eval(&f->p, &q);
	x.inside = q.kind == ASK_CONNECT && x.d.verdict == OSH_ALLOW && ask_looks_inside(&f->p, &q);
	x.protocols = ask_protocols(&f->p, &q);
	flip_find(&f->p, &q, &a, &flip);
	if (o->as_json)
		print_json(&x);
	else
		print_text(&x);
	arena_done(&a);
	return x.d.verdict == OSH_ALLOW;
}

static bool understood(const struct options *o, int n, char **said)
{
	static struct ask q;
	struct err e = { 0 };
	bool ok = true;

	for (int i = 0; i < n; i++)
		if (ask_parse(&q, said[i], o->binary, o->workdir, &e) < 0) {
			fputs("oshctl: ", stderr);
			put_clean(stderr, e.text);
			fputc('\n', stderr);
			ok = false;
		}
	return ok;
}

static int explain_all(const struct options *o, int n, char **said)
{
	const struct layer *layers = layers_probe();
	struct policy_file f;
	int status = EXIT_REFUSED;

	if (policy_file_open(&f, o->file) && policy_file_confine() && policy_file_read(&f)) {
		status = EXIT_DONE;
		for (int i = 0; i < n; i++)
			if (!explain_one(&f, layers, o, said[i]))
				status = EXIT_REFUSED;
	}
	policy_file_done(&f);
	return fflush(stdout) ? EXIT_REFUSED : status;
}

static bool ancestor(struct options *o, const char *path)
{
	if (!usage_path("--ancestor", path))
		return false;
	if (o->n_ancestors == ANCESTORS) {
		say_error("--ancestor: at most %d", ANCESTORS);
		return false;
	}
	o->ancestors[o->n_ancestors++] = path;
	return true;
}

int cmd_policy_explain(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "binary", required_argument, NULL, 'b' },
		{ "ancestor", required_argument, NULL, 'a' },
		{ "workdir", required_argument, NULL, 'w' },
		{ 0 },
	};
	_free_ char *here = getcwd(NULL, 0);
	struct options o = { .workdir = here };
	int c;

	while ((c = getopt_long(argc, argv, "p:w:", options, NULL)) != -1) {
		if (c == 'p')
			o.file = optarg;
		else if (c == 'b' && usage_path("--binary", optarg))
			o.binary = optarg;
		else if (c == 'a' && ancestor(&o, optarg))
			continue;
		else if (c == 'w' && usage_path("-w", optarg))
			o.workdir = optarg;
		else if (c == 'j')
			o.as_json = true;
		else
			return help_usage("policy explain");
	}
	if (!o.file)
		say_error("-p is missing: the policy, or preset:NAME");
	if (!o.file || !usage_operands(argc, argv, "REQUEST..."))
		return help_usage("policy explain");
	return understood(&o, argc - optind, argv + optind) ?
		explain_all(&o, argc - optind, argv + optind) : EXIT_USAGE;
}
