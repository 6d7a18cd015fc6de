/* SPDX-License-Identifier: Apache-2.0 */
/* The names and shapes are those of NVIDIA's public API reference; nothing of it is needed to build. */
#include "nvml.h"

#include <dlfcn.h>
#include <stddef.h>

struct memory {
	unsigned long long total, free, used;
};

static struct {
	bool tried, lives;
	int (*init)(void);
	int (*version)(char *, unsigned);
	int (*by_uuid)(const char *, void **);
	int (*memory)(void *, struct memory *);
} lib;

static bool load(void)
{
	const struct {
		const char *name;
		void *to;
	} calls[] = { { "nvmlInit_v2", &lib.init },
		      { "nvmlSystemGetDriverVersion", &lib.version },
		      { "nvmlDeviceGetHandleByUUID", &lib.by_uuid },
		      { "nvmlDeviceGetMemoryInfo", &lib.memory } };
	void *h = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; h && i < sizeof(calls) / sizeof(*calls); i++) {
		*(void **)calls[i].to = dlsym(h, calls[i].name);
		if (!*(void **)calls[i].to)
			return false;
	}
	return h && !lib.init();
}

bool nvml_ask(const char *uuid, struct nvml_row *ret)
{
	struct memory m = { 0 };
	void *device = NULL;

	*ret = (struct nvml_row){ 0 };
	if (!lib.tried)
		lib.lives = load();
	lib.tried = true;
	if (!lib.lives || !*uuid || lib.by_uuid(uuid, &device) || lib.memory(device, &m))
		return false;
	ret->total = m.total;
	ret->used = m.used;
	if (lib.version(ret->driver, sizeof(ret->driver)))
		ret->driver[0] = 0;
	return true;
}
