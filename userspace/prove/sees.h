/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the model have this key of the language? Always. It is asked where a term is made of what stands
 * under a key that is MODEL in keys.def, so that a test can take each one away and see that something
 * fails (tests/golden/test_prove_terms.py).
 */
#pragma once

#include <stdbool.h>

#define IN_ENDPOINT "network_policies.endpoints."
#define IN_ALLOW IN_ENDPOINT "rules.allow."
#define IN_DENY IN_ENDPOINT "deny_rules."

bool sees(const char *key);
