/* SPDX-License-Identifier: Apache-2.0 */
/* What all oshds of a host share, resident and embedded, of whichever ABI: bpffs, osh.slice, slots. */
#pragma once

#include "daemon.h"

/* Orders making and removing of what is shared. Waits; never while the loop runs. */
int host_lock(struct daemon *d, struct err *e);
void host_unlock(struct daemon *d);

int host_pins(struct daemon *d, struct err *e);		/* the directory of pins, and a bpffs for it */
void host_unpin(struct daemon *d);

/* What another ABI holds under our name: reported and left alone, or removed where nobody lives in it. */
void host_others(struct daemon *d);

/*
 * A descriptor that holds the slot, and so the user ids that go with it, on the whole host, until host_slot_free() or for as
 * long as it or a copy is open; -EAGAIN where somebody else does.
 */
int host_slot(uint32_t slot, struct err *e);
void host_slot_free(int *slot_fd);	/* and its devices; closes it */

/*
 * A device on the file of a slot's lock: alone, or with others that share. Gone with that file. -EAGAIN: somebody
 * else's. HOST_GPU_FREE takes it back.
 */
enum host_gpu { HOST_GPU_FREE, HOST_GPU_SHARE, HOST_GPU_ALONE };
int host_gpu(int slot_fd, uint32_t major, uint32_t minor, enum host_gpu how, struct err *e);
int host_gpu_held(uint32_t major, uint32_t minor, enum host_gpu *ret, struct err *e);	/* by anybody of this host */
void host_gpus_free(int slot_fd);	/* all of this slot */
