/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of the small configuration files of package clients: [section], key = value, comments. The
 * part that .npmrc, pip.conf, cargo's config.toml and go's env file have in common, and nothing else:
 * what is not such a line is passed over. The text may be anybody's. Pure.
 */
#pragma once

#include "slice.h"

#define INI_TEXT 1024

struct ini {
	struct slice rest;
	bool folds;			/* an indented line goes on with the value of the key before it */
	unsigned line;			/* of what was found */
	char section[128], key[128], value[INI_TEXT];
};

/* The next key with its value; quotes around either are taken off. False at the end. */
bool ini_next(struct ini *it);
