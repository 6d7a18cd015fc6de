/* SPDX-License-Identifier: Apache-2.0 */
/* Reads only kernel-made text (/proc, cgroup files). */
#include "limits.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "cgfile.h"
#include "own.h"
#include "osh/limits.h"
#include "proc.h"

#define PREFIX "osh."
#define WEIGHT 100			/* of who asks for none */
#define PERIOD_US 100000		/* of the processor's shares; the kernel's own default */

static const struct {
	const char *v2, *v1;		/* names of the controller */
	enum osh_resource what;
	const char *key;		/* of a policy's `resources` */
	const char *v2_max[2], *v1_max[2];	/* the first that there is */
	const char *v2_now, *v1_now, *v2_hits, *v1_hits, *hit;
} kinds[LIMITS] = {
	/* clang-format off */
	[LIMIT_PIDS] =   { "pids", "pids", OSH_RES_PIDS, "pids", { "pids.max" }, { "pids.max" }, "pids.current", "pids.current",
			   "pids.events", "pids.events", "max" },
	[LIMIT_MEMORY] = { "memory", "memory", OSH_RES_MEMORY, "memory", { "memory.max" }, { "memory.limit_in_bytes" },
			   "memory.current", "memory.usage_in_bytes", "memory.events", "memory.oom_control", "oom_kill" },
	[LIMIT_CPU] =    { "cpu", "cpu", OSH_RES_CPU, "cpu", { "cpu.max" }, { "cpu.cfs_quota_us" } },
	[LIMIT_IO] =     { "io", "blkio", OSH_RES_IO_WEIGHT, "io_weight", { "io.weight", "io.bfq.weight" },
			   { "blkio.bfq.weight", "blkio.weight" } },
	/* clang-format on */
};

/* "max" and the kernel's "no limit" are no number. */
static uint64_t read_number(int dir, const char *name)
{
	char text[64];
	uint64_t v = cgfile_read(dir, name, text, sizeof(text)) < 0 ? 0 : strtoull(text, NULL, 10);

	return v > INT64_MAX / 2 ? 0 : v;
}

/* Line "key number" of a file. */
static uint64_t read_key(int dir, const char *name, const char *key)
{
	char text[1024], *save = NULL;
	size_t n = strlen(key);

	if (cgfile_read(dir, name, text, sizeof(text)) < 0)
		return 0;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!strncmp(line, key, n) && line[n] == ' ')
			return strtoull(line + n + 1, NULL, 10);
	return 0;
}

/* Each costs all sandboxes, so it is switched on when somebody asks. */
static bool when_asked(enum limit_kind k)
{
	return k == LIMIT_CPU || k == LIMIT_IO;
}

/* Where we are in the v1 hierarchy of a controller: "7:pids:/path". */
static bool own_path(const char *controller, char ret[256])
{
	_fclose_ FILE *f = fopen("/proc/self/cgroup", "re");
	char line[512], list[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*u:%127[^:]:%255s", list, ret) == 2 && cgfile_has(list, controller, ","))
			return true;
	return false;
}

static int open_v1(const char *controller)
{
	_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096], path[256], whole[512], root[256], at[256], type[32], options[256];

	while (f && own_path(controller, path) && fgets(line, sizeof(line), f)) {
		const char *right = strstr(line, " - ");
		size_t n;

		if (!right || sscanf(line, "%*s %*s %*s %255s %255s", root, at) != 2 ||
		    sscanf(right, " - %31s %*s %255s", type, options) != 2 || strcmp(type, "cgroup") ||
		    !cgfile_has(options, controller, ","))
			continue;
		n = strcmp(root, "/") ? strlen(root) : 0;
		if (strncmp(path, root, n))
			continue;	/* not our part of the hierarchy */
		snprintf(whole, sizeof(whole), "%s%s", at, path + n);
		return open(whole, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return -1;
}

static uint64_t all_memory(const struct limits *l)
{
	_fclose_ FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	uint64_t all, ours = l->v1_fd[LIMIT_MEMORY] < 0 ? 0 : read_key(l->v1_fd[LIMIT_MEMORY], "memory.stat",
								       "hierarchical_memory_limit");

	all = f && fscanf(f, "MemTotal: %llu kB", &kib) == 1 ? (uint64_t)kib << 10 : 0;
	return ours && ours < all ? ours : all;
}

static uint64_t all_tasks(void)
{
	_fclose_ FILE *f = fopen("/proc/sys/kernel/threads-max", "re");
	unsigned n = 0;

	return f && fscanf(f, "%u", &n) == 1 ? n : 0;
}

void limits_open(struct limits *l, const struct cgroup_base *c)
{
	*l = (struct limits){ .cgroups = c };
	for (enum limit_kind k = 0; k < LIMITS; k++) {
		l->v2[k] = !when_asked(k) && cgfile_enable(c, kinds[k].v2);
		l->v1_fd[k] = l->v2[k] ? -1 : open_v1(kinds[k].v1);
	}
	l->memory = OSH_SANDBOX_MEMORY(all_memory(l));
	l->pids = all_tasks() / 4;
	if (l->pids > OSH_SANDBOX_PIDS)
		l->pids = OSH_SANDBOX_PIDS;
}

void limits_close(struct limits *l)
{
	for (enum limit_kind k = 0; l->cgroups && k < LIMITS; k++)
		own_close(&l->v1_fd[k]);
	l->cgroups = NULL;
}

bool limits_has(const struct limits *l, enum limit_kind kind)
{
	return l->v2[kind] || l->v1_fd[kind] >= 0;
}

static void name_of(const struct limits *l, uint32_t id, char ret[128])
{
	snprintf(ret, 128, PREFIX "%s.%" PRIu32, l->cgroups->name, id);
}

/* The sandbox's directory for this controller, made where it is one of v1's. The caller's to close. */
static int open_dir(const struct limits *l, enum limit_kind k, uint32_t id, int box_fd, bool make)
{
	char name[128];

	if (l->v2[k])
		return fcntl(box_fd, F_DUPFD_CLOEXEC, 3);
	if (l->v1_fd[k] < 0)
		return -1;
	name_of(l, id, name);
	if (make && mkdirat(l->v1_fd[k], name, 0755) < 0 && errno != EEXIST)
		return -1;
	return openat(l->v1_fd[k], name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static void text_of(const struct limits *l, enum limit_kind k, uint64_t v, char ret[64])
{
	if (k != LIMIT_CPU)
		snprintf(ret, 64, "%" PRIu64, v);
	else if (l->v2[k])
		snprintf(ret, 64, "%" PRIu64 " %d", v * PERIOD_US / 1000, PERIOD_US);
	else
		snprintf(ret, 64, "%" PRIu64, v * PERIOD_US / 1000);
}

static int refuse(enum limit_kind k, struct err *e)
{
	return fail(e, EOPNOTSUPP, "resources.%s: neither cgroup v2 nor v1 has the controller '%s' here: `oshctl doctor` says "
		    "what brings it", kinds[k].key, kinds[k].v2);
}

static int set_one(struct limits *l, enum limit_kind k, uint64_t v, bool asked, uint32_t id, int box_fd, struct err *e)
{
	_close_ int dir = -1;
	char text[64];
	int r = -ENOENT;

	if (when_asked(k) && v && !limits_has(l, k))
		l->v2[k] = cgfile_enable(l->cgroups, kinds[k].v2);
	if (!v || (!asked && !limits_has(l, k)))
		return 0;
	if (!limits_has(l, k))
		return refuse(k, e);
	dir = open_dir(l, k, id, box_fd, true);
	if (dir < 0)
		return fail(e, errno, "cgroup for the limit '%s': %s", kinds[k].key, strerror(errno));
	text_of(l, k, v, text);
	for (size_t i = 0; r == -ENOENT && i < ARRAY_SIZE(kinds[k].v2_max); i++) {
		const char *name = l->v2[k] ? kinds[k].v2_max[i] : kinds[k].v1_max[i];

		r = name ? cgfile_write(dir, name, text) : -ENOENT;
	}
	if (r == -ENOENT)
		return refuse(k, e);
	if (k == LIMIT_IO && (r == -EINVAL || r == -ERANGE))
		return fail(e, EINVAL, "resources.io_weight: %s is more than this kernel's scheduler takes, 1000", text);
	return r < 0 ? fail(e, -r, "limit '%s' of %s: %s", kinds[k].key, text, strerror(-r)) : 0;
}

/* What does not fit must not go to swap instead: without a word there is none. v1 counts both together. */
static int set_swap(struct limits *l, uint64_t memory, uint64_t swap, uint32_t id, int box_fd, struct err *e)
{
	_close_ int dir = limits_has(l, LIMIT_MEMORY) ? open_dir(l, LIMIT_MEMORY, id, box_fd, false) : -1;
	bool v2 = l->v2[LIMIT_MEMORY];
	char text[64];
	int r;

	snprintf(text, sizeof(text), "%" PRIu64, v2 ? swap : memory + swap);
	r = dir < 0 ? -ENOENT : cgfile_write(dir, v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes", text);
	return !swap || !r ? 0 : fail(e, EOPNOTSUPP, "resources.swap: neither cgroup v2 nor v1 counts swap here: %s", strerror(-r));
}

int limits_set(struct limits *l, const uint64_t amount[OSH_RESOURCES], uint32_t id, int box_fd, struct err *e)
{
	const uint64_t usual[LIMITS] = { [LIMIT_PIDS] = l->pids, [LIMIT_MEMORY] = l->memory };
	uint64_t memory = amount[OSH_RES_MEMORY] ? amount[OSH_RES_MEMORY] : l->memory;
	int r = 0;

	for (enum limit_kind k = 0; !r && k < LIMITS; k++) {
		uint64_t asked = amount[kinds[k].what];

		r = set_one(l, k, asked ? asked : usual[k], asked, id, box_fd, e);
	}
	return r ? r : set_swap(l, memory, amount[OSH_RES_SWAP], id, box_fd, e);
}

int limits_may(const struct limits *l, const uint64_t amount[OSH_RESOURCES], struct err *e)
{
	const struct {
		enum osh_resource what;
		uint64_t most;
		const char *key;
	} rows[] = {
		{ OSH_RES_PIDS, l->pids, "pids" },
		{ OSH_RES_MEMORY, l->memory, "memory" },
		{ OSH_RES_DISK, l->memory, "disk" },
		{ OSH_RES_IO_WEIGHT, WEIGHT, "io_weight" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (amount[rows[i].what] > rows[i].most)
			return fail(e, EPERM, "resources.%s: %" PRIu64 " is more than the %" PRIu64 " that a user's sandbox may "
				    "take here: ask for less, or let root start it", rows[i].key, amount[rows[i].what],
				    rows[i].most);
	return 0;
}

const char *limits_unkept(const struct limits *l, const uint64_t amount[OSH_RESOURCES], unsigned *i)
{
	const struct {
		enum limit_kind kind;
		uint64_t asked;		/* then it is kept, or nothing starts */
		const char *text;
	} rows[] = {
		{ LIMIT_PIDS, amount[OSH_RES_PIDS],
		  "resources.pids: this machine has no controller for it, so nothing limits the sandbox's number of tasks; "
		  "`oshctl doctor` says what brings it" },
		{ LIMIT_MEMORY, amount[OSH_RES_MEMORY],
		  "resources.memory: this machine has no controller for it, so nothing limits the sandbox's memory; "
		  "`oshctl doctor` says what brings it" },
	};

	while (*i < ARRAY_SIZE(rows)) {
		unsigned at = (*i)++;

		if (!rows[at].asked && !limits_has(l, rows[at].kind))
			return rows[at].text;
	}
	return NULL;
}

int limits_enter(const struct limits *l, uint32_t id, int pid, struct err *e)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	for (enum limit_kind k = 0; k < LIMITS; k++) {
		_close_ int dir = l->v1_fd[k] < 0 ? -1 : open_dir(l, k, id, -1, false);
		int r = dir < 0 ? 0 : cgfile_write(dir, "cgroup.procs", text);

		if (r < 0)
			return fail(e, -r, "enter the cgroup for the limit '%s': %s", kinds[k].key, strerror(-r));
	}
	return 0;
}

void limits_remove(const struct limits *l, uint32_t id)
{
	char name[128];

	name_of(l, id, name);
	for (enum limit_kind k = 0; k < LIMITS; k++)
		if (l->v1_fd[k] >= 0)
			(void)unlinkat(l->v1_fd[k], name, AT_REMOVEDIR);
}

/* "osh.<instance>.<id>" of ours, or "osh.run-<pid>-<start>.<id>" of a process that has gone. */
static bool is_stale(const struct limits *l, const char *name, bool (*alive)(void *, uint32_t), void *data)
{
	size_t n = strlen(l->cgroups->name);
	unsigned long long start, now;
	int pid;

	if (strncmp(name, PREFIX, strlen(PREFIX)))
		return false;
	name += strlen(PREFIX);
	if (!strncmp(name, l->cgroups->name, n) && name[n] == '.')
		return !alive(data, (uint32_t)strtoul(name + n + 1, NULL, 10));
	return sscanf(name, "run-%d-%llu.", &pid, &start) == 2 && (proc_start(pid, &now) < 0 || now != start);
}

void limits_sweep(const struct limits *l, bool (*alive)(void *, uint32_t id), void *data)
{
	for (enum limit_kind k = 0; k < LIMITS; k++) {
		int fd = l->v1_fd[k] < 0 ? -1 : openat(l->v1_fd[k], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *d = fd < 0 ? NULL : fdopendir(fd);

		for (struct dirent *x; d && (x = readdir(d));)
			if (is_stale(l, x->d_name, alive, data))	/* one that is lived in stays: EBUSY */
				(void)unlinkat(l->v1_fd[k], x->d_name, AT_REMOVEDIR);
		if (d)
			closedir(d);
	}
}

/* v1 tells of memory that is out by an eventfd alone. */
static int watch_v1_memory(int dir)
{
	_close_ int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), file = openat(dir, kinds[LIMIT_MEMORY].v1_hits, O_RDONLY | O_CLOEXEC);
	char text[32];
	int r;

	snprintf(text, sizeof(text), "%d %d", fd, file);
	r = fd < 0 || file < 0 ? -errno : cgfile_write(dir, "cgroup.event_control", text);
	return r < 0 ? r : take_fd(&fd);
}

int limits_watch(const struct limits *l, enum limit_kind k, uint32_t id, int box_fd, bool *ret_file)
{
	_close_ int dir = limits_has(l, k) ? open_dir(l, k, id, box_fd, false) : -1;
	char text[1024];
	int fd;

	if (dir < 0)
		return -ENOENT;
	*ret_file = l->v2[k] || k != LIMIT_MEMORY;
	if (!*ret_file)
		return watch_v1_memory(dir);
	fd = openat(dir, l->v2[k] ? kinds[k].v2_hits : kinds[k].v1_hits, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text)) < 0)	/* from here on it tells of changes */
		own_close(&fd);
	return fd < 0 ? -ENOENT : fd;
}

static void use_of(const struct limits *l, enum limit_kind k, uint32_t id, int box_fd, uint64_t *now, uint64_t *max,
		   uint64_t *hits)
{
	_close_ int dir = limits_has(l, k) ? open_dir(l, k, id, box_fd, false) : -1;

	if (dir < 0)
		return;
	*now = read_number(dir, l->v2[k] ? kinds[k].v2_now : kinds[k].v1_now);
	*max = read_number(dir, l->v2[k] ? kinds[k].v2_max[0] : kinds[k].v1_max[0]);
	*hits = read_key(dir, l->v2[k] ? kinds[k].v2_hits : kinds[k].v1_hits, kinds[k].hit);
}

void limits_use(const struct limits *l, uint32_t id, int box_fd, struct limits_use *ret)
{
	*ret = (struct limits_use){ 0 };
	use_of(l, LIMIT_PIDS, id, box_fd, &ret->tasks, &ret->tasks_max, &ret->tasks_refused);
	use_of(l, LIMIT_MEMORY, id, box_fd, &ret->memory, &ret->memory_max, &ret->killed);
	ret->cpu_us = read_key(box_fd, "cpu.stat", "usage_usec");	/* v2 counts it without any controller */
}
