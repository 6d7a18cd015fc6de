/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "err.h"

/*
 * Table `inet osh` in the current network namespace, in one transaction: all of it or none. What the
 * connect hook did not judge is dropped and counted, and so is everything that is not on lo.
 */
int nft_install(struct err *e);
