/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-launch: forks sandboxes and egresses for oshd, which talks to it on descriptor 3. Root, one per
 * host (or per embedded run), reads fixed-size messages and no text of the network.
 *
 *   osh-launch --embedded        ends everything when oshd goes
 *   osh-launch --listen PATH     outlives oshd; the next one connects to PATH
 *   osh-launch --probe           tries what a start needs, and says so on descriptor 3 (osh/probe.h)
 */
#include <getopt.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "hash.h"
#include "own.h"
#include "server.h"
#include "trials.h"

#define PEER 3

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "embedded", no_argument, NULL, 'e' },
		{ "listen", required_argument, NULL, 'l' },
		{ "probe", no_argument, NULL, 'p' },
		{ 0 },
	};
	uint8_t digest[HASH_LEN];
	const char *path = NULL;
	struct err e = { 0 };
	bool embedded = false, probe = false;
	struct server s;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'e')
			embedded = true;
		else if (c == 'l')
			path = optarg;
		else if (c == 'p')
			probe = true;
		else
			return 2;
	}
	if (optind != argc || embedded + !!path + probe != 1) {
		fprintf(stderr, "usage: osh-launch --embedded | --listen PATH | --probe   (started by oshd)\n");
		return 2;
	}
	umask(022);
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);	/* whatever we were started with; KILL and STOP cannot change */
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_DUMPABLE, 0);	/* holds descriptors of every sandbox */
	(void)hash_bytes("", 0, digest);	/* libcrypto sets itself up now, not in every child */
	if (probe)
		return launch_probe(PEER);
	if (server_init(&s, PEER, embedded, path, &e) < 0) {
		fprintf(stderr, "osh-launch: %s\n", e.text);
		return 1;
	}
	return server_run(&s);
}
