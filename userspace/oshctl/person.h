/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of a row of oshd's for people: times, bytes and users as they are read. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

#define PERSON_MAX 64

void person_owner(uint32_t uid, char to[PERSON_MAX]);	/* the user's name, or the number where he has none */

/* The value of `key`, one JSON value; false: it is none of these, and is shown as JSON has it. */
bool person_number(const char *key, struct slice json, char to[PERSON_MAX]);
