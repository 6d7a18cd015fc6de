/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stand-ins for two libraries of NVIDIA's driver, for machines that have none: two GPUs, each of which is there for whoever can
 * open its node and nvidiactl. No driver answers, so an open that is let through says ENXIO.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STANDIN_GPUS 2

static inline bool standin_opens(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno == ENXIO;
}

static inline bool standin_has(unsigned gpu)
{
	char name[32];

	snprintf(name, sizeof(name), "nvidia%u", gpu);
	return gpu < STANDIN_GPUS && standin_opens("nvidiactl") && standin_opens(name);
}
