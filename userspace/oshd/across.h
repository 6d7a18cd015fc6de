/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From one sandbox into another: a route of the one's policy names the other and a port, and `serve` of the other's lets
 * it in. oshd looks into both bundles, whatever the egress says, makes a pair of sockets, and gives one end to the egress
 * and the other to the osh-init that serves. It reads and keeps neither.
 */
#pragma once

#include <stdbool.h>

struct chan_in;
struct daemon;
struct sandbox;

bool across_message(struct sandbox *s, const struct chan_in *in);	/* from its egress; false: not about this */

/* Another policy of s is in force: connections that two policies do not both allow end. */
void across_again(struct sandbox *s);
void across_adopted(struct sandbox *s);	/* of a former oshd, which may have let others in */
void across_all(struct daemon *d);	/* the same of all, once a former oshd's are adopted */
