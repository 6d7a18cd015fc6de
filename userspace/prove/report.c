/* SPDX-License-Identifier: Apache-2.0 */
/* Findings for people and for programs. */
#include "report.h"

#include "json.h"

/* Findings come first: what was found is there, whatever else is not known. */
const char *report_result(const struct prover *pr)
{
	return pr->found.n ? "findings" : pr->unknown ? "unknown" : "proved";
}

static void put_clean(const char *text)
{
	for (; *text; text++)
		putchar((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e ? '?' : *text);
}

static void put(const char *before, const char *text, const char *after)
{
	fputs(before, stdout);
	put_clean(text);
	fputs(after, stdout);
}

static void one_text(const struct finding *f, const char *file)
{
	printf("%s:%u: %s: ", f->file ? f->file : file, f->line, f->category);
	put_clean(f->where);
	put(" via ", f->program ? f->program : "any program", "\n");
	put("  ", f->says, "\n");
	for EACH (struct asked, q, &f->requests) {
		put("    ", q->request, "");
		if (q->binary)
			put(" --binary ", q->binary, "");
		if (q->ancestor)
			put(" --ancestor ", q->ancestor, "");
		if (q->file)
			put(" -p ", q->file, "");
		putchar('\n');
	}
	if (f->rule)
		put("  rule ", f->rule, "\n");
}

void report_text(const struct prover *pr, const char *file)
{
	for EACH (struct finding, f, &pr->found)
		one_text(f, file);
	if (pr->found.n)
		printf("%s: %u finding%s%s\n", file, pr->found.n, pr->found.n == 1 ? "" : "s",
		       pr->unknown ? ", and not all is known" : "");
	else if (!pr->unknown)
		printf("%s: proved: %s\n", file,
		       pr->base	? "it allows nothing that the base policy does not"
		       : pr->flow ? "nothing that one of the sandboxes reads can be sent by another one"
				: "none of the questions has an answer that this policy allows");
	if (pr->n_accepted)
		printf("%s: %u accepted\n", file, pr->n_accepted);
	for EACH (text_of, s, &pr->stale)
		put("accepted risk ", *s, "\n");
	if (pr->unknown)
		printf("%s: unknown: %s\n", file, pr->unknown);
}

static void one_json(struct json *j, const struct finding *f)
{
	json_obj(j);
	json_kv_str(j, "category", f->category);
	json_kv_str(j, "where", f->where);
	json_kv_str(j, "program", f->program);
	if (f->credential)
		json_kv_str(j, "credential", f->credential);
	json_kv_str(j, "says", f->says);
	json_key(j, "requests");
	json_arr(j);
	for EACH (struct asked, q, &f->requests) {
		json_obj(j);
		json_kv_str(j, "request", q->request);
		json_kv_str(j, "binary", q->binary);
		if (q->ancestor)
			json_kv_str(j, "ancestor", q->ancestor);
		if (q->file)
			json_kv_str(j, "policy", q->file);
		json_end(j);
	}
	json_end(j);
	json_kv_str(j, "rule", f->rule);
	json_kv_u64(j, "line", f->line);
	if (f->file)
		json_kv_str(j, "policy", f->file);
	json_end(j);
}

void report_json(const struct prover *pr, const char *file)
{
	struct json j = json_to_file(stdout);

	json_obj(&j);
	json_kv_str(&j, "file", file);
	json_kv_str(&j, "result", report_result(pr));
	json_kv_str(&j, "unknown", pr->unknown);
	json_kv_u64(&j, "accepted", pr->n_accepted);
	json_key(&j, "stale");
	json_arr(&j);
	for EACH (text_of, s, &pr->stale)
		json_text(&j, *s);
	json_end(&j);
	json_key(&j, "findings");
	json_arr(&j);
	for EACH (struct finding, f, &pr->found)
		one_json(&j, f);
	json_end(&j);
	json_end(&j);
	(void)json_line(&j);
}
