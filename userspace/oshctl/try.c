/* SPDX-License-Identifier: Apache-2.0 */
#include "try.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "facts.h"
#include "kernel.h"
#include "osh/landlock.h"
#include "own.h"
#include "probe.h"

#define SCOPES_ABI 6
#define ANSWER EXDEV			/* that getppid(2) never gives by itself */

static int try_kernel(struct err *e)
{
	struct utsname u = { 0 };
	int r = kernel_check(e);

	if (!r && uname(&u) == 0)
		snprintf(e->text, sizeof(e->text), "%s", u.release);
	return r;
}

static int try_btf(struct err *e)
{
	_close_ int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	unsigned char head[2] = { 0 };

	if (fd < 0)
		return fail(e, errno, "%s", strerror(errno));
	return read(fd, head, sizeof(head)) == 2 && head[0] == 0x9f && head[1] == 0xeb ? 0 : fail(e, EBADMSG, "not BTF");
}

static int try_cgroup2(struct err *e)
{
	_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct facts f;

	facts_read(root, &f);
	if (!f.cgroup[0])
		return fail(e, ENOENT, "no cgroup v2 hierarchy is mounted");
	snprintf(e->text, sizeof(e->text), "at %.200s", f.cgroup);
	return 0;
}

static long landlock_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, OSH_LL_VERSION);
}

/* Reading is handled and no rule gives it: the root directory, open to all, is shut. */
static int try_landlock(struct err *e)
{
	const uint64_t handled = OSH_LL_READ_DIR;
	long abi = landlock_abi();
	int set, fd;

	if (abi < 1)
		return fail(e, errno, "%s", errno == EOPNOTSUPP ? "built in, and not among the security modules in force" :
							    strerror(errno));
	set = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	if (set < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_landlock_restrict_self, set, 0) < 0)
		return fail(e, errno, "restrict: %s", strerror(errno));
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 || errno != EACCES)
		return fail(e, EPROTO, "what it was told to refuse is open");
	snprintf(e->text, sizeof(e->text), "ABI %ld", abi);
	return 0;
}

static int try_scopes(struct err *e)
{
	long abi = landlock_abi();

	return abi >= SCOPES_ABI ? 0 : fail(e, ENOSYS, "Landlock ABI %ld", abi < 0 ? 0 : abi);
}

/* getppid waits for an answer; everything else goes on. */
static int listen_to_getppid(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
			    SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
}

static int try_notify(struct err *e)
{
	struct seccomp_notif_resp answer = { .error = -ANSWER };
	struct seccomp_notif call = { 0 };
	int fd = listen_to_getppid(), status = 0;
	pid_t pid;

	if (fd < 0)
		return fail(e, errno, "a filter that asks: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		_exit(syscall(__NR_getppid) == -1 && errno == ANSWER ? 0 : 1);
	if (pid < 0 || ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
		return fail(e, errno, "hear of a call: %s", strerror(errno));
	answer.id = call.id;
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0)
		return fail(e, errno, "answer a call: %s", strerror(errno));
	waitpid(pid, &status, 0);
	return status ? fail(e, EPROTO, "the caller heard another answer") : 0;
}

static int try_userns(struct err *e)
{
	return unshare(CLONE_NEWUSER) < 0 ? fail(e, errno, "unshare: %s", strerror(errno)) : 0;
}

static const struct probe_trial trials[] = {
	{ OSH_PROBE_KERNEL, try_kernel },     { OSH_PROBE_BTF, try_btf },	{ OSH_PROBE_CGROUP2, try_cgroup2 },
	{ OSH_PROBE_LANDLOCK, try_landlock }, { OSH_PROBE_SCOPES, try_scopes }, { OSH_PROBE_NOTIFY, try_notify },
	{ OSH_PROBE_USERNS, try_userns },
};
_Static_assert(ARRAY_SIZE(trials) <= TRY_ROWS, "a place for each");

unsigned try_all(struct osh_probe_row *rows)
{
	for (unsigned i = 0; i < ARRAY_SIZE(trials); i++)
		probe_try(&trials[i], &rows[i]);
	return ARRAY_SIZE(trials);
}
