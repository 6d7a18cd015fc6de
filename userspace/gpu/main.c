/* SPDX-License-Identifier: Apache-2.0 */
/* One question, one answer (osh/gpu.h): descriptor 3 is read, 4 is written. Started by oshd. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cage.h"
#include "found.h"
#include "own.h"

static const char *const cdi_dirs[] = { "/etc/cdi", "/run/cdi" };	/* the later one wins */

static int put(const void *p, size_t n)
{
	for (const char *at = p; n;) {
		ssize_t done = write(4, at, n);

		if (done <= 0)
			return 1;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

static int answer(const struct found *f)
{
	bool bad = f->e.code;
	struct osh_gpu_head h = { .magic = OSH_GPU_MAGIC, .code = f->e.code, .n_devices = bad ? 0 : f->n_devices,
				  .n_edits = bad ? 0 : f->n_edits };

	snprintf(h.text, sizeof(h.text), "%s", bad ? f->e.text : f->warning);
	if (put(&h, sizeof(h)) || put(f->devices, h.n_devices * sizeof(*f->devices)))
		return 1;
	return put(f->edits, h.n_edits * sizeof(*f->edits));
}

/* Before anything is opened by the confined: a directory that root alone writes, or none. */
static int open_dir(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* As much as fits in an error. */
static const char *short_of(const char *warning, char ret[160])
{
	snprintf(ret, 160, "%.159s", warning);
	return ret;
}

static void mark_named(struct found *f, const struct osh_gpu_ask *ask)
{
	char text[160];

	for (uint32_t i = 0; i < ask->n && !f->e.code; i++) {
		int d = found_by_name(f, ask->name[i]);

		if (!strcmp(ask->name[i], "all"))
			for (uint32_t k = 0; k < f->n_devices; k++)
				f->devices[k].named |= f->devices[k].kind == OSH_GPU_WHOLE;
		else if (d >= 0)
			f->devices[d].named = 1;
		else
			fail(&f->e, ENODEV, "this machine has no GPU '%.60s' (see `oshctl gpu list`)%s%s",
			     ask->name[i], *f->warning ? "; " : "", short_of(f->warning, text));
	}
}

/* Specifications are read only where one is asked for by name, or all are listed: a broken one is nobody else's trouble. */
static bool wants_cdi(const struct osh_gpu_ask *ask)
{
	for (uint32_t i = 0; i < ask->n; i++)
		if (strchr(ask->name[i], '='))
			return true;
	return ask->list;
}

int main(void)
{
	static struct osh_gpu_ask ask;
	int dirs[ARRAY_SIZE(cdi_dirs)];
	struct found f = { 0 };
	ssize_t n = pread(3, &ask, sizeof(ask), 0);

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		dirs[i] = open_dir(cdi_dirs[i]);
	if (n != sizeof(ask) || ask.magic != OSH_GPU_MAGIC || ask.n > OSH_GPU_NAMES)
		return 1;
	for (uint32_t i = 0; i < ask.n; i++)
		ask.name[i][OSH_GPU_NAME - 1] = 0;
	if (gpu_cage(&f.e) == 0)
		native_find(&f);
	for (size_t i = 0; i < ARRAY_SIZE(dirs) && wants_cdi(&ask); i++)
		if (dirs[i] >= 0 && !f.e.code)
			cdi_find(&f, dirs[i], cdi_dirs[i]);
	mark_named(&f, &ask);
	n = answer(&f);
	found_done(&f);
	return (int)n;
}
