/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of a row of oshd's for people: times, bytes and users as they are read. */
#pragma once

#include <stdbool.h>

#include "slice.h"

#define PERSON_MAX 64

/* The value of `key`, one JSON value; false: it is none of these, and is shown as JSON has it. */
bool person_number(const char *key, struct slice json, char to[PERSON_MAX]);
