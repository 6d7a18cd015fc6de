/* SPDX-License-Identifier: Apache-2.0 */
/* Findings as SARIF 2.1.0, for whatever shows them beside the lines of a policy. */
#include <string.h>

#include "json.h"
#include "prove.h"
#include "report.h"

static void text(struct json *j, const char *key, const char *said)
{
	json_key(j, key);
	json_obj(j);
	json_kv_str(j, "text", said);
	json_end(j);
}

static bool is_first(const struct prover *pr, const struct finding *f)
{
	for EACH (struct finding, before, &pr->found) {
		if (before == f)
			return true;
		if (!strcmp(before->category, f->category))
			return false;
	}
	return true;
}

static void rules(struct json *j, const struct prover *pr)
{
	json_key(j, "rules");
	json_arr(j);
	for EACH (struct finding, f, &pr->found) {
		if (!is_first(pr, f))
			continue;
		json_obj(j);
		json_kv_str(j, "id", f->category);
		json_end(j);
	}
	json_end(j);
}

static void location(struct json *j, const struct finding *f, const char *file)
{
	json_key(j, "locations");
	json_arr(j);
	json_obj(j);
	json_key(j, "physicalLocation");
	json_obj(j);
	json_key(j, "artifactLocation");
	json_obj(j);
	json_kv_uri(j, "uri", f->file ? f->file : file);
	json_end(j);
	json_key(j, "region");
	json_obj(j);
	json_kv_u64(j, "startLine", f->line ? f->line : 1);
	json_end(j);
	json_end(j);
	json_end(j);
	json_end(j);
}

/* What stays the same when lines move: by it a viewer knows a finding again. */
static void fingerprint(struct json *j, const struct prover *pr, const struct finding *f)
{
	json_key(j, "partialFingerprints");
	json_obj(j);
	json_kv_str(
	    j, "osh/v1",
	    arena_printf(pr->a, "%s %s %s", f->category, f->where, f->program ? f->program : "*"));
	json_end(j);
}

static void result(struct json *j, const struct prover *pr, const struct finding *f,
		   const char *file)
{
	struct list *requests = (struct list *)(uintptr_t)&f->requests;
	const char *said = arena_printf(pr->a, "%s via %s: %s", f->where,
					f->program ? f->program : "any program", f->says);

	for EACH (struct asked, q, requests)
		said = arena_printf(pr->a, "%s\n%s", said, q->request);
	json_obj(j);
	json_kv_str(j, "ruleId", f->category);
	json_kv_str(j, "level",
		    strcmp(f->category, "redundant_rule") && strcmp(f->category, "unreachable_rule")
			? "error"
			: "warning");
	text(j, "message", said);
	location(j, f, file);
	fingerprint(j, pr, f);
	json_end(j);
}

void report_sarif(const struct prover *pr, const char *file)
{
	struct json j = json_to_file(stdout);

	prove_sarif_begin(&j, pr->unknown);
	rules(&j, pr);
	prove_sarif_results(&j);
	for EACH (struct finding, f, &pr->found)
		result(&j, pr, f, file);
	prove_sarif_end(&j);
}
