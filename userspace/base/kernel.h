/* SPDX-License-Identifier: Apache-2.0 */
/* The oldest kernel that osh runs on. Whatever fails on one that is older should fail with this sentence. */
#pragma once

#include "err.h"

#define KERNEL_MAJOR 6
#define KERNEL_MINOR 12

int kernel_check(struct err *e);
