/* SPDX-License-Identifier: Apache-2.0 */
/* Ownership at the declaration: `_close_ int fd`, `_free_ char *s`; give away with take_fd/take_ptr. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void own_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void own_free(void *p)
{
	free(*(void **)p);
	*(void **)p = NULL;
}

static inline void own_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
	*f = NULL;
}

static inline int take_fd(int *fd)
{
	int was = *fd;

	*fd = -1;
	return was;
}

static inline void *own_take(void *p)
{
	void *was = *(void **)p;

	*(void **)p = NULL;
	return was;
}

#define _close_ __attribute__((cleanup(own_close)))
#define _free_ __attribute__((cleanup(own_free)))
#define _fclose_ __attribute__((cleanup(own_fclose)))
#define take_ptr(pp) ((__typeof__(*(pp)))own_take(pp))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))
