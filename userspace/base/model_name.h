/* SPDX-License-Identifier: Apache-2.0 */
/* What may be the name of a model: what stands in JSON and in a path as it is. The compiler has its own reading, as eval does. */
#pragma once

#include "osh/inference.h"
#include "slice.h"

static inline bool model_name_is(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e || s.p[i] == '\\' || s.p[i] == '"')
			return false;
	return s.n > 0 && s.n <= OSH_MODEL_LEN;
}
