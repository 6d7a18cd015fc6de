/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time as a person names them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * "90s", "1h30m", "2d" = so long ago; "2026-11-21", "2026-11-21 20:15[:03]", "20:15[:03]" (today), with a T for the
 * space and a Z at the end for UTC; "today", "yesterday", "now"; "@SECONDS" since the epoch. In milliseconds.
 */
bool log_time_parse(const char *text, int64_t now_ms, int64_t *ret_ms);
