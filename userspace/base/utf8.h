/* SPDX-License-Identifier: Apache-2.0 */
/* Text that goes where UTF-8 is required or a terminal shows it, and may come from anywhere. */
#pragma once

/* Replaces, in place, every byte that is no valid UTF-8 and every control character with '?'. */
void utf8_clean(char *s);
