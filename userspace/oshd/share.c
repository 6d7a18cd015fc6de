/* SPDX-License-Identifier: Apache-2.0 */
#include "share.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "reload.h"

int share_open(struct bundle *ret, uid_t uid, int fd, struct err *e)
{
	struct stat st;

	/* Only of a memfd is anything asked: another file's owner could let us wait. */
	if (uid && fcntl(fd, F_GET_SEALS) >= 0 && fstat(fd, &st) == 0 && st.st_size > OSH_BUNDLE_EACH)
		return fail(e, E2BIG, "this policy compiles to %lld KiB; sandboxes of other users than root have %u at most: "
			    "list less, or let root start it", (long long)st.st_size / 1024, OSH_BUNDLE_EACH / 1024);
	return bundle_open_fd(ret, fd, e);
}

static void add(const struct sandbox *s, struct kbpf_need *n)
{
	const struct bundle *next = reload_next(s);

	kbpf_need_policy(&s->bundle, n);
	kbpf_need_names(s->d->kernel, &s->k, &s->bundle, n);
	if (!next)
		return;
	kbpf_need_policy(next, n);
	kbpf_need_new_names(next, n);
}

int share_check(const struct sandbox *s, const struct bundle *b, struct err *e)
{
	struct kbpf_need mine = { 0 }, others = { 0 };

	if (!s->uid || s->d->config.embedded)
		return 0;
	kbpf_need_policy(b, &mine);
	kbpf_need_new_names(b, &mine);
	for (uint32_t i = 0; i < OSH_SLOTS; i++) {
		const struct sandbox *x = s->d->slots[i];

		if (x && x->bundle.meta && (x != s || x->state != SB_NEW))
			add(x, x->uid == s->uid ? &mine : &others);
	}
	return kbpf_need_check(s->d->kernel, &mine, &others, e);
}
