/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a command line, said before the usage. Each says it and gives false, or is content. */
#pragma once

#include <getopt.h>
#include <stdbool.h>

/* Words from optind on, as "NAME" or "NAME LOCAL... DEST" names them: dots, and there may be more of them. */
bool usage_operands(int argc, char **argv, const char *names);
bool usage_stray(int c, const struct option *options);	/* an option of another verb with the same table; always false */
bool usage_path(const char *option, const char *value);	/* an absolute path */
