/* SPDX-License-Identifier: Apache-2.0 */
/* What NVIDIA's own library says, where it is installed: loaded with the caller's rights, and only by who asks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct nvml_row {
	uint64_t total, used;		/* bytes of memory */
	char driver[80];
};

/* False: there is no such library, driver or device. */
bool nvml_ask(const char *uuid, struct nvml_row *ret);
