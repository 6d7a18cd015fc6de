/* SPDX-License-Identifier: Apache-2.0 */
/* Back ends of the compiler. */
#pragma once

#include "buf.h"
#include "diag.h"
#include "merge.h"
#include "slice.h"

/* Appends a bundle (include/osh/bundle.h) that bundle_open() accepts. 0, -EINVAL (too large, in *d) or -ENOMEM. */
int emit_bundle(const struct policy *p, const struct tables *t, struct slice text, struct diags *d,
		struct buf *ret);
