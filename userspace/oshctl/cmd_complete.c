/* SPDX-License-Identifier: Apache-2.0 */
/* complete: asked by a shell at the tab key, so it says nothing of what goes wrong, and never keeps one waiting. */
#include <string.h>
#include <unistd.h>

#include "complete.h"
#include "say.h"
#include "verbs.h"

#define PATIENCE_S 5			/* for an oshd that does not answer; SIGALRM ends us */

int cmd_complete(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "--")) {
		say_error("-- and the words of a command line are missing");
		return help_usage("complete");
	}
	alarm(PATIENCE_S);
	complete(argc - 2, argv + 2, stdout);
	return fflush(stdout) ? EXIT_REFUSED : EXIT_DONE;
}
