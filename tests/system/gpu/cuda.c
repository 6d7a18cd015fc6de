/* SPDX-License-Identifier: Apache-2.0 */
/* libcuda.so.1, as far as tests/tools/gpu_use.c asks it: a GPU's memory is this process'. */
#include "standin.h"

#include <stdint.h>
#include <stdlib.h>

enum { SUCCESS = 0, INVALID = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_DEVICE = 101 };

int cuInit(unsigned flags);
int cuDeviceGetCount(int *n);
int cuDeviceGet(int *ret, int ordinal);
int cuDeviceGetUuid(unsigned char *ret, int device);
int cuCtxCreate_v2(void **ret, unsigned flags, int device);
int cuCtxDestroy_v2(void *context);
int cuMemAlloc_v2(uint64_t *ret, size_t n);
int cuMemsetD8_v2(uint64_t at, unsigned char value, size_t n);
int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t n);
int cuMemFree_v2(uint64_t at);

int cuDeviceGetCount(int *n)
{
	*n = 0;
	for (unsigned i = 0; i < STANDIN_GPUS; i++)
		*n += standin_has(i);
	return SUCCESS;
}

int cuInit(unsigned flags)
{
	int n;

	(void)flags;
	cuDeviceGetCount(&n);
	return n ? SUCCESS : NO_DEVICE;
}

/* Ordinals are of those that are there. */
int cuDeviceGet(int *ret, int ordinal)
{
	for (unsigned i = 0; i < STANDIN_GPUS; i++)
		if (standin_has(i) && !ordinal--) {
			*ret = (int)i;
			return SUCCESS;
		}
	return INVALID_DEVICE;
}

int cuDeviceGetUuid(unsigned char *ret, int device)
{
	memset(ret, 0, 16);
	ret[15] = (unsigned char)device;
	return SUCCESS;
}

int cuCtxCreate_v2(void **ret, unsigned flags, int device)
{
	(void)flags;
	*ret = (void *)(uintptr_t)(device + 1);
	return standin_has((unsigned)device) ? SUCCESS : INVALID_DEVICE;
}

int cuCtxDestroy_v2(void *context)
{
	return context ? SUCCESS : INVALID;
}

int cuMemAlloc_v2(uint64_t *ret, size_t n)
{
	*ret = (uint64_t)(uintptr_t)malloc(n);
	return *ret ? SUCCESS : OUT_OF_MEMORY;
}

int cuMemsetD8_v2(uint64_t at, unsigned char value, size_t n)
{
	memset((void *)(uintptr_t)at, value, n);
	return SUCCESS;
}

int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t n)
{
	memcpy(to, (void *)(uintptr_t)from, n);
	return SUCCESS;
}

int cuMemFree_v2(uint64_t at)
{
	free((void *)(uintptr_t)at);
	return SUCCESS;
}
