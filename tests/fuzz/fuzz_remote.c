/* SPDX-License-Identifier: Apache-2.0 */
/* A word from another host's oshctl: what is taken is a whole command line. And a host: what is taken is no option. */
#include <stdlib.h>
#include <unistd.h>

#include "../../userspace/oshctl/remote.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	char *word = strndup((const char *)data, n), *host = strdup(word ? word : "");
	struct remote_host h;
	struct err e;
	char **argv;
	int argc;

	if (!word || !host)
		abort();
	if (remote_host_parse(host, &h, &e) == 0 &&
	    (!h.dest[0] || h.dest[0] == '-' || strpbrk(h.dest, " \t\n\r'\"\\$`;&|<>(){}*?!#/") ||
	     (strrchr(h.dest, '@') && strrchr(h.dest, '@')[1] == '-')))
		__builtin_trap();
	if (remote_unpack(word, &argc, &argv, &e) == 0) {
		if (argc < 1 || argv[argc])
			__builtin_trap();
		for (int i = 0; i < argc; i++) {
			int fd = remote_policy(argv[i]);

			if (fd >= 0)
				close(fd);
		}
		remote_forget();
		for (int i = 0; i < argc; i++)
			free(argv[i]);
		free(argv);
	} else {
		remote_forget();
	}
	if (word[0])
		__builtin_trap();	/* it was wiped */
	free(word);
	free(host);
	return 0;
}
