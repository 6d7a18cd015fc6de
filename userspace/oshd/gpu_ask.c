/* SPDX-License-Identifier: Apache-2.0 */
/* One question to osh-gpu. What it says is checked as if anybody had said it. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gpu.h"
#include "own.h"
#include "sandbox.h"
#include "spawn.h"

#define WAIT_MS 8000			/* it takes a few; a driver that hangs may hold it up */
#define KILL_MS 500
#define MEM_MAJOR 1			/* memory, ports, the kernel's log: no device of anybody's */
#define TTY_LAST 5

static bool ends(const char *text, size_t room)
{
	return memchr(text, 0, room);
}

static bool device_ok(const struct osh_gpu_device *d)
{
	return d->kind <= OSH_GPU_CDI && d->named <= 1 && ends(d->name, sizeof(d->name)) && ends(d->uuid, sizeof(d->uuid)) &&
	       ends(d->model, sizeof(d->model)) && ends(d->pci, sizeof(d->pci)) && ends(d->driver, sizeof(d->driver));
}

static bool edit_ok(const struct osh_gpu_edit *x, uint32_t n_devices)
{
	if (x->kind > OSH_GPU_ENV || x->device >= n_devices || !ends(x->from, sizeof(x->from)) || !ends(x->path, sizeof(x->path)))
		return false;
	if (x->kind == OSH_GPU_ENV)
		return strchr(x->path, '=') > x->path;
	if (x->from[0] != '/' || x->path[0] != '/')
		return false;
	return x->kind == OSH_GPU_MOUNT ||
	       (!(x->rights & ~(OSH_DEVICE_READ | OSH_DEVICE_WRITE)) && !(x->flags & ~(OSH_GPU_OWN | OSH_GPU_SPLIT)) &&
		x->major < 4096 && x->minor < 1u << 20 && x->major != MEM_MAJOR && (x->major < 4 || x->major > TTY_LAST));
}

static int take_rows(int fd, off_t at, void *ret, size_t n, size_t size)
{
	void *rows = calloc(n ? n : 1, size);

	if (!rows)
		return -ENOMEM;
	if (pread(fd, rows, n * size, at) != (ssize_t)(n * size)) {
		free(rows);
		return -EPROTO;
	}
	memcpy(ret, &rows, sizeof(rows));
	return 0;
}

static int check(const struct gpu_answer *a)
{
	for (uint32_t i = 0; i < a->n_devices; i++)
		if (!device_ok(&a->devices[i]))
			return -EPROTO;
	for (uint32_t i = 0; i < a->n_edits; i++)
		if (!edit_ok(&a->edits[i], a->n_devices))
			return -EPROTO;
	return 0;
}

static int take(int fd, struct gpu_answer *a, struct err *e)
{
	struct osh_gpu_head h;
	int r;

	if (pread(fd, &h, sizeof(h), 0) != sizeof(h) || h.magic != OSH_GPU_MAGIC || !ends(h.text, sizeof(h.text)) ||
	    h.n_devices > OSH_GPU_DEVICES || h.n_edits > OSH_GPU_EDITS || h.code < 0)
		return fail(e, EPROTO, "osh-gpu gave no answer: it crashed, or a driver hangs");
	for (char *c = h.text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	if (h.code)
		return fail(e, h.code, "%s", h.text);
	memcpy(a->warning, h.text, sizeof(a->warning));
	r = take_rows(fd, sizeof(h), &a->devices, h.n_devices, sizeof(*a->devices));
	if (!r)
		r = take_rows(fd, (off_t)(sizeof(h) + h.n_devices * sizeof(*a->devices)), &a->edits, h.n_edits,
			      sizeof(*a->edits));
	a->n_devices = h.n_devices;
	a->n_edits = r ? 0 : h.n_edits;
	if (!r)
		r = check(a);
	return r < 0 ? fail(e, -r, "osh-gpu's answer makes no sense") : 0;
}

/*
 * One that a driver holds up ends when the driver lets it go, and no sooner, whoever kills it. Meanwhile nobody is sent
 * after it: anybody may ask, and oshd would do nothing but wait.
 */
static struct {
	pid_t pid;
	int pidfd;
} stuck = { .pidfd = -1 };

static bool ended(pid_t pid, int *pidfd, int ms)
{
	struct pollfd p = { .fd = *pidfd, .events = POLLIN };

	if (poll(&p, 1, ms) <= 0)
		return false;
	waitpid(pid, NULL, 0);
	own_close(pidfd);
	return true;
}

static int hangs(struct err *e)
{
	return fail(e, ETIMEDOUT, "osh-gpu gets no answer: a GPU's driver, or the file system of /run/cdi, hangs; ask again when it is "
		    "well, or leave GPUs out");
}

static int await(pid_t pid, int pidfd, struct err *e)
{
	if (ended(pid, &pidfd, WAIT_MS))
		return 0;
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	if (!ended(pid, &pidfd, KILL_MS)) {
		stuck.pid = pid;
		stuck.pidfd = pidfd;
	}
	return hangs(e);
}

int gpu_ask(struct daemon *d, const struct osh_gpu_ask *ask, struct gpu_answer *ret, struct err *e)
{
	char *argv[] = { (char *)"osh-gpu", NULL };
	_close_ int in = memfd_create("gpu-ask", MFD_CLOEXEC), out = memfd_create("gpu-answer", MFD_CLOEXEC);
	int pidfd = -1, r;
	pid_t pid = 0;

	*ret = (struct gpu_answer){ 0 };
	if (stuck.pidfd >= 0 && !ended(stuck.pid, &stuck.pidfd, 0))
		return hangs(e);
	if (in < 0 || out < 0 || pwrite(in, ask, sizeof(*ask), 0) != sizeof(*ask))
		return fail(e, errno, "memfd: %s", strerror(errno));
	r = spawn_role(d->libexec_fd, argv[0], argv, (int[]){ in, out }, 2, &pid, &pidfd, e);
	if (r < 0)
		return r;
	r = await(pid, pidfd, e);
	if (!r)
		r = take(out, ret, e);
	if (r < 0)
		gpu_answer_done(ret);
	return r;
}

void gpu_answer_done(struct gpu_answer *a)
{
	free(a->devices);
	free(a->edits);
	*a = (struct gpu_answer){ 0 };
}
