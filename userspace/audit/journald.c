/* SPDX-License-Identifier: Apache-2.0 */
#include "journald.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "note.h"
#include "own.h"
#include "text.h"

#define MESSAGE 512

/* journalctl shows a message with other bytes as a blob. Fields have them as they are. */
static void begin(enum note_priority priority, char text[MESSAGE], int n)
{
	size_t len = n < 0 ? 0 : n < MESSAGE ? (size_t)n : MESSAGE - 1;

	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	note_begin(priority, text, len);
}

static void put_address(const struct osh_event *e)
{
	char text[INET6_ADDRSTRLEN];
	bool v4 = !e->addr_be[0] && !e->addr_be[1] && e->addr_be[2] == htonl(0xffff);

	if (e->family && inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? &e->addr_be[3] : e->addr_be, text, sizeof(text)))
		note_text("OSH_ADDRESS", text);
	if (e->port)
		note_number("OSH_PORT", e->port);
}

/* What a number of the kernel's stands for, where the event is about one. */
static const char *object(const struct osh_event *e, char ret[CALLS_NAME > DEVICE_TEXT ? CALLS_NAME : DEVICE_TEXT])
{
	*ret = 0;
	if (e->kind == OSH_EV_SYSCALL)
		calls_name(e->aux, ret);
	else if (e->kind == OSH_EV_DEVICE)
		device_text(e->aux, ret);
	else if (e->kind == OSH_EV_TASK)
		return op_text(e->aux);
	return ret;
}

static void put_sandbox(const char *name, uint32_t id, uint32_t uid)
{
	note_text("OSH_SANDBOX", name);
	note_number("OSH_SANDBOX_ID", id);
	note_number("OSH_USER", uid);
}

void journald_line(const struct asandbox *s, const struct osh_event_named *e, const struct ocsf_context *c)
{
	char text[MESSAGE], number[CALLS_NAME > DEVICE_TEXT ? CALLS_NAME : DEVICE_TEXT];
	const char *verdict = ocsf_verdict(e->ev.verdict), *about = c->host[0] ? c->host : object(&e->ev, number);
	const char *more = *about || !c->detail ? about : c->detail;
	bool life = e->ev.kind == OSH_EV_LIFE && e->ev.verdict == OSH_ALLOW;
	int n;

	if (life)
		n = snprintf(text, sizeof(text), "sandbox %s: %s", s->name, reason_text(e->ev.why));
	else
		n = snprintf(text, sizeof(text), "sandbox %s: %s %s: %s%s%.200s%s%.150s", s->name, event_text(e->ev.kind), verdict,
			     reason_text(e->ev.why), *more ? ": " : "", more, c->program[0] ? ", by " : "", c->program);
	begin(life ? NOTE_INFO : NOTE_NOTICE, text, n);
	put_sandbox(s->name, s->id, s->uid);
	note_text("OSH_EVENT", event_text(e->ev.kind));
	note_text("OSH_VERDICT", verdict);
	note_text("OSH_REASON", reason_id(e->ev.why));
	note_text("OSH_NAME", about);
	put_address(&e->ev);
	note_text("OSH_PROGRAM", c->program);
	if (e->ev.pid)
		note_number("OSH_PID", e->ev.pid);
	note_text("OSH_RULE", c->rule);
	note_text("OSH_METHOD", c->http ? c->http->method : NULL);
	note_text("OSH_DETAIL", c->detail ? c->detail : c->http ? c->http->detail : NULL);
	note_number("OSH_GENERATION", e->ev.generation);
	note_number("OSH_COUNT", c->count);
	note_number("OSH_SEQUENCE", c->seq);
	note_end();
}

void journald_finding(const char *sandbox, uint32_t id, uint32_t uid, const char *title, uint64_t count, uint64_t seq)
{
	char text[MESSAGE];

	if (!note_is_open())
		return;
	begin(NOTE_WARNING, text, snprintf(text, sizeof(text), "sandbox %s: %s (%llu)", sandbox, title, (unsigned long long)count));
	put_sandbox(sandbox, id, uid);
	note_text("OSH_EVENT", "finding");
	note_text("OSH_DETAIL", title);
	note_number("OSH_COUNT", count);
	note_number("OSH_SEQUENCE", seq);
	note_end();
}

void journald_provider(const struct osh_msg_audit_provider *m)
{
	const char *deed = ocsf_deed(m->deed);
	char text[MESSAGE];

	if (!note_is_open())
		return;
	begin(NOTE_INFO, text, snprintf(text, sizeof(text), "provider %s of uid %u: %s%s%s", m->name, m->uid, deed,
					m->sandbox[0] ? ", sandbox " : "", m->sandbox));
	note_text("OSH_EVENT", "provider");
	note_text("OSH_REASON", deed);
	note_text("OSH_PROVIDER", m->name);
	note_text("OSH_SANDBOX", m->sandbox);
	note_number("OSH_USER", m->uid);
	note_number("OSH_BY", m->by);
	note_end();
}
