/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-launch: forks sandboxes and egresses for oshd, which talks to it on descriptor 3. Root, one per
 * host (or per embedded run), reads fixed-size messages and no text of the network.
 *
 *   osh-launch --embedded        ends everything when oshd goes
 *   osh-launch --listen PATH     outlives oshd; the next one connects to PATH
 *   osh-launch --dir DIR         the same, at DIR/launch-ABI, or with .new behind it where another listens there
 *     --mounts /proc/PID         directories are those of that process' mount namespace (machine.h)
 *     --network /proc/PID/ns/net egresses dial from there
 *   osh-launch --probe           tries what a start needs, and says so on descriptor 3 (osh/probe.h)
 */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "hash.h"
#include "osh/limits.h"
#include "own.h"
#include "server.h"
#include "trials.h"

#define PEER 3

/*
 * Who starts us for oshd cannot say which of the two it is to be; oshd asks for a second one only to replace
 * the first (oshd/renew.c).
 */
static const char *place_in(const char *dir, char *place, size_t n)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	size_t len = (size_t)snprintf(place, n, "%.200s/launch-%d", dir, OSH_ABI);

	if (fd < 0 || len >= sizeof(a.sun_path))
		return place;		/* which cannot be listened at, and that is said there */
	strcpy(a.sun_path, place);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		snprintf(place + len, n - len, ".new");
	return place;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "embedded", no_argument, NULL, 'e' },
		{ "listen", required_argument, NULL, 'l' },
		{ "dir", required_argument, NULL, 'd' },
		{ "probe", no_argument, NULL, 'p' },
		{ "mounts", required_argument, NULL, 'm' },
		{ "network", required_argument, NULL, 'n' },
		{ 0 },
	};
	uint8_t digest[HASH_LEN];
	char place[PATH_MAX];
	const char *path = NULL, *mounts = NULL, *network = NULL;
	struct machine machine;
	struct err e = { 0 };
	bool embedded = false, probe = false;
	struct server s;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'e')
			embedded = true;
		else if (c == 'l')
			path = optarg;
		else if (c == 'd')
			path = place_in(optarg, place, sizeof(place));
		else if (c == 'p')
			probe = true;
		else if (c == 'm')
			mounts = optarg;
		else if (c == 'n')
			network = optarg;
		else
			return 2;
	}
	if (optind != argc || embedded + !!path + probe != 1 || ((mounts || network) && !path)) {
		fprintf(stderr, "usage: osh-launch --embedded | --listen PATH | --dir DIR [--mounts /proc/PID] [--network NETNS] | --probe"
				"   (started by oshd, or for it)\n");
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
	if (machine_open(&machine, mounts, network, &e) < 0 || server_init(&s, PEER, embedded, path, &machine, &e) < 0) {
		fprintf(stderr, "osh-launch: %s\n", e.text);
		return 1;
	}
	return server_run(&s);
}
