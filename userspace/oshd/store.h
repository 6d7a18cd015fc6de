/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the next oshd needs of a living sandbox, kept by osh-launch: descriptors and one fixed-size
 * record. Nothing is written to disk; when osh-launch dies too, the next start sweeps.
 */
#pragma once

#include "chan.h"
#include "err.h"
#include "sandbox.h"

int store_save(struct sandbox *s, struct err *e);
void store_forget(struct sandbox *s);

/* Rebuilds a sandbox from what osh-launch kept; takes the descriptors out of *in. */
int store_adopt(struct daemon *d, const struct osh_msg_stored *m, struct chan_in *in, struct err *e);
