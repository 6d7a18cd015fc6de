/* SPDX-License-Identifier: Apache-2.0 */
/* How amounts of resources are written: in a policy, and as arguments of options. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "osh/bundle.h"

enum amount_kind { PROCESSORS, BYTES, COUNT, TIME };

struct amount {
	const char *key, *text;
	enum amount_kind kind;
	uint64_t least, most;
};

extern const struct amount amounts[OSH_RESOURCES];

#define AMOUNT_WHY 96
/* False with the reason, which stands behind the text: "is no size such as ...". */
bool amount_read(enum osh_resource what, const char *text, uint64_t *ret, char why[AMOUNT_WHY]);
