/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of a SARIF log: oshctl prints one too, when osh-prove was killed and said nothing. */
#include "prove.h"

#include "json.h"

/* Ends within the tool's description, where its rules go. */
void prove_sarif_begin(struct json *j, const char *unknown)
{
	json_obj(j);
	json_kv_str(j, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
	json_kv_str(j, "version", "2.1.0");
	json_key(j, "runs");
	json_arr(j);
	json_obj(j);
	json_key(j, "invocations");
	json_arr(j);
	json_obj(j);
	json_kv_bool(j, "executionSuccessful", !unknown);
	if (unknown) {
		json_key(j, "toolExecutionNotifications");
		json_arr(j);
		json_obj(j);
		json_kv_str(j, "level", "error");
		json_key(j, "message");
		json_obj(j);
		json_kv_str(j, "text", unknown);
		json_end(j);
		json_end(j);
		json_end(j);
	}
	json_end(j);
	json_end(j);
	json_key(j, "tool");
	json_obj(j);
	json_key(j, "driver");
	json_obj(j);
	json_kv_str(j, "name", "osh-prove");
	json_kv_str(j, "version", OSH_VERSION);
}

void prove_sarif_results(struct json *j)
{
	json_end(j);
	json_end(j);
	json_key(j, "results");
	json_arr(j);
}

void prove_sarif_end(struct json *j)
{
	json_end(j);
	json_end(j);
	json_end(j);
	json_end(j);
	(void)json_line(j);
}
