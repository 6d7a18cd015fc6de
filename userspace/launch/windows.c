/* SPDX-License-Identifier: Apache-2.0 */
/* Reads mountinfo, which only the kernel writes. */
#include "windows.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "own.h"
#include "paths.h"

#define MOUNTS_BYTES (16u << 20)	/* a host's mount table; more is refused */

static const struct {
	long magic;
	const char *name;		/* as mountinfo has it */
} types[] = {
	{ PROC_SUPER_MAGIC, "proc" },	      { CGROUP_SUPER_MAGIC, "cgroup" },
	{ CGROUP2_SUPER_MAGIC, "cgroup2" },   { BPF_FS_MAGIC, "bpf" },
	{ DEBUGFS_MAGIC, "debugfs" },	      { TRACEFS_MAGIC, "tracefs" },
	{ SECURITYFS_MAGIC, "securityfs" },   { DEVPTS_SUPER_MAGIC, "devpts" },
	{ NSFS_MAGIC, "nsfs" },		      { EFIVARFS_MAGIC, "efivarfs" },
	{ BINFMTFS_MAGIC, "binfmt_misc" },    { SELINUX_MAGIC, "selinuxfs" },
	{ SYSFS_MAGIC, "sysfs" },
};

const char *window_name(long magic)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].magic == magic)
			return types[i].name;
	return NULL;
}

static bool is_window(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i].name, type))
			return true;
	return false;
}

/* "id parent major:minor root MOUNTPOINT OPTIONS ..." */
int mountinfo_line(char *line, char **ret_path, bool *ret_read_only, struct err *e)
{
	char *save, *word = strtok_r(line, " ", &save), *path = NULL;

	for (int i = 0; word && i < 5; i++, word = strtok_r(NULL, " ", &save))
		if (i == 4)
			path = word;
	if (!word || !path)
		return fail(e, EPROTO, "/proc/self/mountinfo: a line is cut short");
	*ret_read_only = !strncmp(word, "ro", 2) && (!word[2] || word[2] == ',');
	mountinfo_unescape(path);
	*ret_path = path;
	return 0;
}

/* mountinfo writes space, tab, newline and backslash as \ooo. */
void mountinfo_unescape(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*to = *s;
		}
	}
	*to = 0;
}

/* "id parent major:minor root MOUNTPOINT options [tags] - TYPE source options" */
static int add_line(struct windows *w, char *line)
{
	char *dash = strstr(line, " - "), *at = line, *type;
	char **more;

	if (!dash)
		return -EPROTO;
	type = dash + 3;
	type[strcspn(type, " ")] = 0;
	if (!is_window(type))
		return 0;
	for (int i = 0; i < 4; i++) {
		at = strchr(at, ' ');
		if (!at || at > dash)
			return -EPROTO;
		at++;
	}
	at[strcspn(at, " ")] = 0;
	mountinfo_unescape(at);
	more = realloc(w->at, (w->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	w->at = more;
	w->at[w->n] = strdup(at);
	return w->at[w->n++] ? 0 : -ENOMEM;
}

static int slurp(int fd, char **ret)
{
	size_t n = 0, room = 1u << 16;
	_free_ char *p = malloc(room);

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	while (p) {
		ssize_t k = read(fd, p + n, room - n - 1);

		if (k < 0)
			return -errno;
		if (!k) {
			p[n] = 0;
			*ret = take_ptr(&p);
			return 0;
		}
		n += (size_t)k;
		if (n + 1 < room)
			continue;
		if (room >= MOUNTS_BYTES)
			return -E2BIG;
		char *more = realloc(p, room *= 2);

		if (!more)
			break;
		p = more;
	}
	return -ENOMEM;
}

static void forget(struct windows *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->at[i]);
	free(w->at);
	w->at = NULL;
	w->n = 0;
}

static int read_all(struct windows *w)
{
	_free_ char *text = NULL;
	char *rest, *line;
	int r = slurp(w->fd, &text);

	if (r < 0)
		return r;
	rest = text;
	while (!r && (line = strsep(&rest, "\n")))
		if (*line)
			r = add_line(w, line);
	return r;
}

int windows_refresh(struct windows *w, struct err *e)
{
	struct pollfd p = { .events = POLLPRI };
	bool first = w->fd < 0;
	int r;

	if (first && (w->fd = machine_table(w->machine)) < 0)
		return fail(e, -w->fd, "open the mount table: %s", strerror(-w->fd));
	p.fd = w->fd;
	if (!first && poll(&p, 1, 0) == 0)
		return 0;		/* nothing was mounted or unmounted since */
	forget(w);
	r = read_all(w);
	if (r < 0) {
		own_close(&w->fd);	/* the next launch starts over */
		return fail(e, -r, "read the mount table: %s", strerror(-r));
	}
	return 0;
}

const char *windows_below(const struct windows *w, const char *tree)
{
	for (size_t i = 0; i < w->n; i++)
		if (paths_within(w->at[i], tree))
			return w->at[i];
	return NULL;
}
