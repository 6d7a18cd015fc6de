/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oshd <-> osh-gpu, which looks at the machine's GPUs and reads CDI specifications, without privileges, for one
 * answer. Two memfds: descriptor 3 is asked, 4 is written: a head, devices, edits. oshd checks every field.
 */
#pragma once

#include <stdint.h>

#include "osh/limits.h"

#define OSH_GPU_MAGIC 0x75706720u

struct osh_gpu_ask {
	uint32_t magic;
	uint32_t list;			/* 1 = all devices, named ones or not */
	uint32_t n;
	char name[OSH_GPU_NAMES][OSH_GPU_NAME];	/* must be there; none = whole GPUs to choose from */
};

struct osh_gpu_head {
	uint32_t magic;
	uint32_t n_devices, n_edits;
	int32_t code;			/* positive errno: nothing follows */
	char text[480];			/* why; or what was left out, as a warning */
};

enum osh_gpu_kind { OSH_GPU_WHOLE, OSH_GPU_PART, OSH_GPU_CDI };

struct osh_gpu_device {
	uint32_t kind;			/* enum osh_gpu_kind */
	uint32_t named;			/* it was asked for by a name */
	char name[OSH_GPU_NAME];	/* "nvidia0", "renderD128", "nvidia0:1:0", "vendor.com/class=name" */
	char uuid[64], model[64], pci[32], driver[64];	/* "" = unknown */
};

enum osh_gpu_edit_kind { OSH_GPU_NODE, OSH_GPU_MOUNT, OSH_GPU_ENV };

struct osh_gpu_edit {
	uint32_t kind;			/* enum osh_gpu_edit_kind */
	uint32_t device;		/* index */
	uint32_t flags;			/* OSH_GPU_OWN, ... of a node */
	uint32_t rights;		/* OSH_DEVICE_* of a node */
	uint32_t major, minor;
	char from[OSH_GPU_PATH];	/* on the host */
	char path[OSH_GPU_PATH];	/* as the sandbox sees it; of an ENV: NAME=value */
};
#define OSH_GPU_OWN 1u			/* the device itself: one sandbox has it, or all that have it share */
#define OSH_GPU_SPLIT 2u		/* a part of it is granted: whoever wants the whole is refused meanwhile */
