/* SPDX-License-Identifier: Apache-2.0 */
/* Text for a person on stderr. Bytes that could steer a terminal are shown as \xNN. */
#pragma once

#include <stddef.h>

__attribute__((format(printf, 1, 2))) void say_error(const char *fmt, ...);	/* "oshctl: ...\n" */
void say_text(const char *p, size_t n);		/* several lines as they are, cleaned */
