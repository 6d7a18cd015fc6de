/* SPDX-License-Identifier: Apache-2.0 */
#include "warnings.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

/* A line at a time: the end of one is no control character of a text. */
static void add_line(struct warnings *w, const char *line, size_t len)
{
	size_t n = strlen(w->text), at = n + (n ? 1 : 0);

	if (!len || at + len >= sizeof(w->text))
		return;
	if (n)
		w->text[n] = '\n';
	memcpy(w->text + at, line, len);
	w->text[at + len] = 0;
	utf8_clean(w->text + at);
}

void warnings_add(struct warnings *w, const char *fmt, ...)
{
	char line[sizeof(w->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	w->n++;
	add_line(w, line, strlen(line));
}

void warnings_take(struct warnings *w, uint32_t n, const char *text, size_t size)
{
	const char *end = text + strnlen(text, size);

	w->n += n;
	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text)), *stop = nl ? nl : end;

		add_line(w, text, (size_t)(stop - text));
		text = nl ? nl + 1 : end;
	}
}

int warnings_put(sd_bus_message *m, const struct warnings *w)
{
	int r = sd_bus_message_open_container(m, 'a', "s");
	char text[sizeof(w->text)], *save = NULL;
	uint32_t said = 0;

	memcpy(text, w->text, sizeof(text));
	for (char *line = strtok_r(text, "\n", &save); r >= 0 && line; line = strtok_r(NULL, "\n", &save), said++)
		r = sd_bus_message_append(m, "s", line);
	if (r >= 0 && said < w->n) {
		snprintf(text, sizeof(text), "and %" PRIu32 " more", w->n - said);
		r = sd_bus_message_append(m, "s", text);
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}
