/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON of a question -> what eval.h asks for. Everything is copied into the arena. A member of a wrong
 * type, or with a NUL in its text, makes the whole question wrong.
 */
#pragma once

#include <jansson.h>

#include "arena.h"
#include "eval.h"

const char *member_text(const json_t *o, const char *key);	/* NULL: absent, no text, or with NUL */
bool member_texts(struct arena *a, const json_t *list, const char *const **ret, uint32_t *ret_n);
bool question_connect(struct arena *a, const json_t *o, struct eval_connect *ret);
bool question_request(struct arena *a, const json_t *o, struct eval_request *ret);
