/* SPDX-License-Identifier: Apache-2.0 */
/*
 * org.osh.Manager1 on the system bus, where there is one: what reads, and nothing that changes.
 * oshd never needs it, and looks for it again now and then.
 */
#pragma once

#include "daemon.h"

void sysbus_open(struct daemon *d);
void sysbus_close(struct daemon *d);
