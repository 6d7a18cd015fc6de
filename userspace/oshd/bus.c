/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers are known by the credentials that the kernel recorded at connect(); nothing in a message says
 * who sent it. A peer that lives in an osh cgroup is refused before it may say anything.
 */
#include "bus.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "kernel/cgroup.h"
#include "manager.h"
#include "own.h"
#include "reload.h"
#include "sandbox.h"

#define MAX_CONNS 256

struct conn {
	struct daemon *d;
	struct conn *next, **prev;
	sd_bus *bus;
	struct ucred cred;
	gid_t groups[OSH_GROUPS_CALLER];
	uint32_t n_groups;
};

static unsigned n_conns(const struct daemon *d, uid_t uid)
{
	unsigned n = 0;

	for (const struct conn *c = d->conns; c; c = c->next)
		n += uid == (uid_t)-1 || c->cred.uid == uid;
	return n;
}

/* Nobody but root takes what belongs to all: slots, and turns of the one that builds. */
static int fair_share(const struct daemon *d, uid_t uid, struct err *e)
{
	unsigned all = 0, starting = 0;

	for (uint32_t i = 0; uid && i < OSH_SLOTS; i++)
		if (d->slots[i] && d->slots[i]->uid == uid) {
			all++;
			starting += d->slots[i]->state <= SB_PREPARING;
		}
	if (all >= OSH_SLOTS_EACH)
		return fail(e, EAGAIN, "uid %u has %u sandboxes, no more than %d: end one first", uid, all,
			    OSH_SLOTS_EACH);
	if (starting >= OSH_STARTS_EACH)
		return fail(e, EAGAIN, "uid %u: %u sandboxes are being built already", uid, starting);
	return 0;
}

static void conn_free(struct conn *c)
{
	struct daemon *d = c->d;

	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	sd_bus_close_unref(c->bus);
	free(c);
	daemon_gone(d);			/* the one caller of an embedded daemon is its reason to be */
}

static int peer_credentials(struct conn *c, int fd, struct err *e)
{
	socklen_t n = sizeof(c->cred), len = sizeof(c->groups);
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c->cred, &n) < 0)
		return fail(e, errno, "who calls: %s", strerror(errno));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, c->groups, &len) < 0)
		return fail(e, errno, "groups of uid %u (at most %d): %s", c->cred.uid,
			    OSH_GROUPS_CALLER, strerror(errno));
	c->n_groups = len / sizeof(gid_t);
	if (c->cred.pid <= 0)
		return fail(e, EPERM, "a caller of another pid namespace is refused");
	r = cgroup_is_ours(c->cred.pid);
	if (r)
		return fail(e, EPERM, "a caller inside a sandbox is refused");
	return 0;
}

static const struct {
	const char *key;
	size_t off;
} fd_options[] = {
	{ MANAGER_OPT_LOG, offsetof(struct run_request, log_fd) },
	{ MANAGER_OPT_SUMMARY, offsetof(struct run_request, summary_fd) },
	{ MANAGER_OPT_HOSTS, offsetof(struct run_request, hosts_fd) },
	{ MANAGER_OPT_CREDS, offsetof(struct run_request, creds_fd) },
	{ MANAGER_OPT_CA, offsetof(struct run_request, ca_fd) },
};

static int read_option(sd_bus_message *m, const char *key, struct run_request *r, struct err *e)
{
	const char *text;
	int x;

	for (size_t i = 0; i < ARRAY_SIZE(fd_options); i++)
		if (!strcmp(key, fd_options[i].key)) {
			x = sd_bus_message_read(m, "v", "h", (int *)((char *)r + fd_options[i].off));
			return x < 0 ? fail(e, EINVAL, "option '%s' wants a descriptor", key) : 0;
		}
	if (strcmp(key, MANAGER_OPT_WORKDIR))
		return fail(e, EINVAL, "unknown option '%s'", key);
	x = sd_bus_message_read(m, "v", "s", &text);
	if (x < 0 || strlen(text) >= sizeof(r->workdir) || text[0] != '/')
		return fail(e, EINVAL, "option 'workdir' wants an absolute path below %zu bytes",
			    sizeof(r->workdir));
	strcpy(r->workdir, text);
	return 0;
}

static int read_options(sd_bus_message *m, struct run_request *r, struct err *e)
{
	const char *key;
	int x = sd_bus_message_enter_container(m, 'a', "{sv}");

	if (x < 0)
		return fail(e, EINVAL, "malformed call");
	while ((x = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		if (sd_bus_message_read(m, "s", &key) < 0)
			return fail(e, EINVAL, "malformed option");
		x = read_option(m, key, r, e);
		if (x < 0)
			return x;
		if (sd_bus_message_exit_container(m) < 0)
			return fail(e, EINVAL, "malformed option '%s'", key);
	}
	if (x < 0 || sd_bus_message_exit_container(m) < 0)
		return fail(e, EINVAL, "malformed options");
	return 0;
}

/* Names go into file names, host names and logs. */
static bool good_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return !s[n] && n < OSH_SANDBOX_NAME && s[0] != '-';
}

static int read_request(sd_bus_message *m, struct run_request *r, struct err *e)
{
	const char *name;

	if (sd_bus_message_read(m, "shhh", &name, &r->bundle_fd, &r->control_fd, &r->workdir_fd) < 0)
		return fail(e, EINVAL, "malformed call");
	if (!good_name(name))
		return fail(e, EINVAL, "a sandbox name is 1 to %d of a-z, 0-9 and '-'",
			    OSH_SANDBOX_NAME - 1);
	strcpy(r->name, name);
	return read_options(m, r, e);
}

static int on_run(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct conn *c = data;
	struct run_request r = { .uid = c->cred.uid, .gid = c->cred.gid, .n_groups = c->n_groups,
				 .log_fd = -1, .summary_fd = -1, .hosts_fd = -1, .creds_fd = -1,
				 .ca_fd = -1 };
	struct sandbox *s;
	struct err e = { 0 };
	int x;

	memcpy(r.groups, c->groups, sizeof(r.groups));
	x = read_request(m, &r, &e);
	if (!x && r.hosts_fd >= 0 && r.uid != 0)
		x = fail(&e, EPERM, "--upstream-hosts: only root may trust addresses on this daemon");
	if (!x && r.ca_fd >= 0 && r.uid != 0)
		x = fail(&e, EPERM, "--upstream-ca: only root may add a trust anchor on this daemon");
	if (!x)
		x = fair_share(c->d, r.uid, &e);
	for (uint32_t i = 0; !x && r.name[0] && i < OSH_SLOTS; i++)
		if (c->d->slots[i] && !strcmp(c->d->slots[i]->name, r.name))
			x = fail(&e, EEXIST, "a sandbox named '%s' is alive; choose another name", r.name);
	if (!x)
		x = sandbox_run(c->d, &r, m, &s, &e);
	if (x < 0)
		return sd_bus_error_set(error, MANAGER_ERROR "Failed", e.text);
	return 1;			/* answered when it runs */
}

/* A sandbox that the caller owns, or any for root; another's is not even said to exist. */
static struct sandbox *find_owned(const struct conn *c, const char *name)
{
	for (uint32_t i = 0; i < OSH_SLOTS; i++) {
		struct sandbox *s = c->d->slots[i];

		if (s && !strcmp(s->name, name) && s->state != SB_REPORTING && (!c->cred.uid || c->cred.uid == s->uid))
			return s;
	}
	return NULL;
}

static int on_policy_set(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct conn *c = data;
	struct sandbox *s = NULL;
	struct err e = { 0 };
	const char *name;
	int bundle, x = 0;

	if (sd_bus_message_read(m, "sha{sv}", &name, &bundle, 0) < 0)
		x = fail(&e, EINVAL, "malformed call");	/* options included: none is known */
	else if (!(s = find_owned(c, name)))
		x = fail(&e, ENOENT, "no sandbox of yours is called '%.*s'", OSH_SANDBOX_NAME, name);
	if (!x)
		x = reload_start(s, bundle, m, &e);
	if (x < 0)
		return sd_bus_error_set(error, MANAGER_ERROR "Failed", e.text);
	return 1;			/* answered when the new policy is in force */
}

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS(MANAGER_RUN,
				SD_BUS_ARGS("s", name, "h", bundle, "h", control, "h", workdir,
					    "a{sv}", options),
				SD_BUS_RESULT("s", name, "u", id), on_run,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS(MANAGER_POLICY_SET,
				SD_BUS_ARGS("s", name, "h", bundle, "a{sv}", options),
				SD_BUS_RESULT("u", generation), on_policy_set, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static int on_disconnected(sd_bus_message *m, void *data, sd_bus_error *error)
{
	(void)m;
	(void)error;
	conn_free(data);
	return 0;
}

static int conn_start(struct conn *c, int fd)
{
	sd_id128_t id;
	int r = sd_id128_randomize(&id);

	if (r >= 0)
		r = sd_bus_new(&c->bus);
	if (r >= 0)
		r = sd_bus_set_fd(c->bus, fd, fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	r = sd_bus_set_server(c->bus, 1, id);
	if (r >= 0)
		r = sd_bus_negotiate_fds(c->bus, 1);
	if (r >= 0)
		r = sd_bus_start(c->bus);
	if (r >= 0)
		r = sd_bus_add_object_vtable(c->bus, NULL, MANAGER_PATH, MANAGER_INTERFACE, vtable, c);
	if (r >= 0)
		r = sd_bus_match_signal_async(c->bus, NULL, "org.freedesktop.DBus.Local", NULL,
					      "org.freedesktop.DBus.Local", "Disconnected",
					      on_disconnected, NULL, c);
	if (r >= 0)
		r = sd_bus_attach_event(c->bus, c->d->event, SD_EVENT_PRIORITY_NORMAL);
	return r;
}

int bus_serve(struct daemon *d, int fd, struct err *e)
{
	struct conn *c = n_conns(d, (uid_t)-1) < MAX_CONNS ? calloc(1, sizeof(*c)) : NULL;
	int r;

	if (!c) {
		close(fd);
		return fail(e, EBUSY, "too many callers at once");
	}
	c->d = d;
	r = peer_credentials(c, fd, e);
	if (!r && c->cred.uid && n_conns(d, c->cred.uid) >= OSH_CALLS_EACH)
		r = fail(e, EBUSY, "uid %u calls too often at once", c->cred.uid);
	if (r < 0) {
		close(fd);
		free(c);
		return r;
	}
	c->next = d->conns;
	c->prev = &d->conns;
	if (c->next)
		c->next->prev = &c->next;
	d->conns = c;
	r = conn_start(c, fd);
	if (r < 0) {
		conn_free(c);
		return fail(e, -r, "serve a caller: %s", strerror(-r));
	}
	return 0;
}

static int on_connect(sd_event_source *s, int fd, uint32_t events, void *data)
{
	int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct err e = { 0 };

	(void)s;
	(void)events;
	if (c >= 0 && bus_serve(data, c, &e) < 0)
		fprintf(stderr, "oshd: caller refused: %s\n", e.text);
	return 0;
}

int bus_listen(struct daemon *d, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int r;

	if (strlen(d->bus_path) >= sizeof(a.sun_path))
		return fail(e, ENAMETOOLONG, "socket path '%s' is too long", d->bus_path);
	strcpy(a.sun_path, d->bus_path);
	unlink(d->bus_path);		/* ours: the lock on the run directory is held */
	d->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->listen_fd < 0 || bind(d->listen_fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    chmod(d->bus_path, 0666) < 0 || listen(d->listen_fd, 128) < 0)
		return fail(e, errno, "listen on '%s': %s", d->bus_path, strerror(errno));
	r = sd_event_add_io(d->event, &d->listen_source, d->listen_fd, EPOLLIN, on_connect, d);
	return r < 0 ? fail(e, -r, "watch '%s': %s", d->bus_path, strerror(-r)) : 0;
}

void bus_close(struct daemon *d)
{
	d->listen_source = sd_event_source_disable_unref(d->listen_source);
	if (d->listen_fd >= 0)
		unlink(d->bus_path);
	own_close(&d->listen_fd);
	while (d->conns)
		conn_free(d->conns);
}

void bus_answer_run(sd_bus_message *call, const char *name, uint32_t id)
{
	if (sd_bus_reply_method_return(call, "su", name, id) < 0)
		fprintf(stderr, "oshd: the caller of '%s' left before the answer\n", name);
}

void bus_answer_policy(sd_bus_message *call, uint32_t generation)
{
	if (sd_bus_reply_method_return(call, "u", generation) < 0)
		fprintf(stderr, "oshd: a caller left before it heard of generation %u\n", generation);
}

void bus_answer_error(sd_bus_message *call, const char *text)
{
	if (sd_bus_reply_method_errorf(call, MANAGER_ERROR "Failed", "%s", text) < 0)
		fprintf(stderr, "oshd: a caller left before it heard: %s\n", text);
}
