/* SPDX-License-Identifier: Apache-2.0 */
/* Trusts nothing of a sandbox: an answer is chosen by number from a fixed list. */
#include "answer.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "own.h"
#include "osh/refused.h"

#ifndef __NR_mseal
#define __NR_mseal 462			/* Linux 6.10 */
#endif

static const int errnos[ANSWERS] = OSH_REFUSED_ERRNOS;
static char *pages;			/* two an answer */
static size_t page;

_Static_assert(offsetof(struct seccomp_notif_resp, val) == sizeof(uint64_t), "the number comes first");

static char *edge(int i)
{
	return pages + (2 * (size_t)i + 1) * page;
}

uint64_t answer_place(int i)
{
	return (uint64_t)(uintptr_t)(edge(i) - sizeof(uint64_t));
}

int answer_setup(struct err *e)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	pages = mmap(NULL, 2 * ANSWERS * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return fail(e, errno, "memory for answers: %s", strerror(errno));
	for (int i = 0; i < ANSWERS; i++) {
		struct seccomp_notif_resp a = { .error = -errnos[i] };

		memcpy(edge(i), (char *)&a + sizeof(a.id), sizeof(a) - sizeof(a.id));
		if (mprotect(edge(i), page, PROT_READ) < 0 || syscall(__NR_mseal, edge(i), page, 0) < 0)
			return fail(e, errno, "seal the answers: %s", strerror(errno));
	}
	return 0;
}

int answer_send(int listener, uint64_t call, int error)
{
	int i = 0;

	while (i < ANSWERS - 1 && errnos[i] != error)
		i++;
	memcpy(edge(i) - sizeof(call), &call, sizeof(call));
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, answer_place(i)) < 0 ? -errno : 0;
}
