/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as a CDI specification: it is taken whole, or there is a warning and nothing of it is left. What is left has
 * texts that end, devices that exist, and no node, mount or variable that oshd would not take.
 */
#include <stdlib.h>
#include <string.h>

#include "../../userspace/gpu/cdi.h"
#include "osh/abi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool good)
{
	if (!good)
		abort();
}

static void check_edit(const struct found *f, const struct osh_gpu_edit *x)
{
	must(x->device < f->n_devices && memchr(x->path, 0, sizeof(x->path)) && memchr(x->from, 0, sizeof(x->from)));
	if (x->kind == OSH_GPU_ENV) {
		must(strchr(x->path, '=') > x->path);
		return;
	}
	must(*x->from == '/' && *x->path == '/' && !strstr(x->path, "/../") && !strstr(x->from, "/../"));
	if (x->kind != OSH_GPU_NODE)
		return;
	must(!strncmp(x->path, "/dev/", 5) && x->major != 1 && (x->major < 4 || x->major > 5));
	must(!(x->rights & ~(OSH_DEVICE_READ | OSH_DEVICE_WRITE)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1);
	struct found f = { 0 };

	must(text);
	memcpy(text, data, n);
	text[n] = 0;
	cdi_read(&f, "x.yaml", (struct slice){ text, n });
	must(f.n_devices || *f.warning || !f.n_edits);
	for (uint32_t i = 0; i < f.n_devices; i++)
		must(memchr(f.devices[i].name, 0, OSH_GPU_NAME) && strchr(f.devices[i].name, '='));
	for (uint32_t i = 0; !f.e.code && i < f.n_edits; i++)
		check_edit(&f, &f.edits[i]);
	found_done(&f);
	free(text);
	return 0;
}
