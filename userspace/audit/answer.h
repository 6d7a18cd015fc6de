/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answers that osh-audit can give to a refused system call: an errno, and nothing else. The kernel's
 * interface also knows "let it through". So each answer lies across the edge of two pages: the call's
 * number on one that is written, the errno on one that is read-only and sealed for the life of the
 * process; and the cage lets answers go out from these places alone. Whoever takes over osh-audit can
 * hold calls up, and can let none through.
 */
#pragma once

#include <stdint.h>

#include "err.h"

#define ANSWERS 4			/* of OSH_REFUSED_ERRNOS */
#define ANSWER_PIDFD_INFO 0xc040ff0bul	/* PIDFD_GET_INFO, Linux 6.13 */

int answer_setup(struct err *e);	/* once, before the cage */
uint64_t answer_place(int i);
int answer_send(int listener, uint64_t call, int error);	/* 0, or -ENOENT: the caller has gone */
