/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which names may have a certificate: those that the bundle has an inspected endpoint for. Reads the
 * bundle itself and takes nobody's word; shares no code with table.c, which judged before.
 */
#pragma once

#include "bundle.h"
#include "ip.h"

/* `name`: a host name in lower case, or the text of an address (IPv4 in its own form). *ip is filled where it is one. */
enum named { NAMED_NOT, NAMED_HOST, NAMED_ADDRESS };
enum named named(const struct bundle *b, const char *name, struct ip *ip);
