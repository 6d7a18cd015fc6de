/* SPDX-License-Identifier: Apache-2.0 */
/* Switches that leave out one layer, so that tests can see the others hold alone. Test builds only. */
#pragma once

#include <stdint.h>

/* OSH_TEST_OFF="connect4,landlock,..." as a mask of OSH_OFF_*; always 0 in a release build. */
uint64_t off_from_env(void);
