/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GPUs by what kernel drivers show: NVIDIA's nodes in /dev and texts in /proc/driver/nvidia; for all others the
 * render nodes of DRM, by the PCI device that they belong to. Nothing here opens a node.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "found.h"
#include "own.h"

#define PROC "/proc/driver/nvidia"
#define ALL 64				/* numbers of nodes that are looked at */

/* The text of a small file of the kernel's; "" where there is none. */
static const char *text_of(const char *path, char *ret, size_t n)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, ret, n - 1);

	ret[got < 0 ? 0 : got] = 0;
	return ret;
}

/* "Name:   value" in lines. */
static bool field(const char *text, const char *name, char *ret, size_t n)
{
	const char *at = strstr(text, name);

	if (!at)
		return false;
	at += strlen(name);
	at += strspn(at, ": \t");
	snprintf(ret, n, "%.*s", (int)strcspn(at, "\n"), at);
	return *ret;
}

static void driver_of(struct osh_gpu_device *d)
{
	char text[512];
	const char *at = text_of(PROC "/version", text, sizeof(text));

	/* "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu ..." */
	for (text[strcspn(text, "\n")] = 0; (at = strpbrk(at, "0123456789")); at += strcspn(at, " ")) {
		size_t n = strcspn(at, " "), digits = strspn(at, "0123456789.");

		if (n == digits && memchr(at, '.', n) && (at == text || at[-1] == ' ')) {
			snprintf(d->driver, sizeof(d->driver), "nvidia %.*s", (int)n, at);
			return;
		}
	}
	strcpy(d->driver, "nvidia");
}

/* Which of the directories in /proc is about this minor? */
static void describe(struct osh_gpu_device *d, unsigned number)
{
	DIR *dir = opendir(PROC "/gpus");
	const struct dirent *x;

	while (dir && (x = readdir(dir))) {
		char path[sizeof(PROC) + sizeof(x->d_name) + 32], text[4096], value[16];

		if (x->d_name[0] == '.' || strlen(x->d_name) >= sizeof(d->pci))
			continue;
		snprintf(path, sizeof(path), PROC "/gpus/%s/information", x->d_name);
		text_of(path, text, sizeof(text));
		if (!field(text, "Device Minor", value, sizeof(value)) || (unsigned)atoi(value) != number)
			continue;
		strcpy(d->pci, x->d_name);
		(void)field(text, "GPU UUID", d->uuid, sizeof(d->uuid));
		(void)field(text, "Model", d->model, sizeof(d->model));
	}
	if (dir)
		closedir(dir);
	driver_of(d);
}

static void common_nodes(struct found *f, uint32_t device)
{
	static const char *const nodes[] = { "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools" };

	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		(void)found_node(f, device, 0, nodes[i]);
}

/* Last part of where a link of sysfs leads. */
static bool link_name(const char *path, char *ret, size_t n)
{
	char to[512];
	ssize_t got = readlink(path, to, sizeof(to) - 1);
	const char *name;

	if (got <= 0)
		return false;
	to[got] = 0;
	name = strrchr(to, '/') ? strrchr(to, '/') + 1 : to;
	if (strlen(name) >= n)
		return false;
	strcpy(ret, name);
	return true;
}

static bool pci_of(const char *node, char ret[32])
{
	char path[300];

	snprintf(path, sizeof(path), "/sys/class/drm/%.200s/device", node);
	return link_name(path, ret, 32);
}

/* Each name in /dev/dri whose PCI device is `pci`. */
static void dri_nodes(struct found *f, uint32_t device, const char *pci)
{
	DIR *dir = opendir("/dev/dri");
	const struct dirent *x;

	while (*pci && dir && (x = readdir(dir))) {
		char path[300], has[32];

		snprintf(path, sizeof(path), "/dev/dri/%.200s", x->d_name);
		if (pci_of(x->d_name, has) && !strcmp(has, pci))
			(void)found_node(f, device, OSH_GPU_OWN, path);
	}
	if (dir)
		closedir(dir);
}

static bool capability(struct found *f, uint32_t device, uint32_t flags, const char *file)
{
	char text[256], value[16], path[64];

	if (!field(text_of(file, text, sizeof(text)), "DeviceFileMinor", value, sizeof(value)))
		return false;
	snprintf(path, sizeof(path), "/dev/nvidia-caps/nvidia-cap%u", (unsigned)atoi(value));
	return found_node(f, device, flags, path);
}

/* A part of a partitioned GPU: its two capabilities, and the GPU's node, which nobody has for himself then. */
static void mig(struct found *f, const struct osh_gpu_device *whole, unsigned gpu, unsigned gi, unsigned ci)
{
	char name[64], file[128], node[32];
	int d;

	snprintf(file, sizeof(file), PROC "/capabilities/gpu%u/mig/gi%u/ci%u/access", gpu, gi, ci);
	if (access(file, F_OK) < 0)
		return;
	snprintf(name, sizeof(name), "nvidia%u:%u:%u", gpu, gi, ci);
	snprintf(node, sizeof(node), "/dev/nvidia%u", gpu);
	d = found_device(f, OSH_GPU_PART, name);
	if (d < 0 || !capability(f, (uint32_t)d, OSH_GPU_OWN, file))
		return;
	memcpy(f->devices[d].driver, whole->driver, sizeof(whole->driver));
	memcpy(f->devices[d].model, whole->model, sizeof(whole->model));
	snprintf(file, sizeof(file), PROC "/capabilities/gpu%u/mig/gi%u/access", gpu, gi);
	(void)capability(f, (uint32_t)d, 0, file);
	(void)found_node(f, (uint32_t)d, OSH_GPU_SPLIT, node);
	common_nodes(f, (uint32_t)d);
}

static void nvidia(struct found *f, unsigned number)
{
	char path[32], dir[64];
	struct osh_gpu_device whole;
	struct stat st;
	int d;

	snprintf(path, sizeof(path), "/dev/nvidia%u", number);
	if (lstat(path, &st) < 0 || !S_ISCHR(st.st_mode))
		return;
	d = found_device(f, OSH_GPU_WHOLE, path + 5);
	if (d < 0)
		return;
	describe(&f->devices[d], number);
	whole = f->devices[d];
	(void)found_node(f, (uint32_t)d, OSH_GPU_OWN, path);
	dri_nodes(f, (uint32_t)d, whole.pci);
	common_nodes(f, (uint32_t)d);
	snprintf(dir, sizeof(dir), PROC "/capabilities/gpu%u/mig", number);
	if (access(dir, F_OK) < 0)
		return;
	for (unsigned gi = 0; gi < 16; gi++)
		for (unsigned ci = 0; ci < 8; ci++)
			mig(f, &whole, number, gi, ci);
}

static bool is_known(const struct found *f, const char *pci)
{
	for (uint32_t i = 0; i < f->n_devices; i++)
		if (!strcmp(f->devices[i].pci, pci))
			return true;
	return false;
}

/* Another vendor's: a render node, with what belongs to the same PCI device. */
static void render(struct found *f, unsigned number)
{
	char name[32], path[64], link[128], pci[32] = "", driver[64] = "";
	struct stat st;
	int d;

	snprintf(name, sizeof(name), "renderD%u", number);
	snprintf(path, sizeof(path), "/dev/dri/%s", name);
	if (lstat(path, &st) < 0 || !S_ISCHR(st.st_mode) || (pci_of(name, pci) && is_known(f, pci)))
		return;
	d = found_device(f, OSH_GPU_WHOLE, name);
	if (d < 0)
		return;
	snprintf(link, sizeof(link), "/sys/class/drm/%s/device/driver", name);
	(void)link_name(link, driver, sizeof(driver));
	strcpy(f->devices[d].pci, pci);
	strcpy(f->devices[d].driver, driver);
	if (*pci)
		dri_nodes(f, (uint32_t)d, pci);
	else
		(void)found_node(f, (uint32_t)d, OSH_GPU_OWN, path);
	if (!strcmp(driver, "amdgpu"))
		(void)found_node(f, (uint32_t)d, 0, "/dev/kfd");
}

void native_find(struct found *f)
{
	for (unsigned i = 0; i < ALL; i++)
		nvidia(f, i);
	for (unsigned i = 128; i < 128 + ALL; i++)
		render(f, i);
}
