/* SPDX-License-Identifier: Apache-2.0 */
/* Facts about processes from /proc, as proc(5) gives them. */
#pragma once

/* Start time in clock ticks since boot: with the pid it names a process for good. 0 or -errno. */
int proc_start(int pid, unsigned long long *ret_ticks);
