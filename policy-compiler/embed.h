/* SPDX-License-Identifier: Apache-2.0 */
/* Files of this tree that are part of the program, so that they cannot be missing at run time. */
#pragma once

#include <stddef.h>

#include "slice.h"

struct slice embed_helpers(void);		/* registry/helpers.yaml */
struct slice embed_preset(const char *name);	/* presets/NAME.yaml; {0} when there is none */
const char *embed_preset_name(size_t i);	/* NULL past the last */
struct slice embed_profile(const char *name);	/* profiles/NAME.json; {0} when there is none */
const char *embed_profile_name(size_t i);	/* NULL past the last */
