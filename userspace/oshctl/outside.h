/* SPDX-License-Identifier: Apache-2.0 */
/* A program that the sandbox did not find, and the caller would have: where it is, and what shows it to a sandbox. */
#pragma once

void outside_say(const char *program, const char *policy);	/* policy: as it was given, NULL = none; on stderr */
