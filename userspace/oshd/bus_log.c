/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors of users' logs, for reading. What is in them is for the caller's oshctl to parse. */
#include <stdlib.h>
#include <unistd.h>

#include "journal.h"
#include "manager.h"
#include "methods.h"
#include "own.h"

#define FDS_MAX 240			/* one message carries 253 (SCM_MAX_FD) */

struct listing {
	struct daemon *d;
	sd_bus_message *to;
	size_t n;
	struct err *e;
};

static int read_user(sd_bus_message *m, bool *ret_given, uint32_t *ret_uid, struct err *e)
{
	const char *key;
	int x = sd_bus_message_enter_container(m, 'a', "{sv}");

	*ret_given = false;
	while (x >= 0 && (x = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		if (sd_bus_message_read(m, "s", &key) < 0)
			return fail(e, EINVAL, "malformed option");
		if (strcmp(key, MANAGER_OPT_USER))
			return fail(e, EINVAL, "unknown option '%s'", key);
		if (sd_bus_message_read(m, "v", "u", ret_uid) < 0)
			return fail(e, EINVAL, "option '%s' wants a user's number", key);
		*ret_given = true;
		x = sd_bus_message_exit_container(m);
	}
	return x < 0 || sd_bus_message_exit_container(m) < 0 ? fail(e, EINVAL, "malformed options") : 0;
}

static int add_user(void *data, uid_t uid)
{
	struct journal_file files[JOURNAL_LIST];
	struct listing *l = data;
	size_t n;
	int r = journal_list(l->d, uid, files, &n, l->e);

	if (r < 0)
		return r;
	l->n += n;
	if (l->n > FDS_MAX)
		r = fail(l->e, E2BIG, "too many users have logs for one answer: name one with --user");
	for (size_t i = 0; i < n; i++) {
		if (!r && sd_bus_message_append(l->to, "(uuuh)", uid, files[i].kind, files[i].number, files[i].fd) < 0)
			r = fail(l->e, ENOMEM, "out of memory");
		own_close(&files[i].fd);	/* the message has its own */
	}
	return r;
}

int on_logs(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct listing l = { .d = who->d, .e = e };
	bool given;
	uint32_t uid;
	int r = read_user(m, &given, &uid, e);

	if (r < 0)
		return r;
	if (given && !caller_may(who, uid))
		return fail(e, EPERM, "only root and members of " CALLER_ADMINS " read another user's log");
	if (sd_bus_message_new_method_return(m, &l.to) < 0 || sd_bus_message_open_container(l.to, 'a', "(uuuh)") < 0)
		r = fail(e, ENOMEM, "out of memory");
	else if (!given && caller_is_admin(who))
		r = journal_each(who->d, add_user, &l, e);
	else
		r = add_user(&l, given ? uid : who->uid);
	if (!r && (sd_bus_message_close_container(l.to) < 0 || sd_bus_message_send(l.to) < 0))
		r = fail(e, EIO, "the caller left before it had the log");
	sd_bus_message_unref(l.to);
	return r;
}
