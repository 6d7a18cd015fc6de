/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two things wait: close() of any descriptor of a file whose file system has something to say about it (FUSE, NFS),
 * and the close of the last one, which for a socket also closes what is queued in it. The first is kept from oshd by
 * kind; the second by keeping a descriptor here until oshd has none (serve.c), or by an empty queue.
 */
#include "prove.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <linux/sockios.h>
#include <unistd.h>

#include "osh/limits.h"
#include "own.h"

#define RAMFS 0x858458f6
#define ZFS 0x2fc12fc1
#define BCACHEFS 0xca451a4e
#define FUSE 0x65735546
#define PEEK 4096			/* a client says less before it is answered */
#define MEMORY OSH_BUNDLE_BYTES		/* freeing more takes long */

/* Of these none asks anybody when a descriptor is closed, but the disk. */
static const uint32_t local[] = {
	EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, ZFS, BCACHEFS,
	TMPFS_MAGIC, RAMFS, SQUASHFS_MAGIC, EROFS_SUPER_MAGIC_V1, PIPEFS_MAGIC,
};

static bool lists(int mountinfo, uint64_t mount)
{
	static char text[1 << 20];
	size_t n = 1;
	ssize_t r;
	char id[24];

	text[0] = '\n';
	while (mountinfo >= 0 && n < sizeof(text) - 1 &&
	       (r = pread(mountinfo, text + n, sizeof(text) - 1 - n, (off_t)n - 1)) > 0)
		n += (size_t)r;
	text[n] = '\0';
	snprintf(id, sizeof(id), "\n%llu ", (unsigned long long)mount);
	return strstr(text, id) != NULL;
}

/* An overlay may have anything below it. One of the host's mount namespace root has made; a user's is in his own. */
static bool mounted_here(int fd, const struct mounts *m)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) == 0 &&
	       (st.stx_mask & STATX_MNT_ID) && (lists(m->ours, st.stx_mnt_id) || lists(m->first, st.stx_mnt_id));
}

static int check_place(int fd, uint32_t type, const struct mounts *mounts, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(local); i++)
		if (type == local[i])
			return 0;
	if (type == OVERLAYFS_SUPER_MAGIC && mounted_here(fd, mounts))
		return 0;
	return fail(e, EINVAL, "lies on a file system %s (type 0x%x): whoever writes or closes a file there may have to wait "
		    "for ever; give one on a local disk", type == FUSE ? "that a user may run (FUSE)" : "that may not be local", type);
}

bool prove_clean(int socket)
{
	char bytes[PEEK];
	struct iovec iov = { bytes, sizeof(bytes) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	int waiting;

	if (shutdown(socket, SHUT_RD) < 0 || ioctl(socket, SIOCINQ, &waiting) < 0 || waiting > PEEK)
		return false;
	/* A look: with no room for descriptors it takes none, and says whether there are some. */
	return !waiting || (recvmsg(socket, &m, MSG_PEEK | MSG_DONTWAIT) == waiting && !(m.msg_flags & MSG_CTRUNC));
}

static int socket_option(int fd, int option)
{
	int v = -1;
	socklen_t n = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, option, &v, &n) < 0 ? -1 : v;
}

static int check_socket(int fd, struct err *e)
{
	int type = socket_option(fd, SO_TYPE);

	if (socket_option(fd, SO_DOMAIN) != AF_UNIX || socket_option(fd, SO_ACCEPTCONN) != 0 ||
	    (type != SOCK_SEQPACKET && type != SOCK_STREAM))
		return fail(e, EINVAL, "is a socket that no call takes: a session is a unix socket of type SOCK_SEQPACKET");
	if (type == SOCK_STREAM && !prove_clean(fd))	/* of a session the client speaks first */
		return fail(e, EINVAL, "is a socket with something to read: what is written there is for its caller alone");
	return 0;
}

int prove(int fd, const struct mounts *mounts, struct err *e)
{
	int flags = fcntl(fd, F_GETFL);
	struct statfs f;
	struct stat st;

	if (flags < 0)
		return fail(e, errno, "cannot be asked: %s", strerror(errno));
	if (flags & O_PATH)			/* opened nothing, so closes nothing */
		return 0;
	if (fstatfs(fd, &f) < 0)
		return fail(e, errno, "is on a file system that does not answer: %s", strerror(errno));
	if ((uint32_t)f.f_type == FUSE)
		return check_place(fd, FUSE, mounts, e);
	if (fstat(fd, &st) < 0)
		return fail(e, errno, "cannot be asked: %s", strerror(errno));
	if (S_ISSOCK(st.st_mode))
		return check_socket(fd, e);
	if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
		return 0;			/* /dev/null */
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return fail(e, EINVAL, "is neither a file nor a pipe, nor a directory that was opened with O_PATH");
	if (!st.st_nlink && S_ISREG(st.st_mode) && st.st_blocks > MEMORY / 512)
		return fail(e, E2BIG, "is a file without a name of more than %u MiB", MEMORY >> 20);
	return check_place(fd, (uint32_t)f.f_type, mounts, e);
}
