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
 * A descriptor that holds the slot, and so the user ids that go with it, on the whole host, for as long as it or
 * a copy is open; -EAGAIN where somebody else does.
 */
int host_slot(uint32_t slot, struct err *e);
