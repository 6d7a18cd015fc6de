/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_cost compile|check SHAPE N [ROUNDS]: reads a made policy of N rules that many times, and prints the
 * median time in microseconds. Under callgrind, with one round, its instructions are the cost of the work:
 * everything else that it does is linear and small.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "own.h"
#include "policy.h"

/* Each with %1$u for the number of the rule. */
static const struct {
	const char *name, *head, *rule;
} shapes[] = {
	{ "short", "network:\n", "  - {host: h%1$u.example.com}\n" },
	{ "rules", "version: 1\nnetwork_policies:\n",
	  "  r%1$u:\n    binaries: [{path: /usr/bin/git}, {path: /opt/tool}]\n"
	  "    endpoints: [{host: h%1$u.d%1$u.example.com, ports: [443, 8443]}, {host: '*.w%1$u.example.org', port: 80}]\n" },
	{ "shared", "version: 1\nnetwork_policies:\n",
	  "  r%1$u:\n    binaries: [{path: /usr/bin/git}]\n    endpoints: [{host: one.example.com, port: 443}]\n" },
	{ "nets", "network:\n",
	  "  - {host: 'fd00:%1$x::/64', ports: [443], allowed_ips: ['fd00:%1$x::/64']}\n" },
	{ "covered", "network:\n  - {host: '**.example.com', ports: [80]}\n",
	  "  - {host: a%1$u.b.c.example.com, ports: [443]}\n" },
	{ "requests", "version: 1\nnetwork_policies:\n",
	  "  r%1$u:\n    binaries: [{path: /usr/bin/git}]\n    endpoints: [{host: h%1$u.example.com, port: 443, "
	  "protocol: rest, rules: [{allow: {method: GET, path: /a%1$u/**}}, {allow: {method: POST, path: /b}}]}]\n" },
};

static int by_number(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double once(struct slice text, bool check, int *ret)
{
	struct diags d = { 0 };
	struct buf out = { 0 };
	struct timespec a, b;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	*ret = check ? policy_check(text, &d) : policy_compile(text, &d, &out);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	if (*ret < 0)
		diags_print(&d, stderr, "policy", text, false);
	diags_done(&d);
	buf_done(&out);
	return (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
}

int main(int argc, char **argv)
{
	size_t shape = 0, rounds = argc > 4 ? strtoul(argv[4], NULL, 10) : 1;
	struct buf b = { 0 };
	double *took = calloc(rounds + 1, sizeof(*took));
	int r = 0;

	while (argc > 3 && shape < ARRAY_SIZE(shapes) && strcmp(argv[2], shapes[shape].name))
		shape++;
	if (argc < 4 || shape == ARRAY_SIZE(shapes) || !took || !rounds)
		return 2;
	buf_str(&b, shapes[shape].head);
	for (unsigned i = 0; i < strtoul(argv[3], NULL, 10); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		buf_printf(&b, shapes[shape].rule, i);
#pragma GCC diagnostic pop
	}
	for (size_t i = 0; i < rounds && r == 0; i++)
		took[i] = once((struct slice){ b.p, b.n }, !strcmp(argv[1], "check"), &r);
	qsort(took, rounds, sizeof(*took), by_number);
	printf("%.1f\n", took[rounds / 2]);
	buf_done(&b);
	free(took);
	return r < 0;
}
