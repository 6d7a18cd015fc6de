/* SPDX-License-Identifier: Apache-2.0 */
/* What a request carries, as a person writes it: one GraphQL operation, or one JSON-RPC or MCP call. */
#include <string.h>

#include "ask.h"

static int read_graphql(struct ask *q, char **w, struct err *e)
{
	char *save = NULL;

	if (!w[0] || (strcmp(w[0], "query") && strcmp(w[0], "mutation") && strcmp(w[0], "subscription")) ||
	    (w[1] && w[2] && w[3]))
		return fail(e, EINVAL, "write 'graphql query|mutation|subscription [NAME|-] [FIELD,FIELD]'");
	q->has_graphql = true;
	q->operation = (struct eval_operation){ .type = w[0], .fields = q->fields };
	if (w[1] && strcmp(w[1], "-"))
		q->operation.name = w[1];
	for (char *f = w[1] && w[2] ? strtok_r(w[2], ",", &save) : NULL; f; f = strtok_r(NULL, ",", &save)) {
		if (q->operation.n_fields == ASK_FIELDS)
			return fail(e, EINVAL, "an operation of more than %d fields", ASK_FIELDS);
		q->fields[q->operation.n_fields++] = f;
	}
	return 0;
}

static int read_call(struct ask *q, char **w, struct err *e)
{
	if (!w[0] || (w[1] && w[2]))
		return fail(e, EINVAL, "write 'call METHOD [TOOL]'");
	q->has_call = true;
	q->call = (struct eval_call){ .method = w[0], .tool = w[1] };
	return 0;
}

/* A call of a model, which may name none, and whose API may show in a field. */
static int read_model(struct ask *q, char **w, struct err *e)
{
	if (!w[0] || (w[1] && (strcmp(w[1], "anthropic") || w[2])))
		return fail(e, EINVAL, "write 'model NAME|- [anthropic]'");
	q->model = strcmp(w[0], "-") ? w[0] : NULL;
	q->anthropic = w[1] != NULL;
	return 0;
}

int ask_body(struct ask *q, char **words, struct err *e)
{
	if (!strcmp(words[0], "graphql"))
		return read_graphql(q, words + 1, e);
	if (!strcmp(words[0], "call"))
		return read_call(q, words + 1, e);
	if (!strcmp(words[0], "model"))
		return read_model(q, words + 1, e);
	return fail(e, EINVAL, "after the URL: 'graphql TYPE [NAME|-] [FIELDS]', 'call METHOD [TOOL]' or "
		    "'model NAME', not '%.40s'", words[0]);
}
