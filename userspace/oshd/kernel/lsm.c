// SPDX-License-Identifier: Apache-2.0
/*
 * Which LSM programs this kernel takes: asked once a process. Those that keep `filesystem_policy.deny` together
 * are all or none, since half of them would be a promise with holes. Each of the others is a second lock, and
 * is left out for itself: the kernel was built without its hook, or refuses the program. What is left out is said.
 * Nothing is lost with a hook that came with the one call that asks it, where the kernel has neither.
 */
#include "kbpf.h"
#include "own.h"

static enum { LSM_UNKNOWN, LSM_LIVES, LSM_REFUSED } state;
static bool refused[OSH_HOOK_MAX];

static struct {
	enum osh_hook hook;
	const char *asked;		/* the kernel's name */
	bool absent;
} with_call[] = {
	{ .hook = OSH_HOOK_FSETATTR, .asked = "inode_file_setattr" },	/* file_setattr(2): 6.17 */
};

bool kbpf_hook_needless(enum osh_hook hook)
{
	for (size_t i = 0; i < ARRAY_SIZE(with_call); i++)
		if (with_call[i].hook == hook)
			return with_call[i].absent;
	return false;
}

static void look(void)
{
	state = kbpf_has_lsm() ? LSM_LIVES : LSM_REFUSED;
	for (size_t i = 0; i < ARRAY_SIZE(with_call) && state == LSM_LIVES; i++)
		with_call[i].absent = libbpf_find_vmlinux_btf_id(with_call[i].asked, BPF_LSM_MAC) == -ENOENT;
}

static bool refuse_all(const char *why)
{
	bool more = state != LSM_REFUSED;

	if (more)
		fprintf(stderr, "oshd: LSM programs do not load and are left out: %s\n", why);
	state = LSM_REFUSED;
	return more;
}

/* True where the load is worth another trial. */
static bool refuse(enum osh_hook h, const char *why)
{
	if (kbpf_hook_where(h) == AT_LSM)
		return refuse_all(why);
	fprintf(stderr, "oshd: LSM program '%s' is left out, one lock less: %s\n", kbpf_hook_name(h), why);
	refused[h] = true;
	return true;
}

void kbpf_lsm_open(struct kbpf *k)
{
	if (state == LSM_UNKNOWN)
		look();
	k->lsm = state == LSM_LIVES;
	for (enum osh_hook h = 0; h < OSH_HOOK_MAX; h++) {
		struct bpf_program *p = kbpf_hook_is_lsm(h) ? kbpf_program(k, h) : NULL;

		k->lacks[h] = p && (!k->lsm || refused[h] || kbpf_hook_needless(h));
		if (k->lacks[h])
			bpf_program__set_autoload(p, false);
	}
}

bool kbpf_lsm_narrow(const char *why)
{
	bool some = false;

	if (state != LSM_LIVES)
		return false;
	for (enum osh_hook h = 0; state == LSM_LIVES && h < OSH_HOOK_MAX; h++) {
		struct err e = { 0 };

		if (kbpf_hook_is_lsm(h) && !refused[h] && !kbpf_hook_needless(h) && kbpf_try_hook(h, &e) < 0)
			some |= refuse(h, e.text);
	}
	return some || refuse_all(why);
}
