/* SPDX-License-Identifier: Apache-2.0 */
#include "found.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "osh/abi.h"

/* Room for one more in a list that doubles; NULL = no room, and f->e says so. */
static void *grow(struct found *f, void *list, uint32_t n, uint32_t max, size_t size, const char *what)
{
	void *more = list;

	if (n >= max)
		more = (fail(&f->e, E2BIG, "more than %u %s", max, what), NULL);
	else if (!(n & (n - 1)) && !(more = realloc(list, (n ? 2 * (size_t)n : 1) * size)))
		fail(&f->e, ENOMEM, "out of memory");
	if (more)
		memset((char *)more + n * size, 0, size);
	return more;
}

int found_device(struct found *f, enum osh_gpu_kind kind, const char *name)
{
	struct osh_gpu_device *more;

	if (f->e.code)
		return -1;
	more = grow(f, f->devices, f->n_devices, OSH_GPU_DEVICES, sizeof(*more), "devices");
	if (!more)
		return -1;
	f->devices = more;
	more += f->n_devices;
	more->kind = kind;
	snprintf(more->name, sizeof(more->name), "%s", name);
	return (int)f->n_devices++;
}

struct osh_gpu_edit *found_edit(struct found *f, enum osh_gpu_edit_kind kind, uint32_t device)
{
	struct osh_gpu_edit *more;

	if (f->e.code)
		return NULL;
	more = grow(f, f->edits, f->n_edits, OSH_GPU_EDITS, sizeof(*more), "nodes, mounts and variables of devices");
	if (!more)
		return NULL;
	f->edits = more;
	more += f->n_edits++;
	more->kind = kind;
	more->device = device;
	return more;
}

bool found_node(struct found *f, uint32_t device, uint32_t flags, const char *path)
{
	struct osh_gpu_edit *x;
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISCHR(st.st_mode) || strlen(path) >= sizeof(x->path))
		return false;
	x = found_edit(f, OSH_GPU_NODE, device);
	if (!x)
		return false;
	x->flags = flags;
	x->rights = OSH_DEVICE_READ | OSH_DEVICE_WRITE;
	x->major = major(st.st_rdev);
	x->minor = minor(st.st_rdev);
	strcpy(x->from, path);
	strcpy(x->path, path);
	return true;
}

void found_warn(struct found *f, const char *fmt, ...)
{
	size_t n = strlen(f->warning);
	va_list ap;

	if (n && n + 2 < sizeof(f->warning)) {
		strcpy(f->warning + n, "; ");
		n += 2;
	}
	va_start(ap, fmt);
	vsnprintf(f->warning + n, sizeof(f->warning) - n, fmt, ap);
	va_end(ap);
}

int found_by_name(const struct found *f, const char *name)
{
	bool number = *name && strspn(name, "0123456789") == strlen(name);
	char alias[OSH_GPU_NAME + 8];

	snprintf(alias, sizeof(alias), "%s%s", number || isdigit(*name) ? "nvidia" : "", name);
	for (uint32_t i = 0; i < f->n_devices; i++) {
		const struct osh_gpu_device *d = &f->devices[i];

		if (!strcmp(d->name, name) || !strcmp(d->name, alias) || (d->uuid[0] && !strcmp(d->uuid, name)) ||
		    (d->kind == OSH_GPU_WHOLE && d->pci[0] && !strcmp(d->pci, name)))
			return (int)i;
	}
	return -1;
}

void found_done(struct found *f)
{
	free(f->devices);
	free(f->edits);
	*f = (struct found){ 0 };
}
