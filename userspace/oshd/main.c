/* SPDX-License-Identifier: Apache-2.0 */
/* oshd: the privileged daemon. Resident by default; `--embedded` serves one oshctl and ends with it. */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon.h"
#include "manager.h"
#include "note.h"
#include "off.h"
#include "trials.h"

enum { OPT_STATE = 256, OPT_SOCKET, OPT_EMBEDDED, OPT_BUS_FD, OPT_HOSTS, OPT_CA, OPT_LAUNCHER, OPT_PROBE, OPT_HELP, OPT_VERSION };

static const struct option options[] = {
	{ "state", required_argument, NULL, OPT_STATE },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "embedded", no_argument, NULL, OPT_EMBEDDED },
	{ "bus-fd", required_argument, NULL, OPT_BUS_FD },
	{ "upstream-hosts", required_argument, NULL, OPT_HOSTS },
	{ "upstream-ca", required_argument, NULL, OPT_CA },
	{ "launcher", required_argument, NULL, OPT_LAUNCHER },
	{ "probe", no_argument, NULL, OPT_PROBE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 },
};

static const char usage[] =
	"usage: oshd [--state DIR] [--socket PATH] [--upstream-hosts FILE] [--upstream-ca FILE] [--launcher PATH]\n"
	"The daemon that holds sandboxes. It needs root and Linux 6.12 or newer.\n"
	"  --state DIR            a private daemon beside the system's, all its files in DIR\n"
	"  --socket PATH          where oshctl finds it (default " MANAGER_SOCKET ")\n"
	"  --upstream-hosts FILE  static upstream addresses, a proxy (docs/upstream.md), for every sandbox\n"
	"  --upstream-ca FILE     PEM, roots that upstreams may have besides the host's own\n"
	"  --launcher PATH        whoever connects there gets an osh-launch (osh-launch.socket): none is forked here\n";

/* 0 = go on, 1 = done, 2 = used wrongly. */
static int read_options(int argc, char **argv, struct config *c)
{
	for (int o; (o = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		switch (o) {
		case OPT_STATE: c->state = optarg; break;
		case OPT_SOCKET: c->socket = optarg; break;
		case OPT_EMBEDDED: c->embedded = true; break;
		case OPT_BUS_FD: c->bus_fd = atoi(optarg); break;
		case OPT_HOSTS: c->upstream_hosts = optarg; break;
		case OPT_CA: c->upstream_ca = optarg; break;
		case OPT_LAUNCHER: c->launcher = optarg; break;
		case OPT_PROBE: c->probe = true; break;
		case 'h':
		case OPT_HELP: fputs(usage, stdout); return 1;
		case OPT_VERSION: puts("oshd " OSH_VERSION); return 1;
		default: fputs(usage, stderr); return 2;
		}
	}
	if (optind < argc || c->embedded != (c->bus_fd >= 0) || (c->embedded && c->launcher)) {
		fputs(usage, stderr);
		return 2;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct daemon d = { .config = { .bus_fd = -1 }, .lock_fd = -1, .host_fd = -1,
			    .libexec_fd = -1, .hosts_fd = -1, .ca_fd = -1,
			    .cgroups = { -1, -1, -1, -1, "", "" } };
	struct err e = { 0 };
	int r = read_options(argc, argv, &d.config);

	if (r)
		return r == 1 ? 0 : 2;
	if (geteuid() != 0) {
		fprintf(stderr, "oshd: must be started by root\n");
		return 1;
	}
	if (d.config.probe)
		return trials_run(&d);
	off_from_env(&d.config.off);
	d.journald_fd = note_open("oshd");
	r = daemon_start(&d, &e);
	if (r < 0) {
		fprintf(stderr, "oshd: %s\n", e.text);
		daemon_stop(&d);
		return 1;
	}
	sd_notify(0, "READY=1");
	/* Not before: its first word starts systemd's clock, and the verifier of a slow machine may outlast that. */
	r = sd_event_set_watchdog(d.event, 1);
	if (r < 0)
		fprintf(stderr, "oshd: watchdog: %s\n", strerror(-r));
	else
		r = sd_event_loop(d.event);
	daemon_stop(&d);
	return r ? 1 : 0;
}
