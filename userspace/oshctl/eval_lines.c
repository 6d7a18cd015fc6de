/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of `oshctl policy eval`. Reads a stranger's JSON in a confined process. */
#include "eval_lines.h"

#include <jansson.h>
#include <string.h>

#include "question.h"
#include "own.h"
#include "policy.h"
#include "text.h"

static struct answer failed(const char *reason)
{
	return (struct answer){ .decision = "error", .layer = "request", .reason = reason,
				.reason_id = "BAD_REQUEST" };
}

static struct answer decided(const struct decision *d, const char *layer)
{
	return (struct answer){ .decision = d->verdict == OSH_ALLOW ? "allow" : "deny",
				.layer = layer, .reason = reason_text(d->why),
				.reason_id = reason_id(d->why), .rule = d->rule, .line = d->line,
				.audit = d->audit };
}

struct answer answer_refused(const struct question *q)
{
	struct answer a = { .decision = "reject_policy", .layer = "policy", .reason = "policy is refused",
			    .reason_id = "POLICY" };
	const char *all = NULL;

	for (uint32_t i = 0; i < q->diags->n; i++) {
		const struct diag *one = &q->diags->v[i];

		if (diag_severity(one->code) != DIAG_ERROR)
			continue;
		a.line = all ? a.line : one->at.line;
		all = arena_printf(q->arena, "%s%sOSH%u %s", all ? all : "", all ? "; " : "", one->code,
				   one->text);
	}
	a.reason = all ? all : a.reason;
	return a;
}

/* What a connection was refused for, in OpenShell's words where it has some. */
static const char *say_connect(const struct question *q, const struct eval_connect *c,
			       const struct decision *d)
{
	const char *s = NULL;

	if ((d->why == OSH_WHY_DEST_UNKNOWN || d->why == OSH_WHY_PORT) && !q->policy->rules.n)
		return "network connections not allowed by policy";
	if (d->why == OSH_WHY_DEST_UNKNOWN || d->why == OSH_WHY_PORT)
		s = arena_printf(q->arena, "endpoint %s:%u is not allowed by any policy", c->host, c->port);
	else if (d->why == OSH_WHY_BINARY)
		s = arena_printf(q->arena, "binary '%s' not allowed in policy '%s'", c->binary, d->rule);
	return s ? s : reason_text(d->why);
}

static struct answer on_l4(const struct question *q, const json_t *o)
{
	struct eval_connect c;
	struct decision d;
	struct answer a;

	if (!question_connect(q->arena, o, &c))
		return failed("l4 wants host and port, and texts without NUL");
	d = eval_connect(q->policy, &c);
	a = decided(&d, "connect");
	a.reason = say_connect(q, &c, &d);
	return a;
}

static struct answer on_ssrf(const struct question *q, const json_t *o)
{
	const char *const *addrs;
	struct eval_connect c;
	struct decision d;
	struct answer a;
	uint32_t n;

	if (!question_connect(q->arena, o, &c) ||
	    !member_texts(q->arena, json_object_get(o, "resolves_to"), &addrs, &n))
		return failed("ssrf wants host, port and resolves_to");
	d = eval_connect(q->policy, &c);
	if (d.verdict != OSH_ALLOW) {
		a = decided(&d, "connect");
		a.reason = say_connect(q, &c, &d);
		return a;
	}
	d = eval_addr(q->policy, &c, addrs, n);
	return decided(&d, "address");
}

static struct answer on_dns(const struct question *q, const json_t *o)
{
	const char *host = member_text(o, "host");
	struct decision d;

	if (!host)
		return failed("dns wants host");
	d = eval_dns(q->policy, host);
	return decided(&d, "dns");
}

static const char *say_request(const struct question *q, const struct eval_request *r,
			       const struct decision *d)
{
	const char *what = d->why == OSH_WHY_REQUEST	      ? "not permitted by policy"
			   : d->why == OSH_WHY_REQUEST_DENIED ? "blocked by deny rule"
							      : NULL;
	const char *s = NULL;

	if (what && r->n_calls && r->calls->method)
		s = arena_printf(q->arena, "%s %s: %s%s%s %s", r->method, r->path, r->calls->method,
				 r->calls->tool ? " " : "", r->calls->tool ? r->calls->tool : "", what);
	else if (what)
		s = arena_printf(q->arena, "%s %s %s", r->method, r->path, what);
	return s ? s : reason_text(d->why);
}

/* %2F stays here; whether an endpoint takes it is part of the decision. */
static struct answer ask_request(const struct question *q, const json_t *o, struct eval_request *r, struct decision *d)
{
	const struct canon_options keep = { .encoded_slash = true };
	char path[CANON_MAX + 1];
	enum canon_error bad;
	struct answer a;

	*d = (struct decision){ .why = OSH_WHY_TARGET_BAD };
	if (!question_request(q->arena, o, r))
		return failed("l7 wants host, port, method, path, and members of the known shape");
	bad = *r->path ? canon_path(slice_of(r->path), &keep, path) : CANON_OK;
	if (bad != CANON_OK) {
		a = decided(d, "request");
		a.error = canon_error_name(bad);
		return a;
	}
	if (*r->path) {
		r->path = arena_text(q->arena, path, strlen(path));
		if (!r->path)
			return failed("out of memory");
	}
	*d = eval_connect(q->policy, &r->connect);
	if (d->verdict != OSH_ALLOW) {
		a = decided(d, "connect");
		a.reason = say_connect(q, &r->connect, d);
	} else {
		*d = eval_request(q->policy, r);
		a = decided(d, "request");
		a.reason = say_request(q, r, d);
	}
	a.canonical = *r->path ? r->path : NULL;
	return a;
}

static struct answer on_l7(const struct question *q, const json_t *o)
{
	struct eval_request r;
	struct decision d;

	return ask_request(q, o, &r, &d);
}

/* The lines of the limits that count it. */
static void put_limits(const struct question *q, const struct eval_routed *to, struct answer *a)
{
	uint32_t mask = eval_limits(q->policy, to), i = 0;
	uint32_t *lines = mask ? arena_zalloc(q->arena, OSH_INFERENCE_LIMITS * sizeof(*lines)) : NULL;

	if (!lines)
		return;
	a->limits = lines;
	for EACH (struct budget, l, &q->policy->inference.limits)
		if (mask >> i++ & 1)
			lines[a->n_limits++] = l->at.line;
}

/* A request whose rules allow it, and `model` of its body; `anthropic`: it has the field anthropic-version. */
static struct answer on_inference(const struct question *q, const json_t *o)
{
	struct eval_call_of_model call = { .model = member_text(o, "model"),
					   .anthropic = json_is_true(json_object_get(o, "anthropic")) };
	struct eval_routed to;
	struct eval_request r;
	struct decision d;
	struct answer a = ask_request(q, o, &r, &d);

	if (strcmp(a.decision, "allow"))
		return a;
	call.method = r.method;
	call.path = r.path;
	d.why = d.inference ? eval_inference(q->policy, &call, q->arena, &to) : OSH_WHY_NOT_INFERENCE;
	a.decision = d.why == OSH_WHY_ALLOWED ? "route" : "deny";
	a.layer = "inference";
	a.reason = reason_text(d.why);
	a.reason_id = reason_id(d.why);
	if (!d.inference)
		return a;
	a.protocol = to.shape ? eval_shape(to.shape) : NULL;
	a.route = to.route ? to.route->name : NULL;
	if (to.route)
		put_limits(q, &to, &a);
	a.model = *to.model ? arena_text(q->arena, to.model, strlen(to.model)) : NULL;
	return a;
}

/* `from`: the name of a sandbox whose route comes to `port` of this one. */
static struct answer on_serve(const struct question *q, const json_t *o)
{
	json_int_t port = json_integer_value(json_object_get(o, "port"));
	const char *from = member_text(o, "from");
	struct decision d;

	if (!from || port < 1 || port > 65535)
		return failed("serve wants port and from");
	d = eval_serves(q->policy, (uint32_t)port, from);
	return decided(&d, "serve");
}

static struct answer on_canonicalize(const struct question *q, const json_t *o)
{
	const json_t *raw = json_object_get(o, "raw_target"), *opt = json_object_get(o, "options");
	const struct canon_options options = {
		.encoded_slash = json_is_true(json_object_get(opt, "allow_encoded_slash")),
		.keep_params = json_is_false(json_object_get(opt, "strip_path_parameters")),
	};
	char path[CANON_MAX + 1];
	enum canon_error e;

	if (!json_is_string(raw))
		return failed("canonicalize wants raw_target");
	e = canon_path((struct slice){ json_string_value(raw), json_string_length(raw) }, &options, path);
	if (e != CANON_OK)
		return (struct answer){ .decision = "reject", .layer = "canonicalize",
					.reason = "request target has no canonical form",
					.reason_id = "TARGET_BAD", .error = canon_error_name(e) };
	return (struct answer){ .decision = "canonical", .layer = "canonicalize", .reason = "canonical",
				.reason_id = "ALLOWED",
				.canonical = arena_text(q->arena, path, strlen(path)) };
}

/* `access` is "read" (default) or "write"; the path has neither links nor "..". */
static struct answer on_file(const struct question *q, const json_t *o)
{
	const char *path = member_text(o, "path"), *want = member_text(o, "access");
	struct decision d;

	if (!path || *path != '/' || (want && strcmp(want, "read") && strcmp(want, "write")))
		return failed("file wants an absolute path, and access read or write");
	d = eval_file(q->policy, path, member_text(o, "workdir"), member_text(o, "binary"),
		      want && !strcmp(want, "write"));
	return decided(&d, "file");
}

static struct answer on_exec(const struct question *q, const json_t *o)
{
	const char *path = member_text(o, "path");
	struct decision d;

	if (!path || *path != '/')
		return failed("exec wants an absolute path");
	d = eval_exec(q->policy, path, member_text(o, "workdir"));
	return decided(&d, "exec");
}

static struct answer on_validate(const struct question *q, const json_t *o)
{
	(void)o;
	if (!q->valid)
		return answer_refused(q);
	return (struct answer){ .decision = "accept_policy", .layer = "policy",
				.reason = "policy is valid", .reason_id = "ALLOWED" };
}

static const struct {
	const char *name;
	struct answer (*fn)(const struct question *, const json_t *);
	bool policy;			/* asks the policy, so there must be one */
} stages[] = {
	{ "l4", on_l4, true },	 { "dns", on_dns, true },
	{ "ssrf", on_ssrf, true }, { "l7", on_l7, true },
	{ "file", on_file, true }, { "exec", on_exec, true },
	{ "inference", on_inference, true }, { "serve", on_serve, true },
	{ "canonicalize", on_canonicalize, false },
	{ "validate", on_validate, false },
};

struct answer answer_line(const struct question *q, const char *line, size_t n)
{
	json_error_t why;
	json_t *root = json_loadb(line, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
	const char *stage = member_text(root, "stage");
	struct answer a = failed(root ? "stage is none of l4, dns, ssrf, l7, file, exec, inference, canonicalize, validate" : "line is no JSON object");

	for (size_t i = 0; stage && i < ARRAY_SIZE(stages); i++) {
		if (strcmp(stage, stages[i].name))
			continue;
		a = stages[i].policy && !q->valid && !policy_complete(q->diags)
			    ? answer_refused(q)
			    : stages[i].fn(q, json_object_get(root, "request"));
	}
	json_decref(root);
	return q->arena->bad ? failed("out of memory") : a;
}
