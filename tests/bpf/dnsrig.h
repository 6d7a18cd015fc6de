/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the DNS tests and the benchmark share: the real object with only osh_dns and osh_steer loaded and small maps,
 * one sandbox in slot 3 that owns the calling process' new network namespace, and the tables filled
 * by hand, so that nothing here depends on the loader.
 */
#pragma once

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../userspace/launch/rtnl.h"
#include "osh.skel.h"
#include "osh/abi.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#define RIG_SLOT 3
#define RIG_ID 77
#define RIG_MAP_MAX 16384

struct rig {
	struct osh_bpf *k;
	uint32_t net6[4];
	uint64_t cookie;
	uint32_t next;			/* index for the next exact name */
};

static inline int rig_map(struct rig *g, const char *name)
{
	return bpf_object__find_map_fd_by_name(g->k->obj, name);
}

static inline int rig_quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

static inline int rig_load(struct rig *g)
{
	struct bpf_program *p;
	struct bpf_map *m;

	*g = (struct rig){ .next = 1, .net6 = { htonl(0xfd5a1234), htonl(0x56780000) } };
	libbpf_set_print(rig_quiet);
	g->k = osh_bpf__open();
	if (!g->k)
		return -errno;
	bpf_object__for_each_program(p, g->k->obj)
		bpf_program__set_autoload(p, p == g->k->progs.osh_dns ||
					  !strcmp(bpf_program__name(p), "osh_steer"));
	bpf_object__for_each_map(m, g->k->obj)
		if (bpf_map__type(m) != BPF_MAP_TYPE_RINGBUF && bpf_map__max_entries(m) > RIG_MAP_MAX)
			bpf_map__set_max_entries(m, RIG_MAP_MAX);
	return osh_bpf__load(g->k);
}

/* A namespace of our own with lo, the routes and the program. */
static inline int rig_netns(struct rig *g, struct err *e)
{
	struct rtnl r = { 0 };
	socklen_t n = sizeof(g->cookie);
	int ret, fd;

	if (unshare(CLONE_NEWNET))
		return fail(e, errno, "unshare: %s", strerror(errno));
	ret = rtnl_open(&r, e);
	if (!ret) {
		route_add_base(&r, g->net6);
		if (g->k)
			tc_add_dns(&r, bpf_program__fd(g->k->progs.osh_dns));
		ret = rtnl_flush(&r, e);
	}
	rtnl_done(&r);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (!ret && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &g->cookie, &n) < 0)
		ret = fail(e, errno, "cookie: %s", strerror(errno));
	close(fd);
	return ret;
}

static inline struct osh_sandbox rig_sandbox(struct rig *g)
{
	struct osh_sandbox sb = { 0 };
	uint32_t slot = RIG_SLOT;

	bpf_map_lookup_elem(rig_map(g, "sandboxes"), &slot, &sb);
	return sb;
}

static inline int rig_set_sandbox(struct rig *g, const struct osh_sandbox *sb)
{
	uint32_t slot = RIG_SLOT;

	return bpf_map_update_elem(rig_map(g, "sandboxes"), &slot, sb, BPF_ANY);
}

static inline int rig_publish(struct rig *g, uint32_t generation, uint32_t budget)
{
	struct osh_sandbox sb = { .id = RIG_ID, .generation = generation, .netns = g->cookie,
				  .wild_budget = budget };
	uint32_t slot = RIG_SLOT;

	memcpy(sb.net6, g->net6, sizeof(sb.net6));
	return rig_set_sandbox(g, &sb) ||
	       bpf_map_update_elem(rig_map(g, "by_netns"), &g->cookie, &slot, BPF_ANY);
}

/* An exact name of this generation, as the loader would enter it; gives its address index. */
static inline uint32_t rig_name(struct rig *g, const char *text, uint32_t host, uint32_t generation)
{
	struct osh_name_key key = { .id = RIG_ID };
	struct osh_name v = { 0 };
	struct osh_addr a = { 0 };
	struct osh_addr_key ak = { .id = RIG_ID };

	strncpy(key.name, text, sizeof(key.name) - 1);
	if (bpf_map_lookup_elem(rig_map(g, "names"), &key, &v) || !v.addr)
		v.addr = g->next++;
	v.by[generation & 1] = (struct osh_name_in){ host, generation };
	ak.addr = v.addr;
	memcpy(a.by, v.by, sizeof(a.by));
	memcpy(a.name, key.name, sizeof(a.name));
	bpf_map_update_elem(rig_map(g, "names"), &key, &v, BPF_ANY);
	bpf_map_update_elem(rig_map(g, "addrs"), &ak, &a, BPF_ANY);
	return v.addr;
}

static inline int rig_suffix(struct rig *g, const char *text, uint32_t one, uint32_t deep,
			     uint32_t generation)
{
	size_t n = strlen(text);
	struct osh_suffix_key key = { .bits = (uint32_t)(64 + 8 * n), .id = RIG_ID,
				      .generation = generation };
	struct osh_suffix v = { .one = one, .deep = deep };

	for (size_t i = 0; i < n; i++) {
		key.rev[i] = text[n - 1 - i];
		v.dots += text[i] == '.';
	}
	return bpf_map_update_elem(rig_map(g, "suffixes"), &key, &v, BPF_ANY);
}

static inline void rig_done(struct rig *g)
{
	osh_bpf__destroy(g->k);
	g->k = NULL;
}
