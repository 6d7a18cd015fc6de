/* SPDX-License-Identifier: Apache-2.0 */
/* Rights by ABI are one table; a rule that the kernel refuses ends the launch, never the layer. */
#include "landlock.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "osh/landlock.h"
#include "own.h"

#define FILE_RIGHTS (OSH_LL_EXECUTE | OSH_LL_WRITE_FILE | OSH_LL_READ_FILE | OSH_LL_TRUNCATE | \
		     OSH_LL_IOCTL_DEV | OSH_LL_RESOLVE_UNIX)
#define READ (OSH_LL_READ_FILE | OSH_LL_READ_DIR)
/* Device nodes cannot be made anywhere: MAKE_CHAR and MAKE_BLOCK are in no row. */
#define WRITE (OSH_LL_WRITE_FILE | OSH_LL_TRUNCATE | OSH_LL_REMOVE_DIR | OSH_LL_REMOVE_FILE | \
	       OSH_LL_MAKE_DIR | OSH_LL_MAKE_REG | OSH_LL_MAKE_SOCK | OSH_LL_MAKE_FIFO | \
	       OSH_LL_MAKE_SYM | OSH_LL_REFER)

static const uint64_t rights[LANDLOCK_KINDS] = {
	/* clang-format off */
	[LANDLOCK_LIST]   = OSH_LL_READ_DIR,
	[LANDLOCK_READ]   = READ,
	[LANDLOCK_RUN]    = READ | OSH_LL_EXECUTE,
	[LANDLOCK_WRITE]  = READ | WRITE,
	[LANDLOCK_ALL]    = READ | WRITE | OSH_LL_EXECUTE,
	/* A socket in a volume would be a door between two sandboxes that share it. */
	[LANDLOCK_SHARED] = READ | (WRITE & ~OSH_LL_MAKE_SOCK),
	[LANDLOCK_SHARED_RUN] = READ | (WRITE & ~OSH_LL_MAKE_SOCK) | OSH_LL_EXECUTE,
	[LANDLOCK_DEVICE] = READ | OSH_LL_WRITE_FILE | OSH_LL_TRUNCATE | OSH_LL_IOCTL_DEV,
	[LANDLOCK_EXEC]   = OSH_LL_EXECUTE,
	[LANDLOCK_SOCKET] = OSH_LL_RESOLVE_UNIX | OSH_LL_READ_FILE | OSH_LL_WRITE_FILE,
	/* clang-format on */
};

/* handled = what is denied unless a rule says otherwise: all that this ABI knows. */
static const struct {
	int abi;
	uint64_t fs, scoped;
} since[] = {
	/* clang-format off */
	{ 1, (1ull << 13) - 1,    0 },
	{ 2, OSH_LL_REFER,        0 },
	{ 3, OSH_LL_TRUNCATE,     0 },
	{ 5, OSH_LL_IOCTL_DEV,    0 },
	{ 6, 0,                   OSH_LL_SCOPE_ABSTRACT | OSH_LL_SCOPE_SIGNAL },
	{ 9, OSH_LL_RESOLVE_UNIX, 0 },
	/* clang-format on */
};

int landlock_abi(void)
{
	long v = syscall(SYS_landlock_create_ruleset, NULL, 0, OSH_LL_VERSION);

	return v < 0 ? 0 : (int)v;
}

static struct osh_ll_ruleset handled(int abi)
{
	struct osh_ll_ruleset a = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(since); i++)
		if (abi >= since[i].abi) {
			a.fs |= since[i].fs;
			a.scoped |= since[i].scoped;
		}
	return a;
}

uint64_t landlock_rights(enum landlock_kind kind, bool dir, int abi)
{
	uint64_t r = rights[kind] & handled(abi).fs;

	return dir ? r : r & FILE_RIGHTS;
}

/* The struct grew with the ABI; an older kernel takes a longer one only if the rest is zero. */
static size_t ruleset_size(int abi)
{
	if (abi >= 6)
		return sizeof(struct osh_ll_ruleset);
	return abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

static int add_rule(int ruleset, const struct landlock_rule *r, int abi, struct err *e)
{
	struct osh_ll_path p = { .fd = r->fd };
	struct stat st;

	if (fstat(r->fd, &st) < 0)
		return fail(e, errno, "landlock: stat a path of the view: %s", strerror(errno));
	p.allowed = landlock_rights(r->kind, S_ISDIR(st.st_mode), abi);
	if (!p.allowed)
		return 0;
	if (syscall(SYS_landlock_add_rule, ruleset, OSH_LL_PATH_BENEATH, &p, 0) < 0)
		return fail(e, errno, "landlock: add a rule: %s", strerror(errno));
	return 0;
}

int landlock_apply(const struct landlock_rule *rules, size_t n, int abi, struct err *e)
{
	struct osh_ll_ruleset a = handled(abi);
	_close_ int fd = (int)syscall(SYS_landlock_create_ruleset, &a, ruleset_size(abi), 0);

	if (fd < 0)
		return fail(e, errno, "landlock: create a ruleset for ABI %d: %s", abi, strerror(errno));
	for (size_t i = 0; i < n; i++) {
		int r = add_rule(fd, &rules[i], abi, e);

		if (r < 0)
			return r;
	}
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return fail(e, errno, "landlock: restrict: %s", strerror(errno));
	return 0;
}
