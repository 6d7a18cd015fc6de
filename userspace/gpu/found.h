/* SPDX-License-Identifier: Apache-2.0 */
/* What was found: devices, and what each brings into a sandbox. Grows; the first thing that goes wrong stays. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "osh/gpu.h"

struct found {
	struct osh_gpu_device *devices;
	struct osh_gpu_edit *edits;
	uint32_t n_devices, n_edits;
	char warning[sizeof(((struct osh_gpu_head *)0)->text)];
	struct err e;			/* code: nothing else counts */
};

/* The index, or -1 with f->e set. */
int found_device(struct found *f, enum osh_gpu_kind kind, const char *name);
struct osh_gpu_edit *found_edit(struct found *f, enum osh_gpu_edit_kind kind, uint32_t device);
void found_warn(struct found *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void found_done(struct found *f);

/* A character device of the host at `path`, the same inside; nothing where there is none. */
bool found_node(struct found *f, uint32_t device, uint32_t flags, const char *path);

/* "0" is "nvidia0"; otherwise by name or UUID. -1 = there is none. */
int found_by_name(const struct found *f, const char *name);

/* The machine's own (native.c); those of CDI specifications in a directory (cdi.c). */
void native_find(struct found *f);
void cdi_find(struct found *f, int dir_fd, const char *dir);
