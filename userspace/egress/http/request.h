/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a request, and of an answer, as they cross from one side to the other. */
#pragma once

#include "http/conn.h"
#include "http/head.h"
#include "osh/abi.h"

/*
 * Does it say what its connection says (Host or :authority, scheme), and does it ask for something that
 * may cross? OSH_WHY_ALLOWED, else the reason and *detail. The authority is then in canonical form.
 */
enum osh_reason request_check(struct head *h, const struct conn *c, const char **detail);

/* A WebSocket is asked for. */
bool request_upgrades(const struct head *h);

/* The canonical path, and the query as it was: what was judged is what is sent. */
bool request_target(struct head *h, const char *path, struct slice query);

/* Takes out what concerns one connection alone, and what would change a request's meaning behind its judge. */
void request_clean(struct head *h, bool upgrade);
void answer_clean(struct head *h);
void trailers_clean(struct head *h);
