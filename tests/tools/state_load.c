/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes a state database at random and says so: "+ CHANGE" before each, "=" once it was acknowledged, "! WHY"
 * where it was refused. `state_load DIR SEED` goes on until it is killed or refused, `state_load DIR dump` prints
 * what is there. For tests/system/test_state.py, which knows what each change means.
 */
#include <stdlib.h>
#include <string.h>

#include "../../userspace/oshd/state/state.h"
#include "own.h"
#include "policy_fd.h"

#define NAMES 6

static int create(struct state *st, const char *name, unsigned n, struct err *e)
{
	struct state_sandbox s = { .uid = 1000, .gid = 1000, .workdir = "/w", .wanted = true };
	_close_ int bundle = -1, source = -1;

	printf("+ create %s %u\n", name, n);
	policy_fds(n, &bundle, &source);
	snprintf(s.name, sizeof(s.name), "%s", name);
	snprintf(s.volumes[0].name, sizeof(s.volumes[0].name), "of-%s", name);
	strcpy(s.volumes[0].path, "/v");
	s.n_volumes = 1;
	return state_create(st, &s, bundle, source, e);
}

static int set_policy(struct state *st, const struct state_sandbox *s, unsigned n, struct err *e)
{
	_close_ int bundle = -1, source = -1;
	uint32_t revision;

	printf("+ policy %s %u\n", s->name, n);
	policy_fds(n, &bundle, &source);
	return state_policy_add(st, s->key, bundle, source, 1000, 0, &revision, e);
}

static int label(struct state *st, const struct state_sandbox *s, unsigned n, struct err *e)
{
	char value[16];
	struct state_label l = { n % 2 ? (char *)"odd" : (char *)"even", value };
	char *other[] = { n % 2 ? (char *)"even" : (char *)"odd" };

	snprintf(value, sizeof(value), "%u", n);
	printf("+ label %s %s %s\n", s->name, l.key, value);
	return state_label(st, s->key, &l, 1, other, 1, e);
}

static int wanted(struct state *st, const struct state_sandbox *s, unsigned n, struct err *e)
{
	char why[32];

	snprintf(why, sizeof(why), "w%u", n);
	printf("+ wanted %s %u %s\n", s->name, n % 200, why);
	return state_wanted(st, s->key, n % 2, (int)n % 200, why, e);
}

static int delete(struct state *st, const struct state_sandbox *s, struct err *e)
{
	printf("+ delete %s\n", s->name);
	return state_delete(st, s->key, e);
}

static int change(struct state *st, unsigned n, struct err *e)
{
	struct state_sandbox s;
	char name[16];
	int r;

	snprintf(name, sizeof(name), "s%d", rand() % NAMES);
	r = state_find(st, name, &s, e);
	if (r == -ENOENT)
		return create(st, name, n, e);
	if (r < 0)
		return r;
	switch (rand() % 8) {
	case 0: r = delete(st, &s, e); break;
	case 1: case 2: r = label(st, &s, n, e); break;
	case 3: r = wanted(st, &s, n, e); break;
	default: r = set_policy(st, &s, n, e); break;
	}
	state_sandbox_done(&s);
	return r;
}

struct dump {
	struct state *st;
	const struct state_sandbox *s;
};

static int dump_revision(void *data, const struct state_revision *v)
{
	struct dump *d = data;
	_close_ int bundle = -1, source = -1;
	struct err e = { 0 };
	char text[256] = "";
	unsigned n = 0;

	if (state_policy_open(d->st, d->s->key, v->revision, &bundle, &source, &e) < 0)
		return fail(&e, EIO, "no text");
	if (read(source, text, sizeof(text) - 1) > 0)
		sscanf(strstr(text, "host: h") + 7, "%u", &n);
	printf(" %s%u", v->revision == d->s->revision ? "*" : "", n);
	return 0;
}

static int dump_one(void *data, const struct state_sandbox *s)
{
	struct dump d = { data, s };

	printf("sandbox %s %d %d %s volume=%s", s->name, s->wanted, s->exit_status, s->reason ? s->reason : "-",
	       s->n_volumes ? s->volumes[0].name : "");
	for (size_t i = 0; i < s->n_labels; i++)
		printf(" %s=%s", s->labels[i].key, s->labels[i].value);
	printf(" :");
	state_policy_each(data, s->key, dump_revision, &d, NULL);
	printf("\n");
	return 0;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	struct state *st;
	int r = argc == 3 ? state_open(&st, argv[1], &e) : fail(&e, EINVAL, "usage: state_load DIR SEED|dump");

	setvbuf(stdout, NULL, _IONBF, 0);
	if (!r && !strcmp(argv[2], "dump"))
		r = state_each(st, dump_one, st, &e);
	else if (!r)
		srand((unsigned)atoi(argv[2]));
	for (unsigned n = 1; !r && strcmp(argv[2], "dump"); n++) {
		r = change(st, (unsigned)atoi(argv[2]) * 10000 + n, &e);
		if (!r)
			printf("=\n");
	}
	if (r < 0)
		printf("! %s\n", e.text);
	else
		state_close(st);
	return r < 0;
}
