/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two files in /run/osh, the same for every build: a lock, and one byte a slot, locked by whoever has it. Locks
 * are of open files, so the kernel drops them with their owner; a slot's is kept by osh-launch as well.
 */
#include "host.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <unistd.h>

#include "own.h"

#define DIR_HOST "/run/osh"
#define BPFFS "/sys/fs/bpf"
#define BPFFS_OURS "osh"		/* source of the mount where we made it */
#define BPFFS_MAGIC 0xcafe4a11		/* BPF_FS_MAGIC, include/uapi/linux/magic.h */
#define WAIT_US 20000			/* between two tries */
#define WAIT_TRIES 1500			/* half a minute: one that holds it so long is stopped */

static int open_shared(const char *path, struct err *e)
{
	int fd;

	if ((mkdir("/run", 0755) < 0 && errno != EEXIST) || (mkdir(DIR_HOST, 0755) < 0 && errno != EEXIST))
		return fail(e, errno, "make '" DIR_HOST "': %s", strerror(errno));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? fail(e, errno, "open '%s': %s", path, strerror(errno)) : fd;
}

int host_lock(struct daemon *d, struct err *e)
{
	_close_ int fd = -1;

	if (d->host_fd >= 0)
		return 0;		/* a start that failed with it */
	fd = open_shared(DIR_HOST "/host.lock", e);
	if (fd < 0)
		return fd;
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || i >= WAIT_TRIES)
			return fail(e, EBUSY, "'" DIR_HOST "/host.lock' is held by another oshd that starts or ends; "
				    "see who: fuser " DIR_HOST "/host.lock");
		usleep(WAIT_US);
	}
	d->host_fd = take_fd(&fd);
	return 0;
}

void host_unlock(struct daemon *d)
{
	if (d->host_fd >= 0)
		flock(d->host_fd, LOCK_UN);	/* whatever copies a child of ours has */
	own_close(&d->host_fd);
}

int host_slot(uint32_t slot, struct err *e)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = slot, .l_len = 1 };
	_close_ int fd = open_shared(DIR_HOST "/slots", e);

	if (fd < 0)
		return fd;
	if (fcntl(fd, F_OFD_SETLK, &l) < 0)
		return errno == EAGAIN || errno == EACCES ? -EAGAIN :
		       fail(e, errno, "lock '" DIR_HOST "/slots': %s", strerror(errno));
	return take_fd(&fd);
}

#define GPUS_AT ((off_t)1 << 40)	/* beyond the slots, a byte a device number */

/* By hand: osh-launch's copy holds it as well, and is closed when its turn comes. */
static void unlock_from(int slot_fd, off_t at)
{
	struct flock l = { .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = at };

	if (slot_fd >= 0)
		(void)fcntl(slot_fd, F_OFD_SETLK, &l);
}

void host_slot_free(int *slot_fd)
{
	unlock_from(*slot_fd, 0);
	own_close(slot_fd);
}

void host_gpus_free(int slot_fd)
{
	unlock_from(slot_fd, GPUS_AT);
}

static struct flock gpu_lock(uint32_t major, uint32_t minor, short type)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_len = 1,
			       .l_start = GPUS_AT | (off_t)major << 20 | minor };
}

int host_gpu(int slot_fd, uint32_t major, uint32_t minor, enum host_gpu how, struct err *e)
{
	static const short types[] = { F_UNLCK, F_RDLCK, F_WRLCK };
	struct flock l = gpu_lock(major, minor, types[how]);

	if (!fcntl(slot_fd, F_OFD_SETLK, &l))
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EAGAIN :
	       fail(e, errno, "lock '" DIR_HOST "/slots': %s", strerror(errno));
}

int host_gpu_held(uint32_t major, uint32_t minor, enum host_gpu *ret, struct err *e)
{
	struct flock l = gpu_lock(major, minor, F_WRLCK);
	_close_ int fd = open_shared(DIR_HOST "/slots", e);

	if (fd < 0)
		return fd;
	if (fcntl(fd, F_OFD_GETLK, &l) < 0)
		return fail(e, errno, "look at '" DIR_HOST "/slots': %s", strerror(errno));
	*ret = l.l_type == F_UNLCK ? HOST_GPU_FREE : l.l_type == F_RDLCK ? HOST_GPU_SHARE : HOST_GPU_ALONE;
	return 0;
}

/* Pins need bpffs. Hosts with systemd have it; elsewhere we mount it and take it away again. */
int host_pins(struct daemon *d, struct err *e)
{
	const char *parts[] = { BPFFS "/osh", NULL, NULL };
	char abi[64];
	struct statfs fs;

	if (d->config.embedded)
		return 0;
	if (statfs(BPFFS, &fs) < 0)
		return fail(e, errno, "'%s': %s", BPFFS, strerror(errno));
	if ((uint32_t)fs.f_type != BPFFS_MAGIC) {
		if (mount(BPFFS_OURS, BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
			return fail(e, errno, "mount bpffs on '%s': %s", BPFFS, strerror(errno));
	}
	snprintf(abi, sizeof(abi), BPFFS "/osh/%d", OSH_ABI);
	snprintf(d->pins, sizeof(d->pins), "%s/%s", abi, d->instance);
	parts[1] = abi;
	parts[2] = d->pins;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (mkdir(parts[i], 0700) < 0 && errno != EEXIST)
			return fail(e, errno, "make '%s': %s", parts[i], strerror(errno));
	return 0;
}

/* The source of a mount is only a name: ours says that some oshd made it, this one or a dead one. */
static bool bpffs_is_ours(void)
{
	_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[1024];

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, " " BPFFS " ") && strstr(line, " - bpf " BPFFS_OURS " "))
			return true;
	return false;
}

void host_unpin(struct daemon *d)
{
	char abi[64];

	if (!d->pins[0])
		return;
	kbpf_unpin(d->pins);
	rmdir(d->pins);
	snprintf(abi, sizeof(abi), BPFFS "/osh/%d", OSH_ABI);
	if (rmdir(abi) < 0 || rmdir(BPFFS "/osh") < 0)
		return;			/* another daemon's pins */
	if (bpffs_is_ours())
		umount2(BPFFS, MNT_DETACH);
}

struct other {
	unsigned abi;
	char pins[320], cgroup[80];
	unsigned living;
	int pid;			/* its osh-launch, 0 = none listens */
};

/* Connecting is a question that each ABI's osh-launch takes: it speaks first, and we hang up. */
static int launch_pid(const struct daemon *d, unsigned abi)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred c = { 0 };
	socklen_t n = sizeof(c);

	if (snprintf(a.sun_path, sizeof(a.sun_path), "%.80s/launch-%u", d->run, abi) < 0 || fd < 0 ||
	    connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) < 0)
		return 0;
	return c.pid;
}

static void report(const struct daemon *d, const struct other *o)
{
	char at[256];

	cgroup_path_of(&d->cgroups, o->cgroup, at, sizeof(at));
	fprintf(stderr, "oshd: %u sandboxes of ABI %u are alive under '%s' (osh-launch: pid %d). They stay enforced; this "
		"oshd, of ABI " OSH_ABI_TEXT ", cannot manage them. Either start the oshd that they came from again, or "
		"end them: echo 1 > %s/cgroup.kill (docs/upgrade.md)\n", o->living, o->abi, o->cgroup, o->pid, at);
}

static void bury(const struct daemon *d, const struct other *o)
{
	char up[64];

	kbpf_unpin(o->pins);
	rmdir(o->pins);
	snprintf(up, sizeof(up), BPFFS "/osh/%u", o->abi);
	rmdir(up);			/* not empty: another instance's */
	cgroup_remove_other(&d->cgroups, o->cgroup);
	if (o->pid > 0)
		kill(o->pid, SIGTERM);
	fprintf(stderr, "oshd: removed what ABI %u had left under '%s': nobody lived in it\n", o->abi, o->cgroup);
}

static void look_at(struct daemon *d, unsigned abi)
{
	struct other o = { .abi = abi, .pid = launch_pid(d, abi) };

	snprintf(o.pins, sizeof(o.pins), BPFFS "/osh/%u/%s", abi, d->instance);
	snprintf(o.cgroup, sizeof(o.cgroup), "%s.abi%u", d->instance, abi);
	if (cgroup_living(&d->cgroups, o.cgroup, &o.living) < 0 && access(o.pins, F_OK) < 0)
		return;			/* that of another instance */
	if (o.living)
		report(d, &o);
	else
		bury(d, &o);
}

void host_others(struct daemon *d)
{
	DIR *dir = d->config.embedded ? NULL : opendir(BPFFS "/osh");

	for (struct dirent *x; dir && (x = readdir(dir));) {
		unsigned abi = (unsigned)strtoul(x->d_name, NULL, 10);

		if (abi && abi != OSH_ABI)
			look_at(d, abi);
	}
	if (dir)
		closedir(dir);
}
