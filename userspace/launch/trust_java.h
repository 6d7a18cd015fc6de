/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Java reads no PEM: the host's own key store, with one more trusted certificate in it. Of the store only
 * the first twelve bytes and the last twenty are looked at; what lies between is copied.
 */
#pragma once

#include <stddef.h>

#include "err.h"

/*
 * Makes "cacerts" in `dir` from the host's store. `pem`: one certificate as its maker wrote it. A host
 * without such a store (or with one of another format) is no error: *ret tells.
 */
int trust_java(int dir, const char *pem, size_t n, int *ret, struct err *e);
