/* SPDX-License-Identifier: Apache-2.0 */
#include "warnings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy_source.h"
#include "say.h"

bool warnings_of_preset(const char *policy)
{
	return !policy || !strncmp(policy, POLICY_PRESET, strlen(POLICY_PRESET));
}

/* "/PATH: No such file or directory": the length of the path, else 0. */
static size_t missing_path(const char *text)
{
	const char *why = strerror(ENOENT);
	size_t n = strlen(text), m = strlen(why);

	return text[0] == '/' && n > m + 2 && !strcmp(text + n - m, why) ? n - m - 2 : 0;
}

int warnings_say(sd_bus_message *answer, bool preset, struct json *j)
{
	int r = sd_bus_message_enter_container(answer, 'a', "s");
	char missing[900] = "";
	const char *text;

	while (r >= 0 && (r = sd_bus_message_read(answer, "s", &text)) > 0) {
		size_t path = missing_path(text), n = strlen(missing);

		if (!path)
			say_error("warning: %s", text);
		else if (!preset)
			snprintf(missing + n, sizeof(missing) - n, "%s%.*s", n ? ", " : "", (int)path, text);
		if (j)
			json_text(j, text);
	}
	if (*missing)
		say_error("warning: not there, and left out: %s", missing);
	return r < 0 ? r : sd_bus_message_exit_container(answer);
}
