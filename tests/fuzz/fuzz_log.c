/* SPDX-License-Identifier: Apache-2.0 */
/* A line of a log, made by whoever. On a terminal it is one line of printable ASCII. */
#include <stdio.h>
#include <stdlib.h>

#include "../../userspace/oshctl/log_line.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	struct slice line = { (const char *)data, n };
	struct log_filter f = { .sandbox = "box", .denied = true };
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	if (memchr(data, '\n', n))
		return 0;
	out = open_memstream(&text, &len);
	log_line_print(out, line, false);
	fclose(out);
	if (!len || text[len - 1] != '\n')
		__builtin_trap();
	for (size_t i = 0; i + 1 < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			__builtin_trap();
	free(text);
	if (log_line_matches(line, &f) && log_line_time(line) < 0)
		__builtin_trap();
	return 0;
}
