/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-egress: the only process through which a sandbox reaches the network; one per sandbox. Started
 * by osh-launch with descriptors 3.. as in enum osh_egress_fd. Gives up everything before it reads
 * any input. Trusts the kernel's marks and its sealed bundle; not the sandbox, not DNS, not upstream.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "confine.h"
#include "cred/cred.h"
#include "flow.h"
#include "osh/msg.h"
#include "own.h"
#include "resolv.h"
#include "rules/rules.h"

#define FD(x) (3 + OSH_EFD_##x)

static bool number(const char *s, uint32_t *ret)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	*ret = (uint32_t)v;
	return *s >= '0' && *s <= '9' && !*end && v <= UINT32_MAX;
}

/* osh-egress ID GENERATION UID GID NET6[0..3] SLOT */
static int read_args(int argc, char **argv, struct table *tb, uint32_t ids[2], uint32_t *slot, struct err *e)
{
	uint32_t *const to[] = { &tb->id, &tb->generation, &ids[0], &ids[1], &tb->net6[0],
				 &tb->net6[1], &tb->net6[2], &tb->net6[3], slot };

	if (argc != 1 + (int)ARRAY_SIZE(to))
		return fail(e, EINVAL, "started by osh-launch only");
	for (size_t i = 0; i < ARRAY_SIZE(to); i++)
		if (!number(argv[i + 1], to[i]))
			return fail(e, EINVAL, "argument %zu is not a number", i + 1);
	return 0;
}

/* All of a small file, from its start: the offset of a shared descriptor is anybody's. */
static int read_text(int fd, size_t most, struct slice *ret, struct err *e)
{
	_free_ char *p = malloc(most + 1);
	size_t n = 0;
	ssize_t r = 1;

	if (!p)
		return fail(e, ENOMEM, "out of memory");
	while (n <= most && (r = pread(fd, p + n, most + 1 - n, (off_t)n)) > 0)
		n += (size_t)r;
	if (r < 0)
		return fail(e, errno, "read descriptor %d: %s", fd, strerror(errno));
	if (n > most)
		return fail(e, E2BIG, "descriptor %d: more than %zu bytes", fd, most);
	*ret = (struct slice){ take_ptr(&p), n };
	return 0;
}

static int confine(const uint32_t ids[2], struct err *e)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), r;

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || fcntl(2, F_GETFD) < 0)
		return fail(e, errno, "/dev/null: %s", strerror(errno));
	close(null);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return fail(e, errno, "signal: %s", strerror(errno));
	if ((r = confine_root(e)) < 0 || (r = confine_limits(e)) < 0 ||
	    (r = confine_ids(ids[0], ids[1], e)) < 0 || (r = confine_files(e)) < 0)
		return r;
	return confine_calls(e);
}

/* Landlock can only be narrowed: one whose policy may change is held to its ports by its cgroup's hooks alone. */
static int follow_policy(struct flows *fs, struct err *e)
{
	int type, r;
	socklen_t n = sizeof(type);

	if (getsockopt(FD(CONTROL), SOL_SOCKET, SO_TYPE, &type, &n) < 0)
		return confine_ports(&fs->policies.now->bundle, &fs->hosts, e);
	/* Datagrams: an embedded oshd, which counts what limits are about and has no other policy ever. */
	r = type == SOCK_DGRAM ? confine_ports(&fs->policies.now->bundle, &fs->hosts, e) : 0;
	if (r < 0)
		return r;
	return reload_init(&fs->reload, fs, FD(CONTROL), e);
}

static int read_inputs(struct flows *fs, const struct table *who, struct err *e)
{
	struct ip servers[RESOLV_SERVERS];
	struct err why = { 0 };
	struct slice text;
	int r, n;

	if ((r = generation_open(&fs->policies.now, who, who->generation, FD(BUNDLE), e)) < 0 ||
	    (r = read_text(FD(HOSTS), HOSTS_BYTES, &text, e)) < 0)
		return r;
	if ((r = hosts_parse(&fs->hosts, text, &why)) < 0)
		return fail(e, why.code, "upstream hosts:%.200s", why.text);
	free((char *)text.p);
	if ((r = read_text(FD(RESOLV), RESOLV_BYTES, &text, e)) < 0)
		return r;
	n = resolv_parse(text, servers);
	free((char *)text.p);
	close(FD(BUNDLE));
	fs->reload.fs = fs;
	fs->reload.root_fd = FD(ROOT);
	fs->reload.anchors_fd = FD(ANCHORS);
	if ((r = creds_load(&fs->creds, FD(CREDS), e)) < 0 || (r = follow_policy(fs, e)) < 0 ||
	    (r = reload_tls(&fs->reload, &fs->policies.now->bundle, e)) < 0)
		return r;
	return names_init(&fs->names, fs->loop, servers, n, e);
}

/* What went wrong before the first connection is an event too. */
static void report(struct flows *fs, uint32_t id, const struct err *e)
{
	struct osh_event_named ev = { .ev = { .id = id, .kind = OSH_EV_EGRESS,
					      .verdict = OSH_DENY, .why = OSH_WHY_INTERNAL } };

	snprintf(ev.name, sizeof(ev.name), "%s", e->text);
	ev.ev.name_len = (uint32_t)strlen(ev.name);
	if (records_reserve(&fs->records))
		(void)records_put(&fs->records, &ev);
}

/* oshd has lost sight of this process, as when it died between asking for it and hearing of it: the next one knows. */
static void on_stale(struct generations *ps)
{
	struct flows *fs = container_of(ps, struct flows, policies);
	struct err e;

	fail(&e, ESTALE, "another policy is in force than this egress was given; it ends");
	report(fs, ps->now->table.id, &e);
	_exit(1);
}

static void on_sandbox_end(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	_exit(0);
}

static int before(void *arg)
{
	return flows_before(arg);
}

int main(int argc, char **argv)
{
	static struct flows fs;
	static struct table who = { .addrs_fd = FD(ADDRS), .idents_fd = FD(IDENTS) };
	static struct loop l;
	static struct watch init = { FD(PIDFD), on_sandbox_end };
	uint32_t ids[2];
	struct err e = { 0 };
	int r;

	if ((r = rules_init()) < 0)
		fail(&e, -r, "no random numbers: %s", strerror(-r));
	if (r < 0 || read_args(argc, argv, &who, ids, &fs.policies.slot, &e) < 0 || confine(ids, &e) < 0 ||
	    loop_init(&l, &e) < 0 || records_init(&fs.records, &l, FD(AUDIT), &e) < 0) {
		dprintf(2, "osh-egress: %s\n", e.text);
		return 1;
	}
	fs.loop = &l;
	fs.policies.sandboxes_fd = FD(SANDBOXES);
	fs.policies.stale = on_stale;
	l.before = before;
	l.arg = &fs;
	if (read_inputs(&fs, &who, &e) < 0 || flows_start(&fs, FD(LISTENER), &e) < 0) {
		report(&fs, who.id, &e);
		_exit(1);	/* here and below: exit handlers have no place behind the filter */
	}
	(void)dup2(0, 2);	/* nothing that is said from here on reaches a terminal */
	r = loop_watch(&l, &init, EPOLLIN);
	if (r < 0)
		fail(&e, -r, "watch the sandbox: %s", strerror(-r));
	else
		(void)loop_run(&l, &e);
	report(&fs, who.id, &e);
	_exit(1);
}
