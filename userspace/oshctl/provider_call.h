/* SPDX-License-Identifier: Apache-2.0 */
/* Stored providers as oshd tells of them. */
#pragma once

#include <stdint.h>
#include <systemd/sd-bus.h>

#include "err.h"
#include "osh/creds.h"
#include "osh/limits.h"

struct provider_row {
	char name[OSH_CRED_NAME], type[OSH_PROVIDER_TYPE];
	uint32_t uid, sandboxes;
	uint64_t created_us, rotated_us;
	char *record;			/* heap; of provider_get() alone */
};

/* uid: MANAGER_SELF, or whose it is. record is the caller's to free. */
int provider_get(sd_bus *bus, const char *name, uint32_t uid, struct provider_row *ret, struct err *e);
int provider_read_row(sd_bus_message *m, struct provider_row *ret);	/* a{sv} */

/* What a sandbox has of them, into a set: by it the compiler knows their hosts. */
struct provider_set;
int provider_fill_set(sd_bus *bus, const char *sandbox, struct provider_set *s, struct err *e);
int provider_owner_of(sd_bus *bus, const char *sandbox, uint32_t *ret_uid, struct err *e);
