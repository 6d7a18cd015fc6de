/* SPDX-License-Identifier: Apache-2.0 */
/* Writes SARIF while the files are being checked: the rules are all of diag.def, so they come first. */
#include "sarif.h"

#include <string.h>

static const char *level(uint32_t code)
{
	return diag_severity(code) == DIAG_ERROR ? "error" : "warning";
}

static void text(struct json *j, const char *key, const char *value)
{
	json_key(j, key);
	json_obj(j);
	json_kv_str(j, "text", value);
	json_end(j);
}

static void id(struct json *j, const char *key, uint32_t code)
{
	char name[16];

	snprintf(name, sizeof(name), "OSH%u", code);
	json_kv_str(j, key, name);
}

static void rules(struct json *j)
{
	json_key(j, "rules");
	json_arr(j);
	for (size_t i = 0; diag_each(i); i++) {
		json_obj(j);
		id(j, "id", diag_each(i));
		text(j, "shortDescription", diag_text(diag_each(i)));
		json_key(j, "defaultConfiguration");
		json_obj(j);
		json_kv_str(j, "level", level(diag_each(i)));
		json_end(j);
		json_end(j);
	}
	json_end(j);
}

void sarif_open(struct sarif *s, FILE *out)
{
	struct json *j = &s->j;

	*j = json_to_file(out);
	json_obj(j);
	json_kv_str(j, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
	json_kv_str(j, "version", "2.1.0");
	json_key(j, "runs");
	json_arr(j);
	json_obj(j);
	json_key(j, "tool");
	json_obj(j);
	json_key(j, "driver");
	json_obj(j);
	json_kv_str(j, "name", "oshctl policy check");
	json_kv_str(j, "version", OSH_VERSION);
	rules(j);
	json_end(j);
	json_end(j);
	json_key(j, "results");
	json_arr(j);
}

static void result(struct json *j, const char *file, uint32_t code, struct place at, const char *message)
{
	json_obj(j);
	id(j, "ruleId", code);
	json_kv_str(j, "level", level(code));
	text(j, "message", message);
	json_key(j, "locations");
	json_arr(j);
	json_obj(j);
	json_key(j, "physicalLocation");
	json_obj(j);
	json_key(j, "artifactLocation");
	json_obj(j);
	json_kv_uri(j, "uri", file);
	json_end(j);
	if (at.line) {
		json_key(j, "region");
		json_obj(j);
		json_kv_u64(j, "startLine", at.line);
		if (at.col)
			json_kv_u64(j, "startColumn", at.col);
		json_end(j);
	}
	json_end(j);
	json_end(j);
	json_end(j);
	json_end(j);
}

void sarif_add(struct sarif *s, const char *file, const struct diags *d, const struct err *e)
{
	char message[sizeof(d->v->text) + sizeof(d->v->hint) + 4];

	for (uint32_t i = 0; i < d->n; i++) {
		const struct diag *one = &d->v[i];

		snprintf(message, sizeof(message), "%s%s%s", one->text, *one->hint ? "; " : "", one->hint);
		result(&s->j, file, one->code, one->at, message);
	}
	if (e->code)
		result(&s->j, file, DIAG_INTERNAL, (struct place){ 0 }, e->text);
}

int sarif_close(struct sarif *s)
{
	json_end(&s->j);
	json_end(&s->j);
	json_end(&s->j);
	json_end(&s->j);
	return json_line(&s->j);
}
