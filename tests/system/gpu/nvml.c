/* SPDX-License-Identifier: Apache-2.0 */
/* libnvidia-ml.so.1, as far as osh and its tests ask it. Handles are 1 + index. */
#include "standin.h"

#include <stdint.h>

enum { SUCCESS = 0, INVALID = 2, NO_PERMISSION = 4, NOT_FOUND = 6, DRIVER_NOT_LOADED = 9 };

int nvmlInit_v2(void);
int nvmlSystemGetDriverVersion(char *text, unsigned n);
int nvmlDeviceGetCount_v2(unsigned *n);
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **ret);
int nvmlDeviceGetHandleByUUID(const char *uuid, void **ret);
int nvmlDeviceGetUUID(void *device, char *text, unsigned n);
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long ret[3]);

int nvmlInit_v2(void)
{
	return standin_opens("nvidiactl") ? SUCCESS : DRIVER_NOT_LOADED;
}

int nvmlSystemGetDriverVersion(char *text, unsigned n)
{
	snprintf(text, n, "999.42");
	return SUCCESS;
}

/* Of all, also of those that this process may not have. */
int nvmlDeviceGetCount_v2(unsigned *n)
{
	*n = STANDIN_GPUS;
	return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **ret)
{
	*ret = (void *)(uintptr_t)(i + 1);
	return i >= STANDIN_GPUS ? INVALID : standin_has(i) ? SUCCESS : NO_PERMISSION;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **ret)
{
	char text[80];

	for (unsigned i = 0; i < STANDIN_GPUS; i++) {
		nvmlDeviceGetUUID((void *)(uintptr_t)(i + 1), text, sizeof(text));
		if (!strcmp(text, uuid))
			return nvmlDeviceGetHandleByIndex_v2(i, ret);
	}
	return NOT_FOUND;
}

int nvmlDeviceGetUUID(void *device, char *text, unsigned n)
{
	snprintf(text, n, "GPU-00000000-0000-0000-0000-00000000000%u", (unsigned)(uintptr_t)device - 1);
	return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(void *device, unsigned long long ret[3])
{
	ret[0] = 8ull << 30;
	ret[2] = (unsigned long long)(uintptr_t)device << 30;
	ret[1] = ret[0] - ret[2];
	return SUCCESS;
}
