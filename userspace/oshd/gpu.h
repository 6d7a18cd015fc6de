/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GPUs, and other devices of CDI specifications, for sandboxes. osh-gpu, unprivileged, says what there is and what each needs;
 * here it is checked, and given out. Who has what is two things that both outlive oshd: locks on the file of the
 * sandbox's slot, which end with it, and its entries in the kernel's table.
 */
#pragma once

#include "daemon.h"
#include "osh/gpu.h"

struct sandbox;

/* An answer of osh-gpu, checked. */
struct gpu_answer {
	struct osh_gpu_device *devices;
	struct osh_gpu_edit *edits;
	uint32_t n_devices, n_edits;
	char warning[sizeof(((struct osh_gpu_head *)0)->text)];
};

int gpu_ask(struct daemon *d, const struct osh_gpu_ask *ask, struct gpu_answer *ret, struct err *e);
void gpu_answer_done(struct gpu_answer *a);

/* Of a start, in this order: locks what the policy asks for, tells osh-launch, opens it in the kernel's table. */
int gpu_take(struct sandbox *s, struct err *e);
int gpu_limit(struct sandbox *s, struct err *e);	/* resources.gpu_memory, once it has its cgroup */
int gpu_mounts(struct sandbox *s, struct err *e);
int gpu_fill(struct sandbox *s, struct err *e);
void gpu_give_back(struct sandbox *s);	/* of one that has no process left, or never had one */
void gpu_done(struct sandbox *s);	/* forgets the answer; what was taken stays the sandbox's */
