/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices a sandbox gets, and that nobody else has them. */
#include "gpu.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "host.h"
#include "kernel/dmem.h"
#include "launcher.h"
#include "own.h"
#include "sandbox.h"

#define PCI_NAME 64

struct gpu_grant {
	struct gpu_answer a;
	bool given[OSH_GPU_DEVICES];
};

static enum host_gpu how_of(const struct osh_gpu_edit *x, bool share)
{
	return x->kind != OSH_GPU_NODE || !x->flags ? HOST_GPU_FREE :
	       share || x->flags & OSH_GPU_SPLIT ? HOST_GPU_SHARE : HOST_GPU_ALONE;
}

/* Does a device that is given already hold this node? Then its lock stays as it is. */
static bool is_held(const struct gpu_grant *g, const struct osh_gpu_edit *x)
{
	for (uint32_t i = 0; i < g->a.n_edits; i++) {
		const struct osh_gpu_edit *y = &g->a.edits[i];

		if (g->given[y->device] && y->kind == OSH_GPU_NODE && y->flags && y->major == x->major && y->minor == x->minor)
			return true;
	}
	return false;
}

/* All nodes of one device or none. */
static int lock_device(struct sandbox *s, struct gpu_grant *g, uint32_t device, bool share, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < g->a.n_edits; i++) {
		const struct osh_gpu_edit *x = &g->a.edits[i];

		if (x->device == device && how_of(x, share) && !is_held(g, x))
			r = host_gpu(s->slot_fd, x->major, x->minor, how_of(x, share), e);
	}
	g->given[device] = !r;
	for (uint32_t i = 0; r && i < g->a.n_edits; i++) {
		const struct osh_gpu_edit *x = &g->a.edits[i];

		if (x->device == device && how_of(x, share) && !is_held(g, x))
			(void)host_gpu(s->slot_fd, x->major, x->minor, HOST_GPU_FREE, NULL);
	}
	return r;
}

static int none_here(struct err *e)
{
	return fail(e, ENODEV, "this machine has no GPU: neither /dev/nvidia0 nor a render node in /dev/dri; for those of "
		    "CDI specifications give their names (`oshctl gpu list`)");
}

static int take_named(struct sandbox *s, struct gpu_grant *g, bool share, struct err *e)
{
	bool any = false;

	for (uint32_t i = 0; i < g->a.n_devices; i++) {
		int r = g->a.devices[i].named ? lock_device(s, g, i, share, e) : 0;

		if (r == -EAGAIN)
			return fail(e, EBUSY, "GPU '%.100s' is another sandbox's (`oshctl gpu list` shows whose); wait for its "
				    "end, take another, or share it in both (`share: true`, --gpu NAME,share)",
				    g->a.devices[i].name);
		if (r < 0)
			return r;
		any |= g->a.devices[i].named;
	}
	return any ? 0 : none_here(e);	/* "all" of a machine that has none */
}

/* Each next sandbox begins its search behind the one that was given last, so that all are used alike. */
static int take_any(struct sandbox *s, struct gpu_grant *g, uint32_t count, bool share, struct err *e)
{
	uint32_t has = 0, whole = 0, next = s->d->next_gpu;

	for (uint32_t i = 0; i < g->a.n_devices; i++)
		whole += g->a.devices[i].kind == OSH_GPU_WHOLE;
	for (uint32_t i = 0; i < g->a.n_devices && has < count; i++) {
		uint32_t at = (s->d->next_gpu + i) % g->a.n_devices;
		int r = g->a.devices[at].kind == OSH_GPU_WHOLE ? lock_device(s, g, at, share, e) : -EAGAIN;

		if (r < 0 && r != -EAGAIN)
			return r;
		if (!r) {
			has++;
			next = at + 1;
		}
	}
	if (has == count) {
		s->d->next_gpu = next;
		return 0;
	}
	if (!whole)
		return none_here(e);
	return fail(e, EBUSY, "%u of %u GPUs are free, and %u are asked for (`oshctl gpu list` shows who has them)", has, whole, count);
}

int gpu_take(struct sandbox *s, struct err *e)
{
	const struct bundle *b = &s->bundle;
	struct osh_gpu_ask ask = { .magic = OSH_GPU_MAGIC };
	struct gpu_grant *g;
	int r;

	if (!b->n_gpus)
		return 0;
	for (uint32_t i = 0; i < b->n_gpus && !b->gpus->count; i++)
		snprintf(ask.name[ask.n++], OSH_GPU_NAME, "%s", bundle_str(b, b->gpus[i].device));
	g = s->gpus = calloc(1, sizeof(*g));
	if (!g)
		return fail(e, ENOMEM, "out of memory");
	r = gpu_ask(s->d, &ask, &g->a, e);
	if (r < 0)
		return r;
	if (*g->a.warning)
		fprintf(stderr, "oshd: %s\n", g->a.warning);
	return b->gpus->count ? take_any(s, g, b->gpus->count, b->gpus->share, e) : take_named(s, g, b->gpus->share, e);
}

/* Two devices have nodes in common; each is mounted once. */
static bool is_first(const struct gpu_grant *g, uint32_t at)
{
	const struct osh_gpu_edit *x = &g->a.edits[at];

	for (uint32_t i = 0; i < at; i++)
		if (g->given[g->a.edits[i].device] && g->a.edits[i].kind == x->kind && !strcmp(g->a.edits[i].path, x->path))
			return false;
	return true;
}

/* By whatever name: the number is what osh-gpu said, or nothing is opened. */
static int open_edit(const struct sandbox *s, const struct osh_gpu_edit *x, int *ret_fd, struct err *e)
{
	bool node = x->kind == OSH_GPU_NODE;
	struct stat st;

	*ret_fd = x->kind == OSH_GPU_ENV ? fcntl(s->bundle_fd, F_DUPFD_CLOEXEC, 3) :
					   open(x->from, O_PATH | O_CLOEXEC | (node ? O_NOFOLLOW : 0));
	if (*ret_fd < 0)
		return fail(e, errno, "a granted device needs '%.200s': %s", x->from, strerror(errno));
	if (node && (fstat(*ret_fd, &st) < 0 || !S_ISCHR(st.st_mode) || major(st.st_rdev) != x->major ||
		     minor(st.st_rdev) != x->minor))
		return fail(e, ESTALE, "'%.200s' is another device now", x->from);
	return 0;
}

int gpu_mounts(struct sandbox *s, struct err *e)
{
	static const uint32_t flags[] = { [OSH_GPU_NODE] = OSH_MOUNT_NODE, [OSH_GPU_MOUNT] = OSH_MOUNT_FILE | OSH_MOUNT_RO,
					  [OSH_GPU_ENV] = OSH_MOUNT_ENV };
	const struct gpu_grant *g = s->gpus;
	uint32_t n = 0;
	int r = 0;

	for (uint32_t i = 0; g && !r && i < g->a.n_edits; i++) {
		const struct osh_gpu_edit *x = &g->a.edits[i];
		struct osh_msg_mount m = { .id = s->k.id, .flags = flags[x->kind] };
		_close_ int fd = -1;

		if (!g->given[x->device] || !is_first(g, i))
			continue;
		if (++n > OSH_GIVEN)
			return fail(e, E2BIG, "its devices need more than %d nodes, files and variables", OSH_GIVEN);
		strcpy(m.path, x->path);
		r = open_edit(s, x, &fd, e);
		if (!r)
			r = launcher_mount(s->d, &m, fd, e);
	}
	return r;
}

int gpu_fill(struct sandbox *s, struct err *e)
{
	const struct gpu_grant *g = s->gpus;
	int r = 0;

	for (uint32_t i = 0; g && !r && i < g->a.n_edits; i++) {
		const struct osh_gpu_edit *x = &g->a.edits[i];
		struct kbpf_device node = { x->major, x->minor, x->rights };

		if (!g->given[x->device] || !is_first(g, i))
			continue;
		if (x->kind == OSH_GPU_NODE)
			r = kbpf_devices(s->d->kernel, &s->k, &node, 1, e);
		else if (x->kind == OSH_GPU_ENV)
			r = kbpf_env_exempt(s->d->kernel, &s->k, x->path, e);
	}
	return r;
}

/* "0000:03:00.0", of whose node this is; false where the kernel has no word of it. */
static bool pci_of(const struct osh_gpu_edit *x, char ret[PCI_NAME])
{
	char path[64], to[512];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device", x->major, x->minor);
	n = x->kind == OSH_GPU_NODE ? readlink(path, to, sizeof(to) - 1) : -1;
	if (n <= 0)
		return false;
	to[n] = 0;
	name = strrchr(to, '/') ? strrchr(to, '/') + 1 : to;
	return snprintf(ret, PCI_NAME, "%.*s", PCI_NAME - 1, name) > 0;
}

/* Of a device of a specification only its nodes say which PCI device, or devices, it is. */
static int limit_device(struct sandbox *s, uint32_t device, uint64_t bytes, const char **why)
{
	const struct gpu_answer *a = &s->gpus->a;
	const struct cgroup_base *c = &s->d->cgroups;
	const char *own = a->devices[device].pci;
	bool known = *own;
	char pci[PCI_NAME];
	int r = known ? dmem_set(c, s->box_fd, own, bytes, why) : 0;

	for (uint32_t i = 0; !r && i < a->n_edits; i++)
		if (a->edits[i].device == device && pci_of(&a->edits[i], pci)) {
			known = true;
			r = dmem_set(c, s->box_fd, pci, bytes, why);
		}
	return known ? r : dmem_set(c, s->box_fd, "", bytes, why);
}

int gpu_limit(struct sandbox *s, struct err *e)
{
	uint64_t bytes = s->amount[OSH_RES_GPU_MEMORY];
	const char *why = "";
	int r = 0;

	for (uint32_t i = 0; s->gpus && bytes && !r && i < s->gpus->a.n_devices; i++)
		if (s->gpus->given[i] && (r = limit_device(s, i, bytes, &why)) < 0)
			return fail(e, r == -ENOENT || r == -ENODEV ? EOPNOTSUPP : -r, "resources.gpu_memory: no limit for '%.100s': %s",
				    s->gpus->a.devices[i].name, why);
	return 0;
}

void gpu_give_back(struct sandbox *s)
{
	s->gpus_back = true;
	host_gpus_free(s->slot_fd);
}

void gpu_done(struct sandbox *s)
{
	if (s->gpus)
		gpu_answer_done(&s->gpus->a);
	free(s->gpus);
	s->gpus = NULL;
}
