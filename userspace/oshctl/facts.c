/* SPDX-License-Identifier: Apache-2.0 */
#include "facts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "own.h"

#ifndef SYS_lsm_list_modules
#define SYS_lsm_list_modules 461
#endif
#define LSM_ID_FIRST 100

const struct limit limits[] = {
	{ "open-files", "Max open files", 16384, "a run opens a dozen files for each sandbox",
	  "raise the hard limit: `ulimit -Hn 524288` as root, or LimitNOFILE=524288 in the unit" },
	{ "locked-memory", "Max locked memory", 1048576, "credentials are held in locked memory",
	  "raise the hard limit: `ulimit -Hl 8192` as root, or LimitMEMLOCK=8M in the unit" },
	{ "inotify-watches", "proc/sys/fs/inotify/max_user_watches", 65536, "an agent that watches a source tree runs out",
	  "sysctl -w fs.inotify.max_user_watches=524288" },
	{ "inotify-instances", "proc/sys/fs/inotify/max_user_instances", 128, "agents that watch files run out",
	  "sysctl -w fs.inotify.max_user_instances=512" },
	{ "keys", "proc/sys/kernel/keys/maxkeys", 200, "keyrings of a user run out", "sysctl -w kernel.keys.maxkeys=2000" },
	{ "user-namespaces", "proc/sys/user/max_user_namespaces", 256, "id maps of working directories run out",
	  "sysctl -w user.max_user_namespaces=15000" },
	{ "network-namespaces", "proc/sys/user/max_net_namespaces", 256, "each sandbox has one",
	  "sysctl -w user.max_net_namespaces=15000" },
	{ "mount-namespaces", "proc/sys/user/max_mnt_namespaces", 256, "each sandbox has one, each egress too",
	  "sysctl -w user.max_mnt_namespaces=15000" },
	{ "threads", "proc/sys/kernel/threads-max", 16384, "one sandbox may have 8192 of them",
	  "sysctl -w kernel.threads-max=65536" },
	{ "pids", "proc/sys/kernel/pid_max", 32768, "one sandbox may have 8192 of them", "sysctl -w kernel.pid_max=4194304" },
	{ 0 },
};
_Static_assert(ARRAY_SIZE(limits) == LIMITS + 1, "one number for each row");

static FILE *open_at(int root, const char *path)
{
	_close_ int fd = openat(root, path, O_RDONLY | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

	if (f)
		(void)take_fd(&fd);
	return f;
}

/* The first line, without its end. */
static bool read_line(int root, const char *path, char *ret, size_t n)
{
	_fclose_ FILE *f = open_at(root, path);

	ret[0] = 0;
	if (!f || !fgets(ret, (int)n, f)) {
		ret[0] = 0;
		return false;
	}
	ret[strcspn(ret, "\n")] = 0;
	return true;
}

static void add_word(char *list, size_t size, const char *word)
{
	size_t n = strlen(list);

	if (*word && n + strlen(word) + 2 < size)
		snprintf(list + n, size - n, "%s%s", n ? " " : "", word);
}

/* The super block's options of a v1 hierarchy are its controllers, and a few that are not. */
static void add_v1(struct facts *f, char *options)
{
	static const char *const others[] = { "rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode" };
	char *save = NULL;

	for (char *w = strtok_r(options, ",\n", &save); w; w = strtok_r(NULL, ",\n", &save)) {
		bool other = strchr(w, '=') != NULL;

		for (size_t i = 0; i < ARRAY_SIZE(others); i++)
			other |= !strcmp(w, others[i]);
		if (!other)
			add_word(f->v1, sizeof(f->v1), w);
	}
}

static void read_cgroups(int root, struct facts *f)
{
	_fclose_ FILE *m = open_at(root, "proc/self/mountinfo");
	char line[4096], path[300], tree[256], at[256], type[32], options[1024];

	while (m && fgets(line, sizeof(line), m)) {
		const char *right = strstr(line, " - ");

		if (!right || sscanf(line, "%*s %*s %*s %255s %255s", tree, at) != 2 ||
		    sscanf(right, " - %31s %*s %1023s", type, options) != 2)
			continue;
		if (!strcmp(type, "cgroup2") && !strcmp(tree, "/") && !f->cgroup[0])
			strcpy(f->cgroup, at);
		else if (!strcmp(type, "cgroup"))
			add_v1(f, options);
	}
	if (f->cgroup[0]) {
		snprintf(path, sizeof(path), "%s/cgroup.controllers", f->cgroup + 1);
		(void)read_line(root, path, f->v2, sizeof(f->v2));
	}
	f->layout = f->cgroup[0] ? (f->v1[0] ? CGROUP_HYBRID : CGROUP_V2) : f->v1[0] ? CGROUP_V1 : CGROUP_NONE;
}

/* The hard limit; "unlimited" is the largest number that JSON readers take. */
static bool read_rlimit(int root, const char *name, uint64_t *ret)
{
	_fclose_ FILE *f = open_at(root, "proc/self/limits");
	char line[256], hard[64];

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, strlen(name)) || sscanf(line + strlen(name), "%*s %63s", hard) != 1)
			continue;
		*ret = !strcmp(hard, "unlimited") ? INT64_MAX : strtoull(hard, NULL, 10);
		return true;
	}
	return false;
}

static bool read_number(int root, const char *path, uint64_t *ret)
{
	char text[64];

	if (!read_line(root, path, text, sizeof(text)))
		return false;
	*ret = strtoull(text, NULL, 10);
	return true;
}

void facts_read(int root, struct facts *f)
{
	*f = (struct facts){ 0 };
	(void)read_line(root, "proc/sys/kernel/osrelease", f->release, sizeof(f->release));
	(void)read_line(root, "sys/kernel/security/lsm", f->lsm, sizeof(f->lsm));
	read_cgroups(root, f);
	for (size_t i = 0; i < LIMITS; i++)
		f->known[i] = strchr(limits[i].path, '/') ? read_number(root, limits[i].path, &f->limit[i])
							  : read_rlimit(root, limits[i].path, &f->limit[i]);
}

/* Numbers of lsm_list_modules(2), Linux 6.8; headers here are older. */
void facts_ask_lsm(struct facts *f)
{
	static const char *const names[] = { "capability", "selinux", "smack", "tomoyo", "apparmor", "yama", "loadpin",
					     "safesetid", "lockdown", "bpf", "landlock", "ima", "evm", "ipe" };
	uint64_t ids[32];
	uint32_t size = sizeof(ids);
	long n = f->lsm[0] ? 0 : syscall(SYS_lsm_list_modules, ids, &size, 0);

	for (long i = 0; i < n; i++) {
		uint64_t id = ids[i] - LSM_ID_FIRST;
		size_t at = strlen(f->lsm);

		if (id < ARRAY_SIZE(names))
			snprintf(f->lsm + at, sizeof(f->lsm) - at, "%s%s", at ? "," : "", names[id]);
	}
}

const char *facts_layout(enum cgroup_layout l)
{
	static const char *const words[] = { "none", "v1", "hybrid", "v2" };

	return words[l];
}

bool facts_has_lsm(const struct facts *f, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = f->lsm; *at; at += strcspn(at, ","), at += *at == ',')
		if (!strncmp(at, name, n) && (!at[n] || at[n] == ','))
			return true;
	return false;
}
