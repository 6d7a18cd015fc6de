/* SPDX-License-Identifier: Apache-2.0 */
/* One error value on the caller's stack: `return fail(e, EINVAL, "what '%s': why", x);` */
#pragma once

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct err {
	int code;			/* positive errno */
	char text[240];			/* one line for a person, no newline */
};

/* Fills *e (which may be NULL) and gives -code. */
__attribute__((format(printf, 3, 4)))
static inline int fail(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	e->code = code;
	return -code;
}
