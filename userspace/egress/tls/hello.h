/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first bytes of a connection: is it TLS, and for whom? Pure and strict; reads no further than one
 * ClientHello, which must lie in one record and fill it, as every client sends it.
 */
#pragma once

#include "slice.h"

#define HELLO_BYTES (5 + 16384)		/* more than that is never needed */
#define HELLO_NAME 253

enum hello { HELLO_MORE, HELLO_PLAIN, HELLO_TLS, HELLO_BAD };

struct hello_found {
	struct slice sni;		/* in the input; n == 0: none */
	bool ech;			/* encrypted_client_hello present, GREASE or not */
};

enum hello hello_read(struct slice in, struct hello_found *ret);

/* The one host name of a server_name extension's body: letters, digits, and `-._:` (a literal). */
bool hello_name(struct slice ext, struct slice *ret);
