/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any system call: `call NAME [ARG]...` makes it and prints `ok` or `errno=EPERM`; exit status 0, 1, or 2 where
 * it was used wrongly. ARG is a number, `=TEXT` (a pointer to the text), `@N` (a pointer to N zero bytes), or
 * `:PATH` (a descriptor of the file, read only). For attacks whose whole point is one call; what needs
 * several is a verb of attempt.c.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"
#include "own.h"

#ifndef SYS_file_setattr
#define SYS_file_setattr	469
#endif
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr	467
#endif

#define CALL(name) { #name, SYS_##name }

static const struct {
	const char *name;
	long nr;
} calls[] = {
	CALL(acct), CALL(adjtimex), CALL(capset), CALL(chmod), CALL(chown), CALL(clock_settime), CALL(clone),
	CALL(clone3), CALL(delete_module), CALL(fanotify_init), CALL(fcntl), CALL(file_setattr), CALL(finit_module), CALL(fsconfig),
	CALL(fspick), CALL(get_robust_list), CALL(getpgid), CALL(getpriority), CALL(init_module), CALL(ioctl),
	CALL(ioprio_set), CALL(kcmp), CALL(kexec_load), CALL(keyctl), CALL(link), CALL(migrate_pages),
	CALL(mount_setattr), CALL(move_mount), CALL(move_pages), CALL(msgget), CALL(name_to_handle_at),
	CALL(open_tree), CALL(personality), CALL(pidfd_getfd), CALL(pidfd_open), CALL(pivot_root), CALL(prctl),
	CALL(prlimit64), CALL(process_madvise), CALL(process_vm_writev), CALL(quotactl), CALL(request_key),
	CALL(rename), CALL(renameat2), CALL(rt_sigqueueinfo), CALL(sched_setaffinity), CALL(sched_setscheduler),
	CALL(semget), CALL(setgroups), CALL(sethostname), CALL(setpriority), CALL(settimeofday), CALL(setxattr),
	CALL(shmat), CALL(shmget), CALL(swapoff), CALL(swapon), CALL(symlink), CALL(syslog), CALL(tgkill),
	CALL(tkill), CALL(truncate), CALL(umount2), CALL(unlink), CALL(unshare), CALL(utimensat), CALL(vhangup),
#ifdef __x86_64__
	CALL(ioperm), CALL(iopl), CALL(modify_ldt),
#endif
};

static bool argument(const char *text, long *arg)
{
	char *end;

	switch (text[0]) {
	case '=':
		*arg = (long)(uintptr_t)(text + 1);
		return true;
	case '@':
		*arg = (long)(uintptr_t)calloc(1, strtoul(text + 1, NULL, 0));
		return *arg != 0;
	case ':':
		*arg = open(text + 1, O_RDONLY | O_CLOEXEC);
		return *arg >= 0;
	}
	*arg = (long)strtoull(text, &end, 0);
	return end != text && !*end;
}

int main(int argc, char **argv)
{
	long a[6] = { 0 }, r;
	size_t i = 0;

	while (argc > 1 && i < ARRAY_SIZE(calls) && strcmp(argv[1], calls[i].name))
		i++;
	if (argc < 2 || argc > 8 || i == ARRAY_SIZE(calls)) {
		fputs("usage: call NAME [NUMBER|=TEXT|@BYTES|:PATH]...\n", stderr);
		return 2;
	}
	for (size_t n = 2; n < (size_t)argc; n++)
		if (!argument(argv[n], &a[n - 2])) {
			printf("errno=%s\n", errno ? strerrorname_np(errno) : "EINVAL");
			return errno ? 1 : 2;
		}
	r = syscall(calls[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (r >= 0)
		puts("ok");
	else
		printf("errno=%s\n", strerrorname_np(errno) ? strerrorname_np(errno) : "?");
	return r < 0;
}
