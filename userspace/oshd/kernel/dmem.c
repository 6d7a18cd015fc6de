/* SPDX-License-Identifier: Apache-2.0 */
/* Reads only kernel-made text, "region number" in lines. */
#include "dmem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgfile.h"
#include "own.h"

#define TEXT 16384			/* of a file: some hundred regions */
#define REGION 128

/* The next line's region and number; false at the end. A line that is neither has no region. */
static bool next(char **at, char ret[REGION], uint64_t *ret_number)
{
	char *line = strsep(at, "\n"), *space = line ? strchr(line, ' ') : NULL;

	*ret = 0;
	*ret_number = 0;
	if (space && space - line < REGION) {
		memcpy(ret, line, (size_t)(space - line));
		ret[space - line] = 0;
		*ret_number = strtoull(space + 1, NULL, 10);
	}
	return line;
}

/* "drm/PCI/vram0", of this device and no other whose name begins alike. */
static bool is_of(const char *region, const char *pci)
{
	const char *at = strchr(region, '/');
	size_t n = strlen(pci);

	return n && at && !strncmp(at + 1, pci, n) && at[1 + n] == '/';
}

/* One write a region: a line that is refused takes those after it along. */
static int limit(int box_fd, const char *region, uint64_t bytes)
{
	char line[REGION + 32];

	snprintf(line, sizeof(line), "%s %" PRIu64, region, bytes);
	return cgfile_write(box_fd, "dmem.max", line);
}

int dmem_set(const struct cgroup_base *c, int box_fd, const char *pci, uint64_t bytes, const char **ret_why)
{
	_close_ int root = open(c->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_free_ char *text = malloc(TEXT);
	char region[REGION], *at = text;
	bool counted = false;
	uint64_t capacity;

	*ret_why = "cgroup v2 has no controller 'dmem' here (Linux 6.14 or newer with CONFIG_CGROUP_DMEM)";
	if (!text || cgfile_read(root, "dmem.capacity", text, TEXT) < 0 || !cgfile_enable(c, "dmem"))
		return -ENOENT;
	*ret_why = "the kernel refuses the limit";
	while (next(&at, region, &capacity)) {
		int r = is_of(region, pci) ? limit(box_fd, region, bytes) : 0;

		if (r < 0)
			return r;
		counted |= is_of(region, pci);
	}
	*ret_why = "its driver does not count what a cgroup takes of its memory";
	return counted ? 0 : -ENODEV;
}

bool dmem_has(const struct cgroup_base *c)
{
	_close_ int root = open(c->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char text[512];

	return cgfile_read(root, "cgroup.controllers", text, sizeof(text)) >= 0 && cgfile_has(text, "dmem", " \n") &&
	       !faccessat(root, "dmem.capacity", R_OK, 0);
}

uint64_t dmem_use(int box_fd)
{
	_free_ char *text = malloc(TEXT);
	char region[REGION], *at = text;
	uint64_t all = 0, one;

	if (text && cgfile_read(box_fd, "dmem.current", text, TEXT) >= 0)
		while (next(&at, region, &one))
			all += one;
	return all;
}
