/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sandbox's programs trust, where the egress looks into TLS: the host's own roots and, behind
 * them, the sandbox's. Copied as bytes; nothing of it is read here.
 */
#pragma once

#include "view.h"

/* osh/ below the sandbox's /dev, which nothing of the host ever covers. Nothing where no root is needed. */
int trust_write(int dev, const struct view_args *a, struct err *e);

/* The same file where programs look for it, once every tree is in place. */
int trust_over(struct view *v, const struct paths *p, const struct view_args *a, struct err *e);
