/* SPDX-License-Identifier: Apache-2.0 */
/* Names from outside (questions, paths, comm) go through the JSON writer's escapes only. */
#include "ocsf.h"

#include <arpa/inet.h>

#include "hash.h"
#include "json.h"
#include "own.h"
#include "text.h"

/* activity_id by class, and what disposition a verdict is (OCSF 1.8, security_control profile). */
static const struct {
	unsigned class_uid, category, allowed, denied;
} classes[] = {
	{ 4001, 4, 1 /* Open */, 5 /* Refuse */ },
	{ 4002, 4, 99, 99 },		/* by method */
	{ 4003, 4, 1 /* Query */, 1 },
	{ 1007, 1, 1 /* Launch */, 1 },
	{ 1001, 1, 14 /* Open */, 14 },
	{ 2004, 2, 1 /* Create */, 1 },
	{ 6002, 6, 3 /* Start */, 3 },
	{ 6003, 6, 1 /* Create */, 1 },
};

static const struct {
	const char *name;
	unsigned action, disposition, severity;
} verdicts[] = {
	[OSH_DENY] = { "denied", 2, 2 /* Blocked */, 3 },
	[OSH_ALLOW] = { "allowed", 1, 1 /* Allowed */, 1 },
	[OSH_AUDIT] = { "observed", 3, 17 /* Logged */, 3 },
};

const char *ocsf_verdict(unsigned verdict)
{
	return verdict < ARRAY_SIZE(verdicts) ? verdicts[verdict].name : "?";
}

static void strings(struct json *j, const char *key, const char *const *list, size_t n)
{
	json_key(j, key);
	json_arr(j);
	for (size_t i = 0; i < n; i++)
		json_text(j, list[i]);
	json_end(j);
}

static void base(struct json *j, unsigned class_uid, unsigned activity, unsigned severity,
		 uint64_t time_ns, const struct ocsf_context *c)
{
	static const char *const profiles[] = { "host", "security_control", "container" };
	unsigned category = class_uid / 1000;

	json_kv_u64(j, "class_uid", class_uid);
	json_kv_u64(j, "category_uid", category);
	json_kv_u64(j, "activity_id", activity);
	json_kv_u64(j, "type_uid", (uint64_t)class_uid * 100 + activity);
	json_kv_i64(j, "time", ((int64_t)time_ns + c->epoch_ns) / 1000000);
	json_kv_u64(j, "severity_id", severity);
	json_key(j, "metadata");
	json_obj(j);
	json_kv_str(j, "version", OCSF_VERSION);
	json_key(j, "product");
	json_obj(j);
	json_kv_str(j, "name", "osh");
	json_kv_str(j, "vendor_name", "osh");
	json_kv_str(j, "version", OSH_VERSION);
	json_end(j);
	strings(j, "profiles", profiles, ARRAY_SIZE(profiles));
	json_kv_u64(j, "sequence", c->seq);
	json_end(j);
}

static void policy(struct json *j, const struct ocsf_context *c)
{
	char uid[2 * HASH_LEN + 1] = "";

	if (c->policy_hash)
		hash_hex(c->policy_hash, uid);
	json_key(j, "policy");
	json_obj(j);
	json_kv_str(j, "name", "policy");
	json_kv_str(j, "uid", uid);
	json_end(j);
	if (!c->rule[0])
		return;
	json_key(j, "firewall_rule");
	json_obj(j);
	json_kv_str(j, "name", c->rule);
	if (c->rule_line) {
		char line[16];

		snprintf(line, sizeof(line), "%u", c->rule_line);
		json_kv_str(j, "uid", line);
	}
	json_end(j);
}

static void sandbox(struct json *j, uint32_t id, const struct ocsf_context *c)
{
	char uid[16];

	snprintf(uid, sizeof(uid), "%u", id);
	json_key(j, "container");
	json_obj(j);
	json_kv_str(j, "name", c->sandbox);
	json_kv_str(j, "uid", uid);
	json_end(j);
}

static void actor(struct json *j, const struct osh_event *e, const struct ocsf_context *c)
{
	const char *slash = strrchr(c->program, '/');
	char uid[16];

	if (!e->pid && !c->program[0])
		return;
	json_key(j, "actor");
	json_obj(j);
	json_key(j, "process");
	json_obj(j);
	if (e->pid) {			/* an egress knows the program, not the process */
		json_kv_u64(j, "pid", e->pid);
		json_kv_u64(j, "tid", e->tid);
		json_key(j, "name");
		if (e->comm[0] || !slash)
			json_str(j, e->comm, strnlen(e->comm, sizeof(e->comm)));
		else
			json_text(j, slash + 1);
	}
	if (c->program[0]) {
		json_key(j, "file");
		json_obj(j);
		json_kv_str(j, "path", c->program);
		json_kv_str(j, "name", slash ? slash + 1 : c->program);
		json_kv_u64(j, "type_id", 1);
		json_end(j);
	}
	json_end(j);
	if (e->pid) {
		snprintf(uid, sizeof(uid), "%u", e->uid);
		json_key(j, "user");
		json_obj(j);
		json_kv_str(j, "uid", uid);
		json_end(j);
	}
	json_end(j);
}

static void address(struct json *j, const struct osh_event *e)
{
	char text[INET6_ADDRSTRLEN];
	bool v4 = !e->addr_be[0] && !e->addr_be[1] && e->addr_be[2] == htonl(0xffff);

	if (!e->family)
		return;
	if (inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? &e->addr_be[3] : e->addr_be, text, sizeof(text)))
		json_kv_str(j, "ip", text);
}

static void network(struct json *j, const struct osh_event_named *e, const struct ocsf_context *c)
{
	json_key(j, "dst_endpoint");
	json_obj(j);
	if (e->ev.kind == OSH_EV_UNIX)
		json_kv_str(j, "name", c->host);
	else if (c->host[0])
		json_kv_str(j, "hostname", c->host);
	address(j, &e->ev);
	if (e->ev.port)
		json_kv_u64(j, "port", e->ev.port);
	if (!c->host[0] && !e->ev.family)
		json_kv_str(j, "name", "none");
	json_end(j);
	json_key(j, "connection_info");
	json_obj(j);
	json_kv_u64(j, "direction_id", 2);	/* outbound */
	json_end(j);
	if (e->ev.kind == OSH_EV_SOCKET) {
		json_key(j, "unmapped");
		json_obj(j);
		json_kv_u64(j, "family", e->ev.aux >> 16);
		json_kv_u64(j, "socket_type", e->ev.aux >> 8 & 0xff);
		json_kv_u64(j, "protocol", e->ev.aux & 0xff);
		json_end(j);
	}
}

/* The route of another sandbox, which comes in here. */
static void served(struct json *j, const struct osh_event_named *e, const struct ocsf_context *c)
{
	json_key(j, "src_endpoint");
	json_obj(j);
	json_kv_str(j, "name", c->host);
	json_end(j);
	json_key(j, "dst_endpoint");
	json_obj(j);
	json_kv_str(j, "name", c->sandbox);
	json_kv_u64(j, "port", e->ev.port);
	json_end(j);
	json_key(j, "connection_info");
	json_obj(j);
	json_kv_u64(j, "direction_id", 1);	/* inbound */
	json_end(j);
}

/* A call of a model: never a word of what was asked or answered. */
static void call(struct json *j, const struct ocsf_context *c)
{
	const struct osh_inference *k = c->call;

	json_key(j, "api");
	json_obj(j);
	json_kv_str(j, "operation", k->operation);
	json_key(j, "service");
	json_obj(j);
	json_kv_str(j, "name", k->route);
	json_end(j);
	if (k->status) {
		json_key(j, "response");
		json_obj(j);
		json_kv_u64(j, "code", k->status);
		json_end(j);
	}
	json_end(j);
	json_key(j, "src_endpoint");
	json_obj(j);
	json_kv_str(j, "name", c->sandbox);
	json_end(j);
	json_key(j, "dst_endpoint");
	json_obj(j);
	json_kv_str(j, "hostname", k->backend);
	json_end(j);
	json_key(j, "unmapped");
	json_obj(j);
	json_kv_str(j, "host", c->host);
	json_kv_str(j, "route", k->route);
	if (k->asked[0])
		json_kv_str(j, "model_asked", k->asked);
	if (k->model[0])
		json_kv_str(j, "model", k->model);
	json_kv_u64(j, "tokens_in", k->tokens_in);
	json_kv_u64(j, "tokens_out", k->tokens_out);
	json_kv_bool(j, "tokens_counted", k->flags & OSH_INFERENCE_COUNTED);
	json_kv_u64(j, "first_byte_ms", k->first_ms);
	json_kv_u64(j, "duration_ms", k->ms);
	json_end(j);
}

static unsigned http_activity(const struct osh_http *http)
{
	static const char *const methods[] = { "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST",
					       "PUT", "TRACE", "PATCH" };

	for (unsigned i = 0; http && i < ARRAY_SIZE(methods); i++)
		if (!strcmp(http->method, methods[i]))
			return i + 1;
	return 99;
}

/* A request that could not be read has neither method nor path. */
static void request(struct json *j, const struct osh_event_named *e, const struct ocsf_context *c)
{
	const struct osh_http *h = c->http;
	bool tls = h->flags & OSH_HTTP_TLS;

	json_key(j, "http_request");
	json_obj(j);
	if (h->method[0])
		json_kv_str(j, "http_method", h->method);
	json_key(j, "url");
	json_obj(j);
	json_kv_str(j, "scheme", tls ? "https" : "http");
	json_kv_str(j, "hostname", c->host);
	if (h->path[0])
		json_kv_str(j, "path", h->path);
	json_kv_u64(j, "port", e->ev.port);
	json_end(j);
	json_end(j);
	if (!h->status)
		return;
	json_key(j, "http_response");
	json_obj(j);
	json_kv_u64(j, "code", h->status);
	json_end(j);
}

static void dns(struct json *j, const struct osh_event_named *e, const struct ocsf_context *c)
{
	static const struct {
		unsigned type;
		const char *name;
	} types[] = { { 1, "A" }, { 28, "AAAA" }, { 5, "CNAME" }, { 15, "MX" }, { 16, "TXT" },
		      { 33, "SRV" }, { 65, "HTTPS" }, { 12, "PTR" }, { 255, "ANY" } };
	char number[16];
	const char *type = number;

	snprintf(number, sizeof(number), "TYPE%u", e->ev.aux);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].type == e->ev.aux)
			type = types[i].name;
	json_key(j, "query");
	json_obj(j);
	json_kv_str(j, "hostname", c->host);
	json_kv_str(j, "type", type);
	json_end(j);
	json_key(j, "dst_endpoint");	/* the sandbox's own lo: no question leaves it */
	json_obj(j);
	json_kv_str(j, "name", "osh");
	json_kv_u64(j, "port", 53);
	json_end(j);
}

static void subject(struct json *j, const struct osh_event_named *e, const struct ocsf_context *c,
		    unsigned class_uid)
{
	char node[DEVICE_TEXT] = "";

	json_key(j, class_uid == 1001 ? "file" : class_uid == 6002 ? "app" : "process");
	json_obj(j);
	if (class_uid == 1007)
		json_kv_u64(j, "pid", e->ev.pid);
	if (e->ev.kind == OSH_EV_DEVICE)
		device_text(e->ev.aux, node);
	json_kv_str(j, class_uid == 1007 ? "path" : "name",
		    c->host[0] ? c->host : node[0] ? node
		    : class_uid == 1007 && c->program[0] ? c->program : c->sandbox);
	if (class_uid == 1001)
		json_kv_u64(j, "type_id", !node[0] ? 1 : node[0] == 'c' ? 3 /* Character Device */ : 4);
	json_end(j);
	if (e->ev.kind == OSH_EV_SYSCALL) {
		char name[CALLS_NAME];

		calls_name(e->ev.aux, name);
		json_key(j, "unmapped");
		json_obj(j);
		json_kv_str(j, "syscall", name);
		json_end(j);
	} else if (e->ev.kind == OSH_EV_TASK) {
		json_key(j, "unmapped");
		json_obj(j);
		json_kv_str(j, "operation", op_text(e->ev.aux));
		json_end(j);
	} else if (e->ev.kind == OSH_EV_LANDLOCK) {
		char rights[RIGHTS_TEXT];

		rights_text(e->ev.aux, rights);
		json_key(j, "unmapped");
		json_obj(j);
		json_kv_str(j, "rights", rights);
		json_end(j);
	}
}

static void device(struct json *j)
{
	json_key(j, "device");
	json_obj(j);
	json_kv_u64(j, "type_id", 0);
	json_kv_str(j, "hostname", "localhost");
	json_end(j);
}

static void details(struct json *j, const struct osh_event *e, const struct ocsf_context *c)
{
	json_kv_str(j, "status_detail", reason_text(e->why));
	json_kv_u64(j, "count", c->count);
	json_key(j, "osh");
	json_obj(j);
	json_kv_str(j, "event", event_text(e->kind));
	json_kv_str(j, "verdict", ocsf_verdict(e->verdict));
	json_kv_str(j, "reason", reason_id(e->why));
	json_kv_u64(j, "generation", e->generation);
	json_kv_u64(j, "aux", e->aux);
	if (c->detail)
		json_kv_str(j, "detail", c->detail);
	else if (c->http && c->http->detail[0])
		json_kv_str(j, "detail", c->http->detail);
	if (c->http && (c->http->flags & OSH_HTTP_CUT))
		json_kv_bool(j, "cut", true);
	json_kv_bool(j, "repeats", c->closing);
	json_end(j);
}

void ocsf_line(struct buf *out, const struct osh_event_named *e, const struct ocsf_context *c)
{
	struct json j = json_to_buf(out);
	unsigned v = e->ev.verdict < ARRAY_SIZE(verdicts) ? e->ev.verdict : OSH_DENY;
	unsigned class_uid = event_class(e->ev.kind), activity = 99;

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (classes[i].class_uid == class_uid)
			activity = v == OSH_ALLOW ? classes[i].allowed : classes[i].denied;
	if (e->ev.kind == OSH_EV_BIND && v == OSH_ALLOW)
		activity = 7;		/* Listen */
	if (class_uid == 4002)
		activity = http_activity(c->http);
	json_obj(&j);
	base(&j, class_uid, activity, verdicts[v].severity, e->ev.time_ns, c);
	json_kv_u64(&j, "action_id", verdicts[v].action);
	json_kv_u64(&j, "disposition_id", verdicts[v].disposition);
	sandbox(&j, e->ev.id, c);
	policy(&j, c);
	actor(&j, &e->ev, c);
	device(&j);
	if (class_uid == 4002 && c->http)
		request(&j, e, c);
	if (class_uid == 4003)
		dns(&j, e, c);
	else if (e->ev.kind == OSH_EV_SERVE)
		served(&j, e, c);
	else if (class_uid / 1000 == 4)
		network(&j, e, c);
	else if (class_uid == 6003 && c->call)
		call(&j, c);
	else
		subject(&j, e, c, class_uid);
	details(&j, &e->ev, c);
	json_end(&j);
	(void)json_line(&j);
}

void ocsf_finding(struct buf *out, const char *title, uint64_t count, uint64_t time_ns, uint32_t id,
		  const struct ocsf_context *c)
{
	struct json j = json_to_buf(out);
	char uid[64];

	snprintf(uid, sizeof(uid), "%s-%llu", c->sandbox, (unsigned long long)c->seq);
	json_obj(&j);
	base(&j, 2004, 1, 4, time_ns, c);
	json_key(&j, "finding_info");
	json_obj(&j);
	json_kv_str(&j, "uid", uid);
	json_kv_str(&j, "title", title);
	json_end(&j);
	json_kv_u64(&j, "count", count);
	if (id)
		sandbox(&j, id, c);
	policy(&j, c);
	json_end(&j);
	(void)json_line(&j);
}

void ocsf_log(struct buf *out, uint32_t uid, uint32_t kind, uint32_t file, const uint8_t previous[32], uint64_t time_ns,
	      const struct ocsf_context *c)
{
	struct json j = json_to_buf(out);
	char hex[2 * HASH_LEN + 1];

	hash_hex(previous, hex);
	json_obj(&j);
	base(&j, 6002, 3, 1, time_ns, c);
	json_key(&j, "app");
	json_obj(&j);
	json_kv_str(&j, "name", "osh-audit");
	json_end(&j);
	json_key(&j, "osh");
	json_obj(&j);
	json_kv_str(&j, "event", "log");
	json_kv_u64(&j, "owner", uid);
	json_kv_str(&j, "kind", journal_kind(kind));
	json_kv_u64(&j, "file", file);
	json_kv_str(&j, "previous", hex);
	json_end(&j);
	json_end(&j);
	(void)json_line(&j);
}

static const struct {
	const char *word;
	unsigned activity;
} deeds[OSH_PROVIDER_DEEDS] = {
	[OSH_PROVIDER_CREATED] = { "create", 1 },	[OSH_PROVIDER_ROTATED] = { "rotate", 3 /* Update */ },
	[OSH_PROVIDER_DELETED] = { "delete", 4 },	[OSH_PROVIDER_ATTACHED] = { "attach", 8 /* Enable */ },
	[OSH_PROVIDER_DETACHED] = { "detach", 9 /* Disable */ },
};

const char *ocsf_deed(unsigned deed)
{
	return deed < ARRAY_SIZE(deeds) ? deeds[deed].word : "?";
}

void ocsf_provider(struct buf *out, const struct osh_msg_audit_provider *m, uint64_t time_ns, const struct ocsf_context *c)
{
	struct json j = json_to_buf(out);
	char by[16];

	snprintf(by, sizeof(by), "%u", m->by);
	json_obj(&j);
	base(&j, 3004, deeds[m->deed].activity, 1, time_ns, c);
	json_key(&j, "actor");
	json_obj(&j);
	json_key(&j, "user");
	json_obj(&j);
	json_kv_str(&j, "uid", by);
	json_end(&j);
	json_end(&j);
	json_key(&j, "entity");
	json_obj(&j);
	json_kv_str(&j, "name", m->name);
	json_kv_str(&j, "type", "provider");
	json_end(&j);
	if (m->sandbox[0]) {
		json_key(&j, "container");
		json_obj(&j);
		json_kv_str(&j, "name", m->sandbox);
		json_end(&j);
	}
	json_key(&j, "osh");
	json_obj(&j);
	json_kv_str(&j, "event", "provider");
	json_kv_str(&j, "deed", deeds[m->deed].word);
	json_kv_u64(&j, "owner", m->uid);
	json_end(&j);
	json_end(&j);
	(void)json_line(&j);
}
