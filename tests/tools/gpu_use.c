/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `gpu_use NVML CUDA`: works with every GPU that the two libraries of NVIDIA's driver let it have, and says for each how far it
 * came, one line a GPU: `nvml UUID ok|error=N`, `cuda UUID ok|error=N`; `cuda - error=N` where there is none. Exit status 0 where
 * CUDA worked with one. Built without NVIDIA's headers: names and shapes are those of its public API references.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CALL(ret, name, ...) static ret (*name)(__VA_ARGS__)
#define UUID_TEXT 80
#define BYTES 4096

CALL(int, nvmlInit_v2, void);
CALL(int, nvmlDeviceGetCount_v2, unsigned *);
CALL(int, nvmlDeviceGetHandleByIndex_v2, unsigned, void **);
CALL(int, nvmlDeviceGetUUID, void *, char *, unsigned);
CALL(int, cuInit, unsigned);
CALL(int, cuDeviceGetCount, int *);
CALL(int, cuDeviceGet, int *, int);
CALL(int, cuDeviceGetUuid, unsigned char *, int);
CALL(int, cuCtxCreate_v2, void **, unsigned, int);
CALL(int, cuCtxDestroy_v2, void *);
CALL(int, cuMemAlloc_v2, uint64_t *, size_t);
CALL(int, cuMemsetD8_v2, uint64_t, unsigned char, size_t);
CALL(int, cuMemcpyDtoH_v2, void *, uint64_t, size_t);
CALL(int, cuMemFree_v2, uint64_t);

#define SYMBOL(name) { #name, &name }
static const struct symbol {
	const char *name;
	void *to;
} nvml_calls[] = {
	SYMBOL(nvmlInit_v2), SYMBOL(nvmlDeviceGetCount_v2), SYMBOL(nvmlDeviceGetHandleByIndex_v2), SYMBOL(nvmlDeviceGetUUID), { 0 },
}, cuda_calls[] = {
	SYMBOL(cuInit), SYMBOL(cuDeviceGetCount), SYMBOL(cuDeviceGet), SYMBOL(cuDeviceGetUuid), SYMBOL(cuCtxCreate_v2),
	SYMBOL(cuCtxDestroy_v2), SYMBOL(cuMemAlloc_v2), SYMBOL(cuMemsetD8_v2), SYMBOL(cuMemcpyDtoH_v2), SYMBOL(cuMemFree_v2), { 0 },
};

static int load(const char *path, const struct symbol *calls)
{
	void *h = dlopen(path, RTLD_NOW | RTLD_LOCAL), *at;

	if (!h)
		printf("load %s\n", dlerror());
	for (; h && calls->name; calls++) {
		at = dlsym(h, calls->name);
		if (!at)
			printf("load %s: no %s\n", path, calls->name);
		if (!at)
			return -1;
		memcpy(calls->to, &at, sizeof(at));
	}
	return h ? 0 : -1;
}

static void say(const char *library, const char *uuid, int error)
{
	if (error)
		printf("%s %s error=%d\n", library, uuid, error);
	else
		printf("%s %s ok\n", library, uuid);
}

static void nvml(void)
{
	unsigned n = 0;
	int r = nvmlInit_v2();

	if (!r)
		r = nvmlDeviceGetCount_v2(&n);
	if (r)
		say("nvml", "-", r);
	for (unsigned i = 0; i < n; i++) {
		char uuid[UUID_TEXT] = "-";
		void *device;

		r = nvmlDeviceGetHandleByIndex_v2(i, &device);
		if (!r)
			r = nvmlDeviceGetUUID(device, uuid, sizeof(uuid));
		say("nvml", uuid, r);
	}
}

/* Memory of the GPU is written by the GPU and read back. */
static int compute(int device)
{
	unsigned char got[BYTES] = { 0 };
	uint64_t memory = 0;
	void *context;
	int r = cuCtxCreate_v2(&context, 0, device);

	if (r)
		return r;
	r = cuMemAlloc_v2(&memory, BYTES);
	if (!r)
		r = cuMemsetD8_v2(memory, 0x5a, BYTES);
	if (!r)
		r = cuMemcpyDtoH_v2(got, memory, BYTES);
	for (int i = 0; !r && i < BYTES; i++)
		r = got[i] == 0x5a ? 0 : -1;
	(void)cuMemFree_v2(memory);
	(void)cuCtxDestroy_v2(context);
	return r;
}

static void uuid_text(const unsigned char u[16], char ret[UUID_TEXT])
{
	int n = snprintf(ret, UUID_TEXT, "GPU-");

	for (int i = 0; i < 16; i++)
		n += snprintf(ret + n, UUID_TEXT - (size_t)n, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
}

static int cuda(void)
{
	int n = 0, worked = 0, r = cuInit(0);

	if (!r)
		r = cuDeviceGetCount(&n);
	if (r || !n)
		say("cuda", "-", r ? r : 100);
	for (int i = 0; i < n; i++) {
		char uuid[UUID_TEXT] = "-";
		unsigned char raw[16];
		int device;

		r = cuDeviceGet(&device, i);
		if (!r && !(r = cuDeviceGetUuid(raw, device)))
			uuid_text(raw, uuid);
		if (!r)
			r = compute(device);
		say("cuda", uuid, r);
		worked += !r;
	}
	return worked;
}

int main(int argc, char **argv)
{
	if (argc != 3 || load(argv[1], nvml_calls) < 0 || load(argv[2], cuda_calls) < 0)
		return 2;
	nvml();
	return cuda() ? 0 : 1;
}
