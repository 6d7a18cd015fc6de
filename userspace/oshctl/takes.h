/* SPDX-License-Identifier: Apache-2.0 */
/* Options that say what a sandbox may take, in place of what its policy says. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "osh/bundle.h"

#define TAKES_FIRST 512			/* + enum osh_resource */
#define TAKES_ROW(name, id) { name, required_argument, NULL, TAKES_FIRST + OSH_RES_##id }
#define TAKES_OPTIONS \
	TAKES_ROW("cpu", CPU), TAKES_ROW("memory", MEMORY), TAKES_ROW("swap", SWAP), TAKES_ROW("pids", PIDS), \
	TAKES_ROW("io-weight", IO_WEIGHT), TAKES_ROW("files", FILES), TAKES_ROW("disk", DISK), TAKES_ROW("wall", WALL), \
	TAKES_ROW("gpu-memory", GPU_MEMORY)

bool takes_option(int opt);
/* False: it was said what is wrong. */
bool takes_read(int opt, const char *text, uint64_t amount[OSH_RESOURCES]);
int takes_add(sd_bus_message *m, const uint64_t amount[OSH_RESOURCES]);	/* nothing where nothing was given */
