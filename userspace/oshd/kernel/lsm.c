// SPDX-License-Identifier: Apache-2.0
/*
 * Which programs this kernel takes, of those that it may lack: asked once a process. LSM programs that keep
 * `filesystem_policy.deny` together are all or none, since half of them would be a promise with holes. Each of the others is
 * a second lock, and is left out for itself: the kernel was built without its hook, or refuses the program. What is left out
 * is said. Nothing is lost with a hook that came with the one call that asks it, where the kernel has neither; and what only
 * puts on record what others refuse (TELL) is a promise of nothing. Of the two ways to hear what Landlock refuses one is taken.
 */
#include "kbpf.h"
#include "own.h"

#include <bpf/btf.h>

static enum { LSM_UNKNOWN, LSM_LIVES, LSM_REFUSED } state;
static bool refused[OSH_HOOK_MAX];

#define FILE_SETATTR "bpf_lsm_inode_file_setattr", BTF_KIND_FUNC			/* file_setattr(2): Linux 6.17 */
#define LANDLOCK_TELLS "btf_trace_landlock_deny_access_fs", BTF_KIND_TYPEDEF	/* its tracepoints came together: 7.3 */
#define LOG_DENIAL "landlock_log_denial"
#define LANDLOCK_LOGS LOG_DENIAL, BTF_KIND_FUNC					/* CONFIG_AUDIT; Linux 6.15 */

/* By the names that the kernel's own types have. */
static const struct {
	enum osh_hook hook;
	const char *type;
	uint32_t kind;
} later[] = {
	{ OSH_HOOK_FSETATTR, FILE_SETATTR },	 { OSH_HOOK_LLFILE, LANDLOCK_TELLS }, { OSH_HOOK_LLTRACE, LANDLOCK_TELLS },
	{ OSH_HOOK_LLSIGNAL, LANDLOCK_TELLS }, { OSH_HOOK_LLUNIX, LANDLOCK_TELLS }, { OSH_HOOK_LLDENIAL, LANDLOCK_LOGS },
};
static bool absent[ARRAY_SIZE(later)];

bool kbpf_hook_needless(enum osh_hook hook)
{
	for (size_t i = 0; i < ARRAY_SIZE(later); i++)
		if (later[i].hook == hook)
			return absent[i];
	return false;
}

/* The tracepoints, where they are, tell what the function would. */
bool kbpf_hook_spare(enum osh_hook hook)
{
	return hook == OSH_HOOK_LLDENIAL && !kbpf_hook_needless(OSH_HOOK_LLFILE) && !refused[OSH_HOOK_LLFILE];
}

/* Reading the types takes the time of a start, so it is done once, and each name is looked for once. */
static void look(void)
{
	struct btf *types = btf__load_vmlinux_btf();

	state = kbpf_asks_lsm(types) ? LSM_LIVES : LSM_REFUSED;
	for (size_t i = 0; i < ARRAY_SIZE(later); i++)
		absent[i] = i && !strcmp(later[i].type, later[i - 1].type)
				    ? absent[i - 1]
				    : !types || btf__find_by_name_kind(types, later[i].type, later[i].kind) <= 0;
	/* Where LSM programs live, so do programs at the entry of any function: the kernel attaches both in one way. */
	if (state != LSM_LIVES && !kbpf_hook_needless(OSH_HOOK_LLDENIAL) && !kbpf_hook_spare(OSH_HOOK_LLDENIAL))
		refused[OSH_HOOK_LLDENIAL] = !kbpf_takes_entry(types, LOG_DENIAL);
	btf__free(types);
}

bool kbpf_hook_optional(enum osh_hook h)
{
	return kbpf_hook_is_lsm(h) || kbpf_hook_where(h) == AT_TELL;
}

static bool is_left_out(enum osh_hook h)
{
	return refused[h] || kbpf_hook_needless(h) || (kbpf_hook_is_lsm(h) && state != LSM_LIVES);
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
	fprintf(stderr, "oshd: program '%s' is left out, %s: %s\n", kbpf_hook_name(h),
		kbpf_hook_is_lsm(h) ? "one lock less" : "less on record", why);
	refused[h] = true;
	return true;
}

void kbpf_lsm_open(struct kbpf *k)
{
	if (state == LSM_UNKNOWN)
		look();
	k->lsm = state == LSM_LIVES;
	for (enum osh_hook h = 0; h < OSH_HOOK_MAX; h++) {
		struct bpf_program *p = kbpf_hook_optional(h) ? kbpf_program(k, h) : NULL;

		k->lacks[h] = p && (is_left_out(h) || (kbpf_hook_spare(h) && !kbpf_hook_off(k, OSH_HOOK_LLFILE)));
		if (k->lacks[h])
			bpf_program__set_autoload(p, false);
	}
}

static bool narrow(bool tells_only)
{
	bool some = false;

	for (enum osh_hook h = 0; h < OSH_HOOK_MAX; h++) {
		struct err e = { 0 };

		if (kbpf_hook_optional(h) && !is_left_out(h) && !kbpf_hook_spare(h) && (!tells_only || kbpf_hook_where(h) == AT_TELL) &&
		    kbpf_try_hook(h, &e) < 0)
			some |= refuse(h, e.text);
	}
	return some;
}

bool kbpf_lsm_narrow(const char *why)
{
	return narrow(false) || refuse_all(why);
}

bool kbpf_lsm_narrow_tells(void)
{
	return narrow(true);
}
