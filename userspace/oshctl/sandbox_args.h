/* SPDX-License-Identifier: Apache-2.0 */
/* What the sandbox verbs' command lines have in common. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>

/* An option that may be given again; the strings are argv's. Running out of memory ends the
 * program. */
struct args {
	char **v;
	size_t n;
};

void args_add(struct args *a, char *value);
char **args_list(struct args *a); /* NULL terminated, also where none was given */
bool args_pairs(struct args *a);  /* every one is K=V; else it is said */
void args_done(struct args *a);

/* Options of Create, Start and Restart; -1 = not given. */
int sandbox_add_given(sd_bus_message *m, int creds, int hosts, int ca, int log);

struct provider_set;
int sandbox_add_stored(sd_bus_message *m, const struct provider_set *s);	/* option `providers`; none is left out */
