/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oshctl's end of org.osh.Manager1: finds a resident oshd, or starts one of its own for this run.
 * Connecting, asking and hearing the answer are three steps, so that other work fits between them.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "run.h"

typedef struct sd_bus sd_bus;

struct bus_client {
	sd_bus *bus;
	bool preset;			/* the policy is one, see warnings.h */
	pid_t embedded;			/* pid of an oshd that we started, 0 = none */
	int answer;			/* 0 = still open, 1 = yes, negative = no */
	bool refused;			/* by oshd: not for want of one */
	struct err why;
	char name[OSH_SANDBOX_NAME];
	uint32_t id;
};

/* socket: NULL = OSH_SOCKET, then the system's, then an embedded oshd where we are root. */
int bus_client_open(struct bus_client *c, const char *socket, struct err *e);

/* Sends Run; the descriptors in *f stay the caller's. */
int bus_client_run(struct bus_client *c, const struct run_opts *o, int bundle, const struct run_files *f,
		   struct err *e);
int bus_client_answer(struct bus_client *c, struct err *e);	/* waits; 0 = the sandbox starts */
int bus_client_fd(const struct bus_client *c);	/* hangs up with oshd; below 0 = it has */
void bus_client_close(struct bus_client *c);	/* waits for an embedded oshd to have tidied up */
