/* SPDX-License-Identifier: Apache-2.0 */
/* What each verb takes, from options.def: for help, the man page and shells. */
#pragma once

#include <stdio.h>

enum word_kind {			/* what a shell may offer; zero: nothing */
	KIND_NONE, KIND_TEXT, KIND_FILE, KIND_DIR, KIND_COMMAND, KIND_POLICY, KIND_PRESET, KIND_SANDBOX, KIND_VOLUME,
	KIND_USER, KIND_VERB, KIND_PROVIDER, KIND_PROFILE,
	KIND_MAX,
};

struct verb_option {
	const char *verb;
	char letter;			/* 0 = none */
	const char *name, *argument;	/* "" = none */
	enum word_kind kind;
	const char *text;
};
extern const struct verb_option verb_options[];	/* ends in a row without verb */

enum word_kind operand_kind(const char *verb, unsigned n);	/* of its n-th operand, from 0 */
void options_list(const char *verb, FILE *out);			/* a line each, as help shows them */
