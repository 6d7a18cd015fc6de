/* SPDX-License-Identifier: Apache-2.0 */
/* Open files compared. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

/* While either is open, its number is no other file's. */
static inline bool file_same(int a, int b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static inline bool file_among(int fd, const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (file_same(fd, fds[i]))
			return true;
	return false;
}
