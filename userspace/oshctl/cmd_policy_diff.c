/* SPDX-License-Identifier: Apache-2.0 */
/* oshctl policy diff OLD NEW: what is newly allowed and newly denied, each with an example. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diff.h"
#include "json.h"
#include "own.h"
#include "policy_file.h"
#include "sample.h"
#include "usage.h"
#include "verbs.h"

static const char *const head[] = { "newly denied", "newly allowed" };

static void print_one(const struct difference *d, const char *file)
{
	printf("%s: ", head[d->allowed]);
	put_clean(stdout, d->request);
	if (d->binary) {
		fputs(" --binary ", stdout);
		put_clean(stdout, d->binary);
	}
	if (d->more)
		printf(" (and %u like it)", d->more);
	printf("\n  %s by ", d->allowed ? "allowed" : "was allowed");
	put_clean(stdout, d->rule ? d->rule : "-");
	printf(", %s:%u\n", file, d->line);
}

static void print_text(const struct diff *d, const struct policy_file f[2])
{
	for EACH (struct difference, one, &d->found)
		print_one(one, f[one->allowed].name);
	for EACH (text_t, key, &d->settings)
		printf("changed: %s\n", *key);
	if (!d->found.n && !d->settings.n && !d->incomplete)
		puts("no difference");
	if (d->incomplete)
		fputs("oshctl: not everything could be compared: there may be more differences\n", stderr);
}

static void print_json(const struct diff *d, const struct policy_file f[2])
{
	struct json j = json_to_file(stdout);

	json_obj(&j);
	json_key(&j, "differences");
	json_arr(&j);
	for EACH (struct difference, one, &d->found) {
		json_obj(&j);
		json_kv_str(&j, "change", one->allowed ? "newly_allowed" : "newly_denied");
		json_kv_str(&j, "request", one->request);
		json_kv_str(&j, "binary", one->binary);
		json_kv_u64(&j, "more", one->more);
		json_kv_str(&j, "rule", one->rule);
		json_kv_str(&j, "file", f[one->allowed].name);
		json_kv_u64(&j, "line", one->line);
		json_end(&j);
	}
	json_end(&j);
	json_key(&j, "settings");
	json_arr(&j);
	for EACH (text_t, key, &d->settings)
		json_text(&j, *key);
	json_end(&j);
	json_kv_bool(&j, "complete", !d->incomplete);
	json_end(&j);
	(void)json_line(&j);
}

static int compare(struct policy_file f[2], const char *workdir, bool as_json)
{
	struct diff d;
	int status;

	if (!policy_file_read(&f[0]) || !policy_file_read(&f[1]))
		return EXIT_REFUSED;
	diff_policies(&f[0].p, &f[1].p, workdir, &d);
	if (as_json)
		print_json(&d, f);
	else
		print_text(&d, f);
	status = d.found.n || d.settings.n || d.incomplete ? EXIT_REFUSED : EXIT_DONE;
	diff_done(&d);
	return fflush(stdout) ? EXIT_REFUSED : status;
}

int cmd_policy_diff(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "workdir", required_argument, NULL, 'w' },
		{ 0 },
	};
	_free_ char *here = getcwd(NULL, 0);
	struct policy_file f[2] = { { .fd = -1 }, { .fd = -1 } };
	const char *workdir = here;
	bool as_json = false;
	int c, status = EXIT_REFUSED;

	while ((c = getopt_long(argc, argv, "w:", options, NULL)) != -1) {
		if (c == 'j')
			as_json = true;
		else if (c == 'w' && usage_path("-w", optarg))
			workdir = optarg;
		else
			return help_usage("policy diff");
	}
	if (!usage_operands(argc, argv, "OLD NEW"))
		return help_usage("policy diff");
	if (policy_file_open(&f[0], argv[optind]) && policy_file_open(&f[1], argv[optind + 1]) &&
	    policy_file_confine())
		status = compare(f, workdir, as_json);
	policy_file_done(&f[0]);
	policy_file_done(&f[1]);
	return status;
}
