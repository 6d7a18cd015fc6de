/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in the kernel's tables through descriptors that oshd passed; no privilege is needed. */
#include <bpf/bpf.h>
#include <string.h>

#include "audit.h"

void map_program(uint32_t id, uint32_t ident, char *ret)
{
	struct osh_ident_key k = { id, ident };
	struct osh_ident v;

	ret[0] = 0;
	if (!ident || bpf_map_lookup_elem(AFD_IDENTS, &k, &v))
		return;
	memcpy(ret, v.path, OSH_PATH_MAX);
	ret[OSH_PATH_MAX - 1] = 0;
}

void map_name(uint32_t id, uint32_t addr, char *ret)
{
	struct osh_addr_key k = { id, addr };
	struct osh_addr v;

	ret[0] = 0;
	if (bpf_map_lookup_elem(AFD_ADDRS, &k, &v))
		return;
	memcpy(ret, v.name, OSH_NAME_MAX);
	ret[OSH_NAME_MAX - 1] = 0;
}

uint32_t map_task_ident(uint32_t id, int pidfd, uint32_t tid)
{
	struct osh_task t;

	if (bpf_map_lookup_elem(AFD_TASK_DATA, &pidfd, &t) && bpf_map_lookup_elem(AFD_TASKS, &tid, &t))
		return 0;
	return t.id == id ? t.ident : 0;
}

uint64_t map_denial_count(const struct osh_event *e)
{
	struct osh_denial_key k = { .id = e->id, .kind = e->kind, .why = e->why, .ident = e->ident,
				    .host = e->host, .aux = e->aux, .port = e->port };
	struct osh_denial v;

	memcpy(k.addr_be, e->addr_be, sizeof(k.addr_be));
	return bpf_map_lookup_elem(AFD_DENIALS, &k, &v) ? 1 : v.count;
}

bool map_sandbox(uint32_t slot, struct osh_sandbox *ret)
{
	return !bpf_map_lookup_elem(AFD_SANDBOXES, &slot, ret);
}

void map_denials(uint32_t id, void (*each)(void *, const struct osh_denial_key *,
					   const struct osh_denial *), void *data)
{
	struct osh_denial_key k, next;
	struct osh_denial v;
	void *prev = NULL;

	/* Bounded by the map; an entry deleted meanwhile restarts the walk, so count the steps. */
	for (uint32_t i = 0; i < 2 * OSH_DENIALS && !bpf_map_get_next_key(AFD_DENIALS, prev, &next); i++) {
		k = next;
		prev = &k;
		if (k.id == id && !bpf_map_lookup_elem(AFD_DENIALS, &k, &v))
			each(data, &k, &v);
	}
}
