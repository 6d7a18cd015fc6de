/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's HTTP proxy: one CONNECT (RFC 9110 9.3.6) on a connected, non-blocking socket, after which the
 * socket is the connection itself.
 */
#pragma once

#include <stdbool.h>

#include "table.h"

bool proxy_ask(int fd, const struct target *t);	/* false: it could not be said */

/*
 * 1 = the way is open and nothing behind the answer was read; 0 = call again when more can be read;
 * -1 = refused, or no answer of HTTP.
 */
int proxy_answer(int fd);
