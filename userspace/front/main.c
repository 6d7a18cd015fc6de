/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-front UID: where callers of the resident oshd arrive. Unprivileged; its processes hold what callers send until
 * it is proved harmless, and hang in its place. Started by oshd: 3 is the listening socket, 4 leads to oshd.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "cage.h"
#include "door.h"

int main(int argc, char **argv)
{
	struct door d = { .listener = 3, .oshd = 4 };
	struct err e = { 0 };
	char *end;
	unsigned long uid = argc == 2 ? strtoul(argv[1], &end, 10) : 0;

	if (!uid || *end) {
		fprintf(stderr, "osh-front is started by oshd\n");
		return 2;
	}
	signal(SIGINT, SIG_IGN);	/* of oshd's terminal: it is oshd who ends us */
	d.mounts.ours = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	d.mounts.first = open("/proc/1/mountinfo", O_RDONLY | O_CLOEXEC);
	if (front_cage((uid_t)uid, &e) < 0) {
		fprintf(stderr, "osh-front: %s\n", e.text);
		return 1;
	}
	door_keep(&d);
	_exit(0);			/* exit handlers have no place behind the filter */
}
