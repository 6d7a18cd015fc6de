/* SPDX-License-Identifier: Apache-2.0 */
/* oshctl policy schema: reads nothing, prints the tables of the compiler. */
#include "schema_json.h"
#include "usage.h"
#include "verbs.h"

int cmd_policy_schema(int argc, char **argv)
{
	struct json j = json_to_file(stdout);

	optind = 1;
	if (!usage_operands(argc, argv, ""))
		return help_usage("policy schema");
	schema_json(&j);
	return json_line(&j) < 0 || fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
}
