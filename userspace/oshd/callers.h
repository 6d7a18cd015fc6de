/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callers of a resident oshd come through osh-front: it takes their connections, says whose they are, and passes calls
 * on with descriptors that nobody has to wait for. oshd itself holds nothing that a caller made.
 */
#pragma once

#include "daemon.h"

int callers_open(struct daemon *d, struct err *e);	/* <run>/bus */
void callers_close(struct daemon *d);
