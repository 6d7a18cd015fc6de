/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sandbox was started without although its policy, or osh for every sandbox, would have had it. Whoever asked
 * for the start hears it, its log has it, and it is kept for the sandbox's life.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-bus.h>

#include "osh/limits.h"

struct warnings {
	uint32_t n;			/* all, also what found no room */
	char text[OSH_WARNINGS];	/* lines, each but the last with its '\n'; UTF-8 */
};

__attribute__((format(printf, 2, 3))) void warnings_add(struct warnings *w, const char *fmt, ...);

/* Several at once, of another process: `text` as above, of at most `size` bytes, any byte in it. */
void warnings_take(struct warnings *w, uint32_t n, const char *text, size_t size);

/* Appends them as an array of strings. */
int warnings_put(sd_bus_message *m, const struct warnings *w);
