/* SPDX-License-Identifier: Apache-2.0 */
#include "secret.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096u

static size_t pages(size_t n)
{
	return (n + PAGE - 1) & ~(size_t)(PAGE - 1);
}

void *secret_alloc(size_t n)
{
	size_t all = pages(n ? n : 1);
	void *p;
	int why;

	if (all < n) {
		errno = ENOMEM;
		return NULL;
	}
	p = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (mlock(p, all) == 0 && madvise(p, all, MADV_DONTDUMP) == 0 &&
	    madvise(p, all, MADV_WIPEONFORK) == 0)
		return p;
	why = errno;
	munmap(p, all);
	errno = why;
	return NULL;
}

void secret_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

void secret_free(void *p, size_t n)
{
	if (!p)
		return;
	secret_wipe(p, pages(n ? n : 1));
	munmap(p, pages(n ? n : 1));
}
