/* SPDX-License-Identifier: Apache-2.0 */
/* Create and Start: what a caller asks for, into a row and what nobody writes down. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "bus_life.h"
#include "bus_request.h"
#include "life.h"
#include "manager.h"
#include "methods.h"
#include "own.h"
#include "share.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)
#define TRIES 16 /* to find a name that is free */

/* Shown to people in tables, also to those of others: nothing that steers a terminal. */
static bool good_label(const char *s, size_t max)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~' || s[i] == ',')
			return false;
	return n < max;
}

int bus_label_check(const char *key, const char *value, struct err *e)
{
	if (!*key || !good_label(key, OSH_LABEL_KEY) || strchr(key, '=') ||
	    !good_label(value, OSH_LABEL_VALUE))
		return fail(
		    e, EINVAL,
		    "label '%.64s': key and value are below %d and %d bytes of visible ASCII "
		    "without ','",
		    key, OSH_LABEL_KEY, OSH_LABEL_VALUE);
	return 0;
}

int bus_read_labels(sd_bus_message *m, struct state_label **ret, size_t *ret_n, struct err *e)
{
	struct state_label *l = calloc(OSH_LABELS, sizeof(*l));
	const char *key, *value;
	size_t n = 0;
	int r = 0;

	*ret = l;
	*ret_n = 0;
	if (!l)
		return fail(e, ENOMEM, "out of memory");
	if (sd_bus_message_enter_container(m, 'a', "{ss}") < 0)
		return fail(e, EINVAL, "malformed labels");
	while (!r && sd_bus_message_read(m, "{ss}", &key, &value) > 0) {
		if (n == OSH_LABELS)
			return fail(e, E2BIG, "more than %d labels", OSH_LABELS);
		r = bus_label_check(key, value, e);
		l[n].key = strdup(key);
		l[n].value = strdup(value);
		*ret_n = ++n;
		if (!r && (!l[n - 1].key || !l[n - 1].value))
			r = fail(e, ENOMEM, "out of memory");
	}
	if (!r && sd_bus_message_exit_container(m) < 0)
		r = fail(e, EINVAL, "malformed labels");
	return r;
}

void bus_labels_free(struct state_label *l, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(l[i].key);
		free(l[i].value);
	}
	free(l);
}

/* NAME:/PATH or NAME:/PATH:ro. What may be covered is osh-launch's to say. */
static int read_volume(const char *text, struct state_volume_use *v, struct err *e)
{
	const char *colon = strchr(text, ':'), *end = text + strlen(text);
	size_t name = colon ? (size_t)(colon - text) : 0;

	if (end - text > 3 && !strcmp(end - 3, ":ro") && colon && end - 3 > colon) {
		v->read_only = true;
		end -= 3;
	}
	if (!colon || !name || name >= sizeof(v->name) || colon[1] != '/' ||
	    (size_t)(end - colon) > sizeof(v->path))
		return fail(e, EINVAL, "volume '%.100s': want NAME:/PATH or NAME:/PATH:ro", text);
	memcpy(v->name, text, name);
	memcpy(v->path, colon + 1, (size_t)(end - colon - 1));
	return request_name(v->name, e);
}

static int leave(sd_bus_message *m, int depth)
{
	int r = 0;

	while (r >= 0 && depth--)
		r = sd_bus_message_exit_container(m);
	return r;
}

static int read_volumes(sd_bus_message *m, struct state_sandbox *row, struct err *e)
{
	const char *text;
	int r = 0;

	if (sd_bus_message_enter_container(m, 'v', "as") < 0 ||
	    sd_bus_message_enter_container(m, 'a', "s") < 0)
		return fail(e, EINVAL, "option 'volumes' wants a list of NAME:/PATH");
	while (!r && sd_bus_message_read(m, "s", &text) > 0)
		r = row->n_volumes == ARRAY_SIZE(row->volumes)
			? fail(e, E2BIG, "more than %zu volumes", ARRAY_SIZE(row->volumes))
			: read_volume(text, &row->volumes[row->n_volumes++], e);
	for (size_t i = 0; !r && i < row->n_volumes; i++)
		for (size_t j = 0; !r && j < i; j++)
			if (!strcmp(row->volumes[i].path, row->volumes[j].path))
				r = fail(e, EINVAL, "two volumes at '%.100s'",
					 row->volumes[i].path);
	if (!r && leave(m, 2) < 0)
		r = fail(e, EINVAL, "malformed volumes");
	return r;
}

static int read_spec(int fd, struct state_sandbox *row, struct err *e)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0 || st.st_size <= 0 ||
	    st.st_size > (off_t)OSH_SPEC_BYTES || st.st_size != (off_t)row->spec_head.bytes)
		return fail(e, EINVAL, "option 'command': not a sealed memfd of %u bytes",
			    row->spec_head.bytes);
	row->spec_len = (size_t)st.st_size;
	row->spec = malloc(row->spec_len);
	if (!row->spec)
		return fail(e, ENOMEM, "out of memory");
	if (pread(fd, row->spec, row->spec_len, 0) != (ssize_t)row->spec_len)
		return fail(e, EIO, "option 'command': %s", strerror(errno));
	return 0;
}

/* What the strings are is for osh-init to read; here it is a block of bytes that is kept. */
static int read_command(sd_bus_message *m, struct state_sandbox *row, struct err *e)
{
	const void *head;
	size_t n;
	int fd, r;

	if (sd_bus_message_enter_container(m, 'v', "(hay)") < 0 ||
	    sd_bus_message_enter_container(m, 'r', "hay") < 0 ||
	    sd_bus_message_read(m, "h", &fd) < 0 ||
	    sd_bus_message_read_array(m, 'y', &head, &n) < 0)
		return fail(e, EINVAL, "option 'command' wants a memfd and its head");
	if (n != sizeof(row->spec_head) || row->spec)
		return fail(e, EINVAL, "option 'command': a head of %zu bytes, expected %zu", n,
			    sizeof(row->spec_head));
	memcpy(&row->spec_head, head, n);
	if (row->spec_head.flags != OSH_SPEC_BASE &&
	    ((row->spec_head.flags & ~(OSH_SPEC_TTY | OSH_SPEC_MODES)) ||
	     !(row->spec_head.flags & OSH_SPEC_TTY)))
		return fail(
		    e, EINVAL,
		    "option 'command': a command that stays has a terminal, and nobody's stdio");
	r = read_spec(fd, row, e);
	if (!r && leave(m, 2) < 0)
		r = fail(e, EINVAL, "malformed command");
	return r;
}

static int read_source(sd_bus_message *m, int *ret_fd, struct err *e)
{
	struct stat st;
	int seals;

	if (sd_bus_message_read(m, "v", "h", ret_fd) < 0)
		return fail(e, EINVAL, "option 'source' wants a descriptor");
	seals = fcntl(*ret_fd, F_GET_SEALS);
	if (seals < 0 || (seals & SEALS) != SEALS || fstat(*ret_fd, &st) < 0 ||
	    st.st_size > (off_t)OSH_POLICY_BYTES)
		return fail(e, EINVAL, "option 'source': not a sealed memfd of at most %u bytes",
			    OSH_POLICY_BYTES);
	return 0;
}

static int read_option(sd_bus_message *m, const char *key, void *data, struct err *e)
{
	struct create_request *c = data;
	int r;

	if (!strcmp(key, MANAGER_OPT_VOLUMES))
		return read_volumes(m, &c->row, e);
	if (!strcmp(key, MANAGER_OPT_COMMAND))
		return read_command(m, &c->row, e);
	if (!strcmp(key, MANAGER_OPT_RESOURCES))
		return request_amounts(m, c->row.amount, e);
	if (!strcmp(key, MANAGER_OPT_SOURCE))
		return read_source(m, &c->source_fd, e);
	if (strcmp(key, MANAGER_OPT_LABELS))
		return fail(e, EINVAL, "unknown option '%s'", key);
	if (c->row.labels || sd_bus_message_enter_container(m, 'v', "a{ss}") < 0)
		return fail(e, EINVAL, "option 'labels' wants names and values, once");
	r = bus_read_labels(m, &c->row.labels, &c->row.n_labels, e);
	return r || sd_bus_message_exit_container(m) >= 0 ? r : fail(e, EINVAL, "malformed labels");
}

/* "box-" and six letters; the two alphabets of a name's characters without what looks alike. */
static int choose_name(const struct daemon *d, char name[OSH_SANDBOX_NAME], struct err *e)
{
	static const char letters[32] = "abcdefghijkmnpqrstuvwxyz23456789";
	uint8_t bytes[6];

	for (int i = 0; i < TRIES; i++) {
		if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
			return fail(e, EIO, "no random bytes");
		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (uint8_t)letters[bytes[k] % 32];
		snprintf(name, OSH_SANDBOX_NAME, "box-%.6s", (const char *)bytes);
		if (!life_name_taken(d, name))
			return 0;
	}
	return fail(e, EEXIST, "no free name was found: give one");
}

/* The name is the host's: whose it is is not said. */
static int take_name(const struct daemon *d, const char *name, struct state_sandbox *row,
		     struct err *e)
{
	int r = request_name(name, e);

	if (r < 0)
		return r;
	if (!*name)
		return choose_name(d, row->name, e);
	snprintf(row->name, sizeof(row->name), "%s", name);
	return life_name_taken(d, name)
		   ? fail(e, EEXIST, "the name '%s' is taken; choose another", name)
		   : 0;
}

static int read_create(const struct caller *who, sd_bus_message *m, struct create_request *c,
		       struct err *e)
{
	struct bundle b = { 0 };
	const char *name;
	int r;

	if (sd_bus_message_read(m, "shh", &name, &c->q.bundle_fd, &c->q.workdir_fd) < 0)
		return fail(e, EINVAL, "malformed call");
	r = take_name(who->d, name, &c->row, e);
	if (!r)
		r = request_options(m, who, &c->q, read_option, c, e);
	if (!r && c->q.summary_fd >= 0)
		r = fail(e, EINVAL, "option 'summary': for a run alone");
	if (!r && !c->q.workdir[0])
		r = fail(e, EINVAL, "option 'workdir' is missing");
	if (!r) /* nothing that cannot be run is kept */
		r = share_open(&b, who->uid, c->q.bundle_fd, e);
	bundle_done(&b);
	return r;
}

static void fill_row(const struct caller *who, struct create_request *c)
{
	c->row.uid = who->uid;
	c->row.gid = who->gid;
	c->row.n_groups = who->n_groups;
	memcpy(c->row.groups, who->groups, sizeof(c->row.groups));
	memcpy(c->row.workdir, c->q.workdir, sizeof(c->row.workdir));
	if (c->q.n_uses)
		memcpy(c->row.providers, c->q.uses, c->q.n_uses * sizeof(*c->q.uses));
	c->row.n_providers = c->q.n_uses;
	c->row.wanted = true;
	c->row.exit_status = -1;
}

static int dup_one(int *to, int from)
{
	if (from < 0)
		return 0;
	own_close(to);
	*to = fcntl(from, F_DUPFD_CLOEXEC, 3);
	return *to < 0 ? -errno : 0;
}

int bus_keep_given(struct life_given *g, const struct run_request *q, struct err *e)
{
	int r = dup_one(&g->creds, q->creds_fd);

	if (!r)
		r = dup_one(&g->hosts, q->hosts_fd);
	if (!r)
		r = dup_one(&g->ca, q->ca_fd);
	if (!r)
		r = dup_one(&g->log, q->log_fd);
	return r < 0 ? fail(e, -r, "duplicate a descriptor: %s", strerror(-r)) : 0;
}

static void given_close(struct life_given *g)
{
	own_close(&g->creds);
	own_close(&g->hosts);
	own_close(&g->ca);
	own_close(&g->log);
}

static int create(const struct caller *who, sd_bus_message *m, struct create_request *c,
		  struct err *e)
{
	struct life_given given = { -1, -1, -1, -1 };
	_close_ int workdir = -1;
	int r = read_create(who, m, c, e);

	if (!r)
		r = bus_keep_given(&given, &c->q, e);
	if (!r && (workdir = fcntl(c->q.workdir_fd, F_DUPFD_CLOEXEC, 3)) < 0)
		r = fail(e, errno, "duplicate a descriptor: %s", strerror(errno));
	fill_row(who, c);
	if (!r)
		r = state_create(who->d->state, &c->row, c->q.bundle_fd, c->source_fd, e);
	if (!r && (r = life_create(who->d, &c->row, &given, take_fd(&workdir), bus_answer_created,
				   sd_bus_message_ref(m), e)) < 0)
		sd_bus_message_unref(m);
	given_close(&given);
	return r;
}

int on_create(const struct caller *who, sd_bus_message *m, struct err *e)
{
	struct create_request c = { .source_fd = -1 };
	int r = bus_needs_state(who, e);

	request_init(&c.q, who);
	if (!r)
		r = create(who, m, &c, e);
	state_sandbox_done(&c.row);
	request_done(&c.q);
	return r;
}
