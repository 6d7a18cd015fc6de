/* SPDX-License-Identifier: Apache-2.0 */
/* oshctl policy schema: reads nothing, prints the tables of the compiler. */
#include "schema_json.h"
#include "usage.h"
#include "verbs.h"

int cmd_policy_schema(int argc, char **argv)
{
	static const struct option options[] = { { 0 } };
	struct json j = json_to_file(stdout);

	if (getopt_long(argc, argv, "", options, NULL) != -1 || !usage_operands(argc, argv, ""))
		return help_usage("policy schema");
	schema_json(&j);
	return json_line(&j) < 0 || fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
}
