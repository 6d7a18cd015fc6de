/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdio.h>

#include "osh/abi.h"
#include "own.h"

static const struct {
	const char *id, *text;
} reasons[] = {
#define REASON(id, text) { #id, text },
#include "osh/reasons.def"
#undef REASON
};

static const struct {
	const char *text;
	unsigned class_uid;
} events[] = {
#define EVENT(id, text, class_uid, has_name) { text, class_uid },
#include "osh/events.def"
#undef EVENT
};

static const char *const ops[] = {
#define OP(id, text) text,
#include "osh/ops.def"
#undef OP
};

/* Rights on files, by their bit (osh/landlock.h). */
static const char *const rights[] = {
	"execute", "write file", "read file", "read directory", "remove directory", "remove file", "make character device",
	"make directory", "make file", "make socket", "make pipe", "make block device", "make symbolic link", "refer", "truncate",
	"ioctl on device", "connect to socket",
};

static const char *const taints[] = {
#define TAINT(name) name,
#include "osh/taint.def"
#undef TAINT
};

const char *reason_text(unsigned why)
{
	return why < ARRAY_SIZE(reasons) ? reasons[why].text : "?";
}

const char *reason_id(unsigned why)
{
	return why < ARRAY_SIZE(reasons) ? reasons[why].id : "?";
}

const char *event_text(unsigned kind)
{
	return kind < ARRAY_SIZE(events) ? events[kind].text : "?";
}

unsigned event_class(unsigned kind)
{
	return kind < ARRAY_SIZE(events) ? events[kind].class_uid : 0;
}

const char *op_text(unsigned op)
{
	return op < ARRAY_SIZE(ops) ? ops[op] : "?";
}

void device_text(unsigned aux, char ret[DEVICE_TEXT])
{
	snprintf(ret, DEVICE_TEXT, "%c %u:%u", aux >> 31 ? 'c' : 'b', aux >> 20 & 0x7ff, aux & 0xfffff);
}

void rights_text(unsigned aux, char ret[RIGHTS_TEXT])
{
	size_t n = 0;

	*ret = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(rights); i++)
		if (aux >> i & 1 && n < RIGHTS_TEXT)
			n += (size_t)snprintf(ret + n, RIGHTS_TEXT - n, "%s%s", n ? ", " : "", rights[i]);
}

const char *taint_name(unsigned tainted)
{
	if (!tainted)
		return "";
	if (tainted == OSH_TAINT_UNREAD)
		return "(environment unread)";
	return tainted <= ARRAY_SIZE(taints) ? taints[tainted - 1] : "?";
}
