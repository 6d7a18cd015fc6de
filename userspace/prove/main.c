/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-prove [--json | --sarif | --dot | --svg] [--workdir DIR] [--volume VOLUME]... [--home DIR]
 * [--credentials NAME] [--accept NAME] [--base NAME] [--with NAME [--workdir DIR] [--volume VOLUME]...]... NAME:
 * what could this policy ever let out? Started by `oshctl policy prove` with the files as descriptors
 * (prove.h). Z3 lives here and nowhere else; before anything is read the process has no privileges,
 * hardly any system calls, and bounds on time and memory.
 */
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#include "flow.h"
#include "graph.h"
#include "home.h"
#include "input.h"
#include "keys.h"
#include "prove.h"
#include "report.h"

struct sandbox {			/* the one that is asked about, or another one of --with */
	const char *name, *workdir, *sandbox;
	const char *volumes[PROVE_VOLUMES];
	uint32_t n_volumes;
};

struct options {
	const char *home, *base;
	struct sandbox box[PROVE_WITH + 1];
	uint32_t n_with;
	char today[16];
	void (*report)(const struct prover *pr, const char *file);
	const char *credentials, *accept;
};

/* What follows a `--with` is about its sandbox. */
static bool parse_box(int c, char *text, struct options *o)
{
	struct sandbox *b = &o->box[o->n_with];

	if (c == 'w') {
		b->workdir = text;
		return true;
	}
	if (c == 'S') {
		b->sandbox = text;
		return true;
	}
	if (c == 'V') {
		if (b->n_volumes == PROVE_VOLUMES)
			return false;
		b->volumes[b->n_volumes++] = text;
		return true;
	}
	if (o->n_with == PROVE_WITH)
		return false;
	o->box[++o->n_with].name = text;
	return true;
}

static bool parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "sarif", no_argument, NULL, 's' },
						 { "dot", no_argument, NULL, 'd' },
						 { "svg", no_argument, NULL, 'v' },
						 { "workdir", required_argument, NULL, 'w' },
						 { "volume", required_argument, NULL, 'V' },
						 { "sandbox", required_argument, NULL, 'S' },
						 { "with", required_argument, NULL, 'W' },
						 { "home", required_argument, NULL, 'H' },
						 { "credentials", required_argument, NULL, 'c' },
						 { "accept", required_argument, NULL, 'a' },
						 { "base", required_argument, NULL, 'b' },
						 { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'j':
			o->report = report_json;
			break;
		case 's':
			o->report = report_sarif;
			break;
		case 'd':
			o->report = graph_dot;
			break;
		case 'v':
			o->report = graph_svg;
			break;
		case 'w':
		case 'V':
		case 'S':
		case 'W':
			if (!parse_box(c, optarg, o))
				return false;
			break;
		case 'H':
			o->home = optarg;
			break;
		case 'c':
			o->credentials = optarg;
			break;
		case 'a':
			o->accept = optarg;
			break;
		case 'b':
			o->base = optarg;
			break;
		default:
			return false;
		}
	if (optind + 1 != argc)
		return false;
	o->box[0].name = argv[optind];
	return true;
}

static int answer(const struct prover *pr)
{
	return pr->found.n ? PROVE_FOUND : pr->unknown ? PROVE_UNKNOWN : PROVE_DONE;
}

/* What is about files alone is asked once. */
static void ask_files(struct prover *pr)
{
	if (pr->base) {
		find_wider(pr);
		return;
	}
	find_secrets(pr);
	find_persistence(pr);
}

static void ask_endpoints(struct prover *pr)
{
	if (pr->graph)
		find_graph(pr);
	find_refuted(pr);
	if (pr->base) {
		find_expansion(pr);
		return;
	}
	find_exfiltration(pr);
	find_calls(pr);
	find_bypass(pr);
	find_credentials(pr);
	find_reach(pr);
	find_names(pr);
	find_unreachable(pr);
	find_redundant(pr);
}

/* Of the endpoints each in a model of those that it meets. */
static void ask(struct prover *pr, const struct input *in, const char *workdir)
{
	struct sym_plan plan = {
		.p = &in->p, .base = pr->base, .workdir = workdir, .cells = &pr->cells, .gone = &pr->gone
	};
	struct slices slices;

	if (!slice_policy(pr->a, &in->p, pr->base, &slices)) {
		find_unknown(pr, "out of memory");
		return;
	}
	plan.slices = &slices;
	for (uint32_t i = 0; i <= slices.n;
	     i++) { /* backwards: of two that say the same the first stays */
		struct arena a = { 0 };
		struct sym s;

		plan.slice = slices.n - i;
		plan.less = i && !pr->base;
		sym_open(&s, &a, &plan);
		pr->s = &s;
		if (a.bad)
			find_unknown(pr, "out of memory");
		else if (i)
			ask_endpoints(pr);
		else
			ask_files(pr);
		if (a.bad)
			find_unknown(pr, "out of memory");
		sym_done(&s);
		arena_done(&a);
	}
	find_served(pr, &in->p);
	if (pr->base)
		return;
	find_idle_routes(pr, &in->p);
	find_chains(pr);
}

static void check_keys(struct prover *pr, const struct input *in)
{
	const char *key = keys_unknown(pr->a, (struct slice){ in->text.p, in->text.n }, key_rows);

	if (key)
		find_unknown(
		    pr,
		    arena_printf(pr->a, "'%s' has no model: what it lets out is not known", key));
}

static bool give_volumes(struct arena *a, const struct sandbox *from, struct flow_box *to)
{
	for (uint32_t i = 0; i < from->n_volumes; i++) {
		struct flow_volume *v = list_push(a, &to->volumes, sizeof(*v));

		if (!v || !flow_volume(a, from->volumes[i], v)) {
			fprintf(stderr, "oshctl: volume '%.100s': want NAME:/PATH or NAME:/PATH:ro\n", from->volumes[i]);
			return false;
		}
	}
	return true;
}

/* in: of each sandbox. */
static bool ask_flow(struct prover *pr, const struct options *o, const struct input *in)
{
	struct flow_box boxes[PROVE_WITH + 1] = { 0 };

	for (uint32_t i = 0; i <= o->n_with; i++) {
		boxes[i] = (struct flow_box){ .name = o->box[i].name, .workdir = o->box[i].workdir, .sandbox = o->box[i].sandbox,
					       .p = &in[i].p };
		if (!give_volumes(pr->a, &o->box[i], &boxes[i]))
			return false;
	}
	for (uint32_t i = 1; i <= o->n_with; i++)
		check_keys(pr, &in[i]);
	find_flow(pr, boxes, o->n_with + 1);
	return true;
}

/* Networks of everything that is asked about, before it is. */
static void note_networks(struct prover *pr, const struct input *in, uint32_t n, const struct policy *base)
{
	for (uint32_t i = 0; i < n; i++)
		cells_add_policy(pr->a, &pr->cells, &in[i].p);
	if (base)
		cells_add_policy(pr->a, &pr->cells, base);
	for EACH (struct credential_in, c, &pr->credentials)
		for EACH (struct host, h, &c->hosts)
			if (h->kind == HOST_NET)
				cells_add(pr->a, &pr->cells, &h->net);
	if (!cells_make(pr->a, &pr->cells))
		_Exit(PROVE_GAVE_UP);
}

static int prove(const struct options *o, const struct input *in, const struct input *base)
{
	struct arena a = { 0 };
	struct prover pr = { .a = &a,
			     .base = base ? &base->p : NULL,
			     .flow = o->n_with > 0,
			     .graph = o->report == graph_dot || o->report == graph_svg };
	int status = PROVE_FOUND;

	if ((!o->credentials || input_credentials(&a, PROVE_FD_CREDENTIALS, o->credentials, &pr.credentials)) &&
	    (!o->accept || input_accepts(&a, PROVE_FD_ACCEPT, o->accept, &pr.accepts))) {
		note_networks(&pr, in, o->n_with + 1, pr.base);
		check_keys(&pr, in);
		if (base)
			check_keys(&pr, base);
		if (!o->n_with)
			ask(&pr, in, o->box[0].workdir);
		else if (!ask_flow(&pr, o, in)) {
			arena_done(&a);
			return PROVE_USAGE;
		}
		if (a.bad)
			find_unknown(&pr, "out of memory");
		find_sort(&pr);
		find_accept(&pr, o->today);
		o->report(&pr, o->box[0].name);
		status = answer(&pr);
	}
	arena_done(&a);
	return status;
}

int main(int argc, char **argv)
{
	static char out[1 << 16];
	struct options o = { .today = "9999-99-99",
			     .report = report_text }; /* no clock: everything is over */
	time_t now = time(NULL);
	struct tm day;
	struct input in[PROVE_WITH + 1] = { 0 }, base = { 0 };
	bool read = true;
	struct err e = { 0 };
	int status = PROVE_FOUND;

	if (!parse(argc, argv, &o)) {
		fputs("usage: osh-prove [--json | --sarif | --dot | --svg] [--workdir DIR] [--volume VOLUME]... [--home "
		      "DIR] [--credentials NAME] [--accept NAME] [--base NAME] [--with NAME]... NAME\n",
		      stderr);
		return PROVE_USAGE;
	}
	(void)policy_home(o.home);
	if (gmtime_r(&now, &day)) /* reads the time zone's file: before the process is confined */
		(void)strftime(o.today, sizeof(o.today), "%Y-%m-%d", &day);
	json_object_seed(1); /* jansson would open /dev/urandom behind the filter */
	zed_warm();
	setvbuf(stdout, out, _IOFBF, sizeof(out));
	if (policy_confine_within(PROVE_CPU_SECONDS, PROVE_MEMORY, &e) < 0) {
		fprintf(stderr, "osh-prove: %s\n", e.text);
		return PROVE_GAVE_UP;
	}
	for (uint32_t i = 0; i <= o.n_with; i++)
		read = input_policy(&in[i], i ? PROVE_FD_WITH + (int)i - 1 : PROVE_FD_POLICY, o.box[i].name) && read;
	if (read && (!o.base || input_policy(&base, PROVE_FD_BASE, o.base)))
		status = prove(&o, in, o.base ? &base : NULL);
	for (uint32_t i = 0; i <= o.n_with; i++)
		input_done(&in[i]);
	input_done(&base);
	return fflush(stdout) ? PROVE_UNKNOWN : status;
}
