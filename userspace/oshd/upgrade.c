/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host-wide programs first, then what each sandbox has of its own, then the mark that says so. A sandbox
 * that cannot be brought along keeps what it has, and the next start tries again: it is enforced either way.
 */
#include "upgrade.h"

#include "note.h"
#include "sandbox.h"

int upgrade_adopt(struct daemon *d, struct err *e)
{
	int r;

	if (!kbpf_is_whole(d->pins))
		return fail(e, ENOENT, "'%s' is not whole", d->pins);
	d->adopted = true;
	r = kbpf_adopt(&d->kernel, d->pins, &d->config.off.hooks, e);
	if (!r && kbpf_replaces(d->kernel))
		r = kbpf_replace(d->kernel, d->pins, d->cgroups.box_fd, d->cgroups.egress_fd, e);
	if (r < 0 && !cgroup_busy(d->cgroups.instance_fd)) {
		d->adopted = false;
		return -ENOENT;		/* nobody lives in what cannot be adopted */
	}
	if (r < 0) {
		fprintf(stderr, "oshd: the sandboxes that a former oshd left in '%s' stay enforced\n", d->pins);
		return r;
	}
	d->next_id = kbpf_last_id(d->kernel);
	return 0;
}

void upgrade_sandboxes(struct daemon *d)
{
	struct err e = { 0 };
	unsigned n = 0, failed = 0;

	if (!kbpf_replaces(d->kernel))
		return;
	for (uint32_t i = 0; i < OSH_SLOTS; i++) {
		struct sandbox *s = d->slots[i];

		if (!s || s->state != SB_RUNNING)
			continue;
		n++;
		if (kbpf_replace_netns(d->kernel, s->netns_fd, s->steer_link_fd, &e) < 0) {
			note(s->name, s->uid, "it keeps the former programs: %s", e.text);
			failed++;
		}
	}
	if (!failed && kbpf_replace_done(d->kernel, d->pins, &e) < 0)
		fprintf(stderr, "oshd: %s\n", e.text);
	fprintf(stderr, "oshd: another build's kernel programs were replaced under %u sandboxes\n", n - failed);
}
