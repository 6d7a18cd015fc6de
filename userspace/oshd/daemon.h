/* SPDX-License-Identifier: Apache-2.0 */
/* What every part of oshd shares: one struct, passed down; no globals. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "book.h"
#include "err.h"
#include "kernel/bpf.h"
#include "kernel/cgroup.h"
#include "kernel/limits.h"
#include "off.h"
#include "osh/limits.h"

struct sandbox;
struct sysbus;
struct callers;
struct launcher;
struct life;
struct auditor;
struct doctor;
struct state;

struct config {
	bool probe;			/* tries the machine (trials.h), and serves nobody */
	bool embedded;			/* one run of oshctl, nothing pinned, ends with its bus */
	int bus_fd;			/* embedded: the connected socket, else -1 */
	const char *state;		/* NULL = /var/lib/osh and /run/osh */
	const char *socket;		/* NULL = <run>/bus */
	const char *upstream_hosts;	/* operator's own, NULL = none */
	const char *upstream_ca;
	const char *launcher;		/* socket that gives an osh-launch, NULL = fork one */
	struct off off;			/* test builds: layers that are left out */
};

/* The host's trusted roots as they were copied last; see root.h. */
struct root_shared {
	int fd;				/* 0 = not yet */
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
};

/* A certificate authority that was made before a sandbox needs it; see root.h. */
struct root_made {
	int key, cert;
	int64_t wall_s, boot_s;		/* when, by CLOCK_REALTIME and CLOCK_BOOTTIME */
	bool set;
};

struct daemon {
	struct config config;
	char run[256];			/* /run/osh, or below --state */
	char bus_path[256];
	char instance[64];		/* our directory below the pins */
	char cgroup[80];		/* and below osh.slice: of a resident one with its ABI */
	char pins[320];			/* "" = nothing is pinned */
	bool adopted;			/* a former oshd's kernel objects, perhaps with living sandboxes */
	bool fresh;			/* or new ones; neither = what is pinned was not touched */
	bool signalled;			/* was asked to end by a signal */
	bool stopping;			/* ends when the last sandbox has gone */
	int lock_fd;
	int host_fd;			/* while what all oshds of the host share is changed, else -1 */
	int libexec_fd;			/* directory of our own binary */
	int journald_fd;		/* note.h, for osh-audit; -1 = our words do not go there */
	sd_event *event;
	struct kbpf *kernel;
	struct cgroup_base cgroups;
	struct limits limits;		/* of what each sandbox takes */
	struct launcher *launcher;
	struct auditor *auditor;
	struct state *state;		/* created sandboxes; NULL when embedded */
	struct accounts accounts;	/* what calls of models used; see counts.h */
	struct doctor *doctor;		/* NULL = nobody has asked yet */
	struct removal *removals;	/* directories on their way out */
	struct life *lives;		/* created sandboxes, running or not */
	struct sandbox *slots[OSH_SLOTS];
	unsigned n_sandboxes;
	uint32_t next_id;
	uint32_t next_gpu;		/* where the search for a free one begins */
	uint32_t next_net6[4];		/* of the next sandbox; 0 before the first */
	struct callers *callers;	/* osh-front; NULL when embedded */
	struct conn *conns;
	struct sysbus *sysbus;		/* NULL = there is to be none */
	int hosts_fd;			/* operator's --upstream-hosts, or -1 */
	int ca_fd;			/* operator's --upstream-ca, or -1 */
	struct root_shared anchors;
	struct root_made next_root;
};

int daemon_find_libexec(struct daemon *d, struct err *e);
int daemon_start(struct daemon *d, struct err *e);
void daemon_end(struct daemon *d);	/* ends every sandbox, then the loop */
void daemon_gone(struct daemon *d);	/* a sandbox or a caller has gone: is that the end? */
void daemon_stop(struct daemon *d);	/* after the loop: takes everything down */
