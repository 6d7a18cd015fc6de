/* SPDX-License-Identifier: Apache-2.0 */
/* Opens policies by path or by preset, and `oshctl policy preset`, which shows the presets. */
#include "policy_source.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "embed.h"
#include "policy.h"
#include "verbs.h"

#define PREFIX "preset:"

const char *policy_source_preset(const char *file)
{
	return strncmp(file, PREFIX, strlen(PREFIX)) ? NULL : file + strlen(PREFIX);
}

int policy_source_open(const char *file, int *ret_fd, struct err *e)
{
	const char *preset = policy_source_preset(file);
	int r = preset ? policy_preset_fd(preset, ret_fd, e) : 0;

	if (preset)
		return r < 0 || lseek(*ret_fd, 0, SEEK_SET) == 0 ? r : fail(e, errno, "seek: %s", strerror(errno));
	*ret_fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return *ret_fd >= 0 ? 0 : fail(e, errno, "cannot open policy '%s': %s", file, strerror(errno));
}

int cmd_policy_preset(int argc, char **argv)
{
	struct slice text;

	if (argc > 2)
		return help_usage("policy preset");
	for (size_t i = 0; argc < 2 && embed_preset_name(i); i++)
		puts(embed_preset_name(i));
	if (argc < 2)
		return fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
	text = embed_preset(argv[1]);
	if (!text.n) {
		fprintf(stderr, "oshctl: no preset is called '%s'; 'oshctl policy preset' lists them\n", argv[1]);
		return EXIT_REFUSED;
	}
	return fwrite(text.p, 1, text.n, stdout) == text.n && !fflush(stdout) ? EXIT_DONE : EXIT_REFUSED;
}
