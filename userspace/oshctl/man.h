/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdio.h>

void man_page(FILE *out);
