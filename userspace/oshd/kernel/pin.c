// SPDX-License-Identifier: Apache-2.0
/*
 * Pins: maps, programs and host-wide links by name below one directory of a bpffs, so that sandboxes
 * stay enforced without a daemon and the next one finds everything. The directory is named after the
 * ABI; sizes are compared all the same. `build`, a link to nowhere, says of which build the programs are:
 * it is written last, so what lacks it was never whole.
 */
#include "kbpf.h"
#include "own.h"
#include "pin.h"

#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

#define MARK "build"
#define FRESH "new_"			/* on its way to the name of what it replaces */

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

int pin_fd(int fd, const char *dir, const char *kind, const char *name, struct err *e)
{
	char path[PATH_MAX];

	if (pin_path(path, sizeof(path), dir, kind, name) < 0)
		return fail(e, ENAMETOOLONG, "pin directory '%.100s' is too long", dir);
	if (bpf_obj_pin(fd, path) < 0)
		return fail(e, errno, "pin '%s': %s", path, strerror(errno));
	return 0;
}

int pin_over(int fd, const char *dir, const char *kind, const char *name, struct err *e)
{
	char path[PATH_MAX], fresh[PATH_MAX + sizeof(FRESH)];

	if (pin_path(path, sizeof(path), dir, kind, name) < 0)
		return fail(e, ENAMETOOLONG, "pin directory '%.100s' is too long", dir);
	snprintf(fresh, sizeof(fresh), "%s/" FRESH "%s", dir, path + strlen(dir) + 1);
	unlink(fresh);			/* of one who was killed here */
	if (bpf_obj_pin(fd, fresh) < 0)
		return fail(e, errno, "pin '%s': %s", fresh, strerror(errno));
	return rename(fresh, path) < 0 ? fail(e, errno, "pin '%s': %s", path, strerror(errno)) : 0;
}

int pin_mark(const char *dir, const char *build, struct err *e)
{
	char path[PATH_MAX], fresh[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" MARK, dir);
	snprintf(fresh, sizeof(fresh), "%s/" FRESH MARK, dir);
	unlink(fresh);
	if (symlink(build, fresh) < 0 || rename(fresh, path) < 0)
		return fail(e, errno, "mark '%s': %s", path, strerror(errno));
	return 0;
}

static int read_mark(const char *dir, char ret[KBUILD_MAX], struct err *e)
{
	char path[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/" FRESH MARK, dir);
	unlink(path);			/* of one who was killed before it counted */
	snprintf(path, sizeof(path), "%s/" MARK, dir);
	n = readlink(path, ret, KBUILD_MAX - 1);
	if (n < 0)
		return fail(e, errno, "'%s': %s", path, strerror(errno));
	ret[n] = 0;
	return 0;
}

/*
 * Every daemon loads its own of these: the steering template, constants (.rodata; a bpffs takes no name
 * with a dot), and what a program needs while it runs.
 */
static int is_own(const struct bpf_map *map)
{
	return !strcmp(bpf_map__name(map), "steer") || bpf_map__is_internal(map) ||
	       bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_ARRAY;
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
	r = pin_mark(dir, k->build, e);
	if (!r)
		return 0;
undo:
	kbpf_unpin(dir);
	return r;
}

void kbpf_unpin(const char *dir)
{
	static const char *const kinds[] = { MARK, FRESH, "map_", "prog_", "link_" };
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
		if (k->prog[h] < 0 && errno == ENOENT && (kbpf_hook_where(h) == AT_GUARD || kbpf_hook_where(h) == AT_TELL)) {
			fprintf(stderr, "oshd: program '%s' is left out: it was not loaded\n", kbpf_hook_name(h));
			bpf_program__set_autoload(p, false);
			k->lacks[h] = true;
			continue;
		}
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

		if (!kbpf_hook_linked(k, h))
			continue;
		if (pin_path(path, sizeof(path), dir, "link", kbpf_hook_name(h)) < 0)
			return fail(e, ENAMETOOLONG, "pin directory '%.100s' is too long", dir);
		k->links[h] = bpf_link__open(path);
		if (!k->links[h] && errno == ENOENT && kbpf_hook_where(h) == AT_TELL)
			k->lacks[h] = true;		/* it could not be attached */
		else if (!k->links[h])
			return fail(e, errno, "pin '%s': %s", path, strerror(errno));
	}
	return 0;
}

/* Programs of another build are left where they are, and ours loaded beside them: see replace.c. */
static int adopt_loaded(struct kbpf *k, const char *dir, struct err *e)
{
	int r = 0;

	if (k->replaces)
		return kbpf_lanes(k, e);
	r = adopt_programs(k, dir, e);
	return r ? r : adopt_links(k, dir, e);
}

static int adopt(struct kbpf **ret, const char *dir, const char *build, const struct kbpf_off *off, struct err *e)
{
	struct kbpf *k = NULL;
	int r = kbpf_open(&k, off, e);

	if (r < 0)
		return r;
	k->replaces = !!strcmp(build, k->build);
	r = adopt_maps(k, dir, e);
	if (!r)
		r = adopt_loaded(k, dir, e);
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

int kbpf_adopt(struct kbpf **ret, const char *dir, const struct kbpf_off *off, struct err *e)
{
	char build[KBUILD_MAX];
	int r = read_mark(dir, build, e);

	if (r < 0)
		return r;
	r = adopt(ret, dir, build, off, e);
	while (r < 0 && kbpf_lsm_narrow_tells())	/* a later build may tell what this kernel does not take */
		r = adopt(ret, dir, build, off, e);
	return r;
}

int kbpf_is_whole(const char *dir)
{
	char build[KBUILD_MAX];

	return read_mark(dir, build, NULL) >= 0;
}
