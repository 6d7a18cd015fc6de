// SPDX-License-Identifier: Apache-2.0
/*
 * Pins: maps, programs and host-wide links by name below one directory of a bpffs, so that sandboxes
 * stay enforced without a daemon and the next one finds everything. The directory is named after the
 * ABI; sizes are compared all the same.
 */
#include "kbpf.h"
#include "own.h"

#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

static int pin_path(char *buf, size_t size, const char *dir, const char *kind, const char *name)
{
	int n = snprintf(buf, size, "%s/%s_%s", dir, kind, name);

	if (n < 0 || (size_t)n >= size)
		return -ENAMETOOLONG;
	for (char *p = buf + strlen(dir); *p; p++)	/* bpffs takes no dots: ".rodata" */
		if (*p == '.')
			*p = '_';
	return 0;
}

static int pin_fd(int fd, const char *dir, const char *kind, const char *name, struct err *e)
{
	char path[PATH_MAX];

	if (pin_path(path, sizeof(path), dir, kind, name) < 0)
		return fail(e, ENAMETOOLONG, "pin directory '%.100s' is too long", dir);
	if (bpf_obj_pin(fd, path) < 0)
		return fail(e, errno, "pin '%s': %s", path, strerror(errno));
	return 0;
}

/*
 * The steering template and constants (.rodata) are not pinned: every daemon loads its own, and a
 * bpffs takes no name with a dot.
 */
static int is_own(const struct bpf_map *map)
{
	return !strcmp(bpf_map__name(map), "steer") || bpf_map__is_internal(map);
}

int kbpf_pin(struct kbpf *k, const char *dir, struct err *e)
{
	struct bpf_map *map;
	int r = 0;

	bpf_object__for_each_map(map, k->obj) {
		if (bpf_map__fd(map) < 0 || is_own(map))
			continue;
		r = pin_fd(bpf_map__fd(map), dir, "map", bpf_map__name(map), e);
		if (r < 0)
			goto undo;
	}
	for (int h = 0; h < OSH_HOOK_MAX; h++) {
		if (k->prog[h] >= 0 && h != OSH_HOOK_STEER)
			r = pin_fd(k->prog[h], dir, "prog", kbpf_hook_name(h), e);
		if (!r && k->links[h])
			r = pin_fd(bpf_link__fd(k->links[h]), dir, "link", kbpf_hook_name(h), e);
		if (r < 0)
			goto undo;
	}
	return 0;
undo:
	kbpf_unpin(dir);
	return r;
}

void kbpf_unpin(const char *dir)
{
	static const char *const kinds[] = { "map_", "prog_", "link_" };
	DIR *d = opendir(dir);
	struct dirent *entry;
	int gone = 1;

	if (!d)
		return;
	while (gone) {			/* a directory that shrinks while it is read may skip entries */
		gone = 0;
		rewinddir(d);
		while ((entry = readdir(d)))
			for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
				if (!strncmp(entry->d_name, kinds[i], strlen(kinds[i])))
					gone += !unlinkat(dirfd(d), entry->d_name, 0);
	}
	closedir(d);
}

static int same_shape(const struct bpf_map *map, int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &size) && info.type == bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) && info.value_size == bpf_map__value_size(map) &&
	       info.map_flags == bpf_map__map_flags(map);
}

static int adopt_maps(struct kbpf *k, const char *dir, struct err *e)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, k->obj) {
		const char *name = bpf_map__name(map);
		char path[PATH_MAX];
		_close_ int fd = -1;

		if (is_own(map) || !bpf_map__autocreate(map))
			continue;
		if (pin_path(path, sizeof(path), dir, "map", name) < 0)
			return fail(e, ENAMETOOLONG, "pin directory '%.100s' is too long", dir);
		fd = bpf_obj_get(path);
		if (fd < 0)
			return fail(e, errno, "pin '%s': %s", path, strerror(errno));
		if (!same_shape(map, fd))
			return fail(e, EPROTO, "pin '%s' is a map of another ABI", path);
		if (bpf_map__reuse_fd(map, fd) < 0)	/* keeps a duplicate */
			return fail(e, errno, "pin '%s' cannot be used: %s", path, strerror(errno));
	}
	return 0;
}

static int adopt_programs(struct kbpf *k, const char *dir, struct err *e)
{
	k->own_progs = 1;
	for (int h = 0; h < OSH_HOOK_MAX; h++) {
		struct bpf_program *p = kbpf_program(k, h);
		char path[PATH_MAX];

		if (h == OSH_HOOK_STEER || !p || !bpf_program__autoload(p))
			continue;
		if (pin_path(path, sizeof(path), dir, "prog", kbpf_hook_name(h)) < 0)
			return fail(e, ENAMETOOLONG, "pin directory '%.100s' is too long", dir);
		k->prog[h] = bpf_obj_get(path);
		if (k->prog[h] < 0)
			return fail(e, errno, "pin '%s': %s", path, strerror(errno));
		bpf_program__set_autoload(p, false);
	}
	return 0;
}

/* A host-wide hook without its link is not attached: then nothing here is worth adopting. */
static int adopt_links(struct kbpf *k, const char *dir, struct err *e)
{
	for (int h = 0; h < OSH_HOOK_MAX; h++) {
		char path[PATH_MAX];

		if (kbpf_hook_where(h) != AT_GLOBAL || kbpf_hook_off(k, h))
			continue;
		if (pin_path(path, sizeof(path), dir, "link", kbpf_hook_name(h)) < 0)
			return fail(e, ENAMETOOLONG, "pin directory '%.100s' is too long", dir);
		k->links[h] = bpf_link__open(path);
		if (!k->links[h])
			return fail(e, errno, "pin '%s': %s", path, strerror(errno));
	}
	return 0;
}

int kbpf_adopt(struct kbpf **ret, const char *dir, uint64_t off, struct err *e)
{
	struct kbpf *k = NULL;
	int r = kbpf_open(&k, e);

	if (r < 0)
		return r;
	k->off = off;
	r = adopt_maps(k, dir, e);
	if (!r)
		r = adopt_programs(k, dir, e);
	if (!r)
		r = adopt_links(k, dir, e);
	if (!r)
		r = kbpf_load_object(k, e);
	if (!r)
		r = kbpf_bind(k, e);
	if (r < 0) {
		kbpf_free(k);
		return r;
	}
	for (uint32_t i = 0; i < OSH_SLOTS; i++)
		k->adopted[i] = k->sandboxes[i].id;
	*ret = k;
	return 0;
}
