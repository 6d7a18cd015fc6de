/* SPDX-License-Identifier: Apache-2.0 */
/* What oshd says that a sandbox was started without: an array of strings at the end of its answer. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "json.h"

/* A preset names directories of many distributions: those that are not there are no news then. NULL = the default one. */
bool warnings_of_preset(const char *policy);

/* Says them on standard error, and, with `j`, appends them to the array that is open there. */
int warnings_say(sd_bus_message *answer, bool preset, struct json *j);
