/* SPDX-License-Identifier: Apache-2.0 */
/* What the compiler refuses, where it says so, and that it says everything at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bundle.h"
#include "home.h"
#include "host.h"
#include "own.h"
#include "policy.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

#define NET "version: 1\nnetwork_policies:\n  r:\n    binaries: [{path: /usr/bin/curl}]\n    endpoints:\n"
#define EP(fields) NET "      - {" fields "}\n"

/* `want`: "CODE:LINE:COL" of every diagnostic, in order of place; "" = clean. */
static const struct {
	const char *name, *text, *want;
} cases[] = {
/* clang-format off */
	/* YAML */
	{ "empty", "", "108:1:1" },
	{ "only a comment", "# nothing\n", "108:1:1" },
	{ "no mapping", "- a\n", "106:1:1" },
	{ "syntax", "version: 1\nprocess: {a\n", "101:3:1" },
	{ "tab", "version: 1\nprocess:\n\tx: 1\n", "101:3:1" },
	{ "latin-1", "version: 1 # \xe9\n", "102:1:14" },
	{ "overlong", "version: 1 # \xc0\xaf\n", "102:1:14" },
	{ "surrogate", "version: 1\n# \xed\xa0\x80\n", "102:2:3" },
	{ "NUL escape", "network: [{host: \"a\\0.b.c\"}]\n", "102:1:18" },
	{ "anchor", "version: 1\nprocess: &a {run_as_user: sandbox}\n", "103:2:10" },
	{ "alias", "version: 1\nprocess: &a {run_as_user: sandbox}\nlandlock: *a\n", "103:2:10 103:3:11" },
	{ "tag", "version: !!int 1\n", "103:1:10" },
	{ "local tag", "version: !x 1\n", "103:1:10" },
	{ "merge key", "version: 1\nprocess: {<<: {run_as_user: sandbox}}\n", "103:2:11 105:2:11" },
	{ "two documents", "version: 1\n---\nversion: 1\n", "103:2:1" },
	{ "directive", "%YAML 1.1\n---\nversion: 1\n", "103:1:1" },
	{ "duplicate key", "version: 1\nversion: 1\n", "104:2:1" },
	{ "duplicate nested", "version: 1\nprocess:\n  run_as_user: sandbox\n  run_as_user: sandbox\n", "104:4:3" },
	{ "duplicate rule", "version: 1\nnetwork_policies: {a: {endpoints: [], binaries: []}, \"a\": {endpoints: [], binaries: []}}\n",
	  "202:2:20 104:2:54 202:2:54" },
	{ "list as key", "version: 1\nprocess: {[a]: b}\n", "106:2:11" },
	/* keys and types */
	{ "clean", "version: 1\n", "" },
	{ "version 2", "version: 2\n", "109:1:10" },
	{ "version quoted", "version: \"1\"\n", "106:1:10" },
	{ "no version", "process: {run_as_user: sandbox}\n", "108:1:1" },
	{ "short form needs none", "network: [{host: a.example.com}]\ndns: {wildcard_names: 4}\n", "" },
	{ "unknown keys, all of them", "version: 1\nnetwrok: []\nprocess: {run_as_usr: x}\nfoo: 1\n", "105:2:1 105:3:11 105:4:1" },
	{ "wrong types", "version: 1\nfilesystem_policy: []\nprocess: {run_as_user: [a]}\nnetwork: {}\n", "106:2:20 109:3:24 106:4:10" },
	{ "yes is no bool", "version: 1\nfilesystem_policy: {include_workdir: yes}\n", "106:2:38" },
	{ "number as text", EP("host: 1.5, port: 443"), "106:6:16" },
	{ "null is not empty", "network: [{host: a.example.com, binaries: }]\n", "106:1:43" },
	/* filesystem */
	{ "relative", "version: 1\nfilesystem_policy: {read_only: [usr, /ok]}\n", "120:2:33" },
	{ "traversal", "version: 1\nfilesystem_policy: {read_only: [/a/../b]}\n", "120:2:33" },
	{ "no home here", "version: 1\nfilesystem_policy: {read_only: [~/a, '~']}\n", "120:2:33 120:2:38" },
	{ "somebody's home", "version: 1\nfilesystem_policy: {read_only: [~bob/a]}\n", "120:2:33" },
	{ "no home for programs", "network: [{host: a.example.com, binaries: ['~/bin/x']}]\n", "140:1:44" },
	{ "broad", "version: 1\nfilesystem_policy: {read_write: [/]}\n", "120:2:34" },
	{ "broad, disguised", "version: 1\nfilesystem_policy: {read_write: [//./]}\n", "120:2:34" },
	{ "root may be read", "version: 1\nfilesystem_policy: {read_only: [/]}\n", "" },
	{ "listed twice", "version: 1\nfilesystem_policy: {read_only: [/a], read_write: [/a/]}\n", "206:2:33" },
	{ "deny", "version: 1\nfilesystem_policy: {deny: [.git/config, '**/*.key', '.git/{hooks,info}/**']}\n", "" },
	{ "deny with a class", "version: 1\nfilesystem_policy: {deny: ['[a-z]/x']}\n", "150:2:28" },
	{ "stars within a name", "version: 1\nfilesystem_policy: {deny: ['a**/x']}\n", "150:2:28" },
	{ "deny for some programs", "version: 1\nfilesystem_policy: {deny: [{path: /a, binaries: [/b]}]}\n", "150:2:39" },
	{ "for some programs", "version: 1\nfilesystem_policy: {read_only: [{path: /a, binaries: [/b]}], read_write: [{path: /c, binaries: [/b]}]}\n", "" },
	{ "for some programs, below what is read", "version: 1\nfilesystem_policy: {read_only: [/a], read_write: [{path: /a/c, binaries: [/b]}]}\n", "" },
	{ "for some programs, below what is written", "version: 1\nfilesystem_policy: {read_write: [/a, {path: /a/c, binaries: [/b]}]}\n", "150:2:45" },
	{ "below what some programs write", "version: 1\nfilesystem_policy: {read_write: [{path: /a, binaries: [/b]}], read_only: [/a/c]}\n", "150:2:41" },
	{ "for some programs and for all", "version: 1\nfilesystem_policy: {read_only: [/a, {path: /a/c, binaries: [/b]}]}\n", "206:2:44" },
	{ "landlock word", "version: 1\nlandlock: {compatibility: best-effort}\n", "109:2:27" },
	{ "uid 0", "version: 1\nprocess: {run_as_user: \"0\"}\n", "109:2:24" },
	{ "root", "version: 1\nprocess: {run_as_user: root}\n", "109:2:24" },
	{ "uid", "version: 1\nprocess: {run_as_user: 1000, run_as_group: \"4294967294\"}\n", "" },
	{ "uid -1", "version: 1\nprocess: {run_as_user: \"4294967295\"}\n", "109:2:24" },
	{ "env", "version: 1\nprocess: {env: {pass: [A, 1B], set: {X: \"1\", Y: 2}}}\n", "109:2:27 106:2:49" },
	{ "wildcard names", "dns: {wildcard_names: 5000}\n", "109:1:23" },
	/* hosts */
	{ "host", EP("host: api.example.com, port: 443"), "" },
	{ "tld", EP("host: '*.com', port: 443"), "135:6:16" },
	{ "all", EP("host: '**', port: 443"), "135:6:16" },
	{ "bare star", EP("host: '*', port: 443"), "135:6:16" },
	{ "intra-label", EP("host: '*-x.example.com', port: 443"), "150:6:16" },
	{ "middle star", EP("host: 'a.*.example.com', port: 443"), "150:6:16" },
	{ "middle deep", EP("host: 'a.**.example.com', port: 443"), "135:6:16" },
	{ "middle part", EP("host: 'a.b*.example.com', port: 443"), "135:6:16" },
	{ "star at the end", EP("host: 'a.*', port: 443"), "135:6:16" },
	{ "braces", EP("host: '{a,b}.example.com', port: 443"), "150:6:16" },
	{ "comma below a wildcard", EP("host: '*.exam,ple.com', port: 443"), "130:6:16" },
	{ "comma in a pattern", EP("host: 'a,*.example.com', port: 443"), "130:6:16" },
	{ "class", EP("host: '[!a-c]x.example.com', port: 443"), "150:6:16" },
	{ "empty label", EP("host: 'a..example.com', port: 443"), "130:6:16" },
	{ "url", EP("host: 'https://a.example.com', port: 443"), "130:6:16" },
	{ "space", EP("host: 'a b', port: 443"), "130:6:16" },
	{ "address in disguise", EP("host: '127.1', port: 443"), "130:6:16" },
	{ "no host", EP("port: 443"), "130:6:9" },
	{ "hostless", EP("port: 443, allowed_ips: [10.0.0.0/8]"), "150:6:9" },
	{ "no port", EP("host: a.example.com"), "131:6:9" },
	{ "port 0", EP("host: a.example.com, port: 0"), "131:6:37" },
	{ "port 65536", EP("host: a.example.com, ports: [1, 65536]"), "131:6:42" },
	{ "port and ports", EP("host: a.example.com, port: 1, ports: [2]"), "110:6:40" },
	{ "control plane", EP("host: a.example.com, port: 6443"), "205:6:37" },
	{ "public address", EP("host: 1.1.1.1, port: 443"), "" },
	{ "private address", EP("host: 10.0.0.5, port: 443"), "208:6:16" },
	{ "private address, allowed", EP("host: 10.0.0.5, port: 443, allowed_ips: [10.0.0.5]"), "" },
	{ "mapped private", EP("host: '::ffff:10.0.0.5', port: 443"), "208:6:16" },
	{ "unique local", EP("host: 'fd00::1', port: 443"), "208:6:16" },
	{ "loopback", EP("host: 127.0.0.1, port: 443"), "208:6:16" },
	{ "loopback 6", EP("host: '[::1]', port: 443"), "208:6:16" },
	{ "metadata", EP("host: 169.254.169.254, port: 80"), "208:6:16" },
	{ "synthetic", EP("host: 198.18.0.7, port: 80"), "208:6:16" },
	{ "everything", EP("host: 0.0.0.0/0, port: 80"), "132:6:16" },
	{ "allowed_ips loopback", EP("host: a.example.com, port: 1, allowed_ips: [127.0.0.0/8]"), "136:6:54" },
	{ "allowed_ips covers loopback", EP("host: a.example.com, port: 1, allowed_ips: [0.0.0.0/0]"), "136:6:54" },
	{ "allowed_ips word", EP("host: a.example.com, port: 1, allowed_ips: [x]"), "132:6:54" },
	/* what is enforced only inside a connection */
	{ "tcp", EP("host: a.example.com, port: 1, protocol: TCP, tls: skip, enforcement: audit, path: ''"), "" },
	{ "tcp to an address", EP("host: 1.1.1.1, port: 1, protocol: tcp"), "130:6:16" },
	{ "rest", EP("host: a.example.com, port: 1, protocol: rest, access: full"), "" },
	{ "sql", EP("host: a.example.com, port: 1, protocol: sql"), "151:6:50" },
	{ "unknown protocol", EP("host: a.example.com, port: 1, protocol: restt"), "109:6:50" },
	{ "rules", EP("host: a.example.com, port: 1, rules: [], deny_rules: []"), "142:6:40 142:6:40 142:6:51 142:6:51" },
	{ "false changes nothing", EP("host: a.example.com, port: 1, allow_encoded_slash: false"), "" },
	{ "true is for requests", EP("host: a.example.com, port: 1, allow_encoded_slash: true"), "201:6:40" },
	{ "tls terminate", EP("host: a.example.com, port: 1, tls: terminate"), "201:6:45" },
	{ "methods", "network: [{host: a.example.com, methods: [GET]}]\n", "" },
	{ "methods: none", "network: [{host: a.example.com, methods: []}]\n", "142:1:33" },
	{ "skip and look", EP("host: a.example.com, port: 1, tls: skip, protocol: rest, access: full"), "150:6:9" },
	{ "websocket", EP("host: a.example.com, port: 1, protocol: websocket, access: full"), "" },
	{ "later sections", "version: 1\nnetwork_middlewares: {}\ngpu: {count: 1}\nassert: []\nresources: {}\ncredentials: {}\ninference: {}\n",
	  "108:7:12" },
	/* ambiguity */
	{ "same host, other allowed_ips", EP("host: a.example.com, port: 1}\n      - {host: A.example.com., port: 1, allowed_ips: [10.0.0.1]"), "133:7:9" },
	{ "same host, other port", EP("host: a.example.com, port: 1}\n      - {host: a.example.com, port: 2, allowed_ips: [10.0.0.1]"), "" },
	{ "wildcard over exact", EP("host: a.example.com, port: 1, tls: skip}\n      - {host: '*.example.com', port: 1"), "133:7:9" },
	{ "deep over wildcard", EP("host: '*.a.example.com', port: 1, tls: skip}\n      - {host: '**.example.com', port: 1"), "133:7:9" },
	{ "no overlap", EP("host: b.a.example.com, port: 1, tls: skip}\n      - {host: '*.example.com', port: 1"), "" },
	{ "network over address", EP("host: 10.0.0.0/8, port: 1, allowed_ips: [10.0.0.0/8]}\n      - {host: 10.1.1.1, port: 1, allowed_ips: [10.1.1.1]"), "133:7:9" },
	{ "tcp and unset", EP("host: a.example.com, port: 1, protocol: tcp}\n      - {host: a.example.com, port: 1"), "133:7:9" },
	{ "two alike, and another", EP("host: a.example.com, port: 1}\n      - {host: a.example.com, port: 1}\n      - {host: a.example.com, port: 1, tls: skip"), "133:8:9" },
	{ "another, and two alike", EP("host: a.example.com, port: 1, tls: skip}\n      - {host: a.example.com, port: 1}\n      - {host: a.example.com, port: 1"), "133:7:9" },
	{ "two alike under a wildcard", EP("host: '*.example.com', port: 1, tls: skip}\n      - {host: a.example.com, port: 1}\n      - {host: a.example.com, port: 1"), "133:7:9" },
	/* programs */
	{ "no binaries", "version: 1\nnetwork_policies: {r: {endpoints: [{host: a.example.com, port: 1}]}}\n", "108:2:23" },
	{ "empty binaries", "version: 1\nnetwork_policies: {r: {endpoints: [{host: a.example.com, port: 1}], binaries: []}}\n", "202:2:20" },
	{ "relative program", "network: [{host: a.example.com, binaries: [curl]}]\n", "140:1:44" },
	{ "credential without a look inside", "version: 1\nnetwork_policies: {r: {endpoints: [{host: a.example.com, port: 1, credential: c}], binaries: [/b]}}\n", "144:2:67" },
	{ "class", "network: [{host: a.example.com, binaries: ['/bin/[ab]']}]\n", "150:1:44" },
	{ "braces unbalanced", "network: [{host: a.example.com, binaries: ['/bin/{a']}]\n", "140:1:44" },
	{ "inherit", "network: [{host: a.example.com, binaries: [{path: /a, inherit: true}]}]\n", "150:1:55" },
	{ "no inherit", "network: [{host: a.example.com, binaries: [{path: /a, inherit: false}]}]\n", "" },
	{ "sha256", "network: [{host: a.example.com, binaries: [{path: /a, sha256: ab}]}]\n", "150:1:55 109:1:63" },
	{ "harness", "network: [{host: a.example.com, binaries: [{path: /a, harness: x}]}]\n", "201:1:55" },
	{ "taint", "network: [{host: a.example.com, binaries: [/a], taint: ignore}]\n", "204:1:56" },
/* clang-format on */
};

static void says(const struct diags *d, char *out, size_t n)
{
	*out = 0;
	for (uint32_t i = 0; i < d->n; i++)
		snprintf(out + strlen(out), n - strlen(out), "%s%u:%u:%u", i ? " " : "",
			 d->v[i].code, d->v[i].at.line, d->v[i].at.col);
}

static void diagnoses_with_places(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct diags d = { 0 };
		struct buf b = { 0 };
		char got[400];
		int r = policy_compile(slice_of(cases[i].text), &d, &b);

		says(&d, got, sizeof(got));
		if (strcmp(got, cases[i].want) || (r == 0) != !d.n_errors) {
			print_error("%s: want '%s', got '%s' (%d)\n", cases[i].name, cases[i].want, got, r);
			diags_print(&d, stderr, "case", slice_of(cases[i].text), false);
			bad++;
		}
		diags_done(&d);
		buf_done(&b);
	}
	assert_int_equal(bad, 0);
}

/* Text of n pieces, each printed with its number. */
static struct buf repeat(const char *head, const char *fmt, unsigned n, const char *tail)
{
	struct buf b = { 0 };

	buf_str(&b, head);
	for (unsigned i = 0; i < n; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		buf_printf(&b, fmt, i);
#pragma GCC diagnostic pop
	}
	buf_str(&b, tail);
	return b;
}

static int compile(struct buf *text, uint32_t *code, struct buf *out)
{
	struct diags d = { 0 };
	int r = policy_compile((struct slice){ text->p, text->n }, &d, out);

	*code = d.n ? d.v[0].code : 0;
	for (uint32_t i = 0; i < d.n; i++)
		if (diag_severity(d.v[i].code) == DIAG_ERROR)
			*code = d.v[i].code;
	diags_done(&d);
	buf_done(text);
	return r;
}

static void limits_are_errors(void **state)
{
	static const struct {
		const char *what, *head, *piece, *tail;
		unsigned fits, over;
	} limits[] = {
/* clang-format off */
		{ "depth", "x: ", "[", "", 0, 40 },
		{ "paths", "version: 1\nfilesystem_policy:\n  read_only:\n", "    - /p%u\n", "", 256, 257 },
		{ "groups", "network:\n", "  - {host: a%1$u.example.com, binaries: [/p%1$u]}\n", "", 255, 256 },
		{ "globs", "network: [{host: a.example.com, binaries: [", "'/p%u*',", "]}]\n", 64, 65 },
		{ "alternatives", "network:\n", "  - {host: a.example.com, binaries: [/p%u]}\n", "", 32, 33 },
		{ "braces", "network: [{host: a.example.com, binaries: ['/p{x", ",%u", "}']}]\n", 62, 64 },
		{ "hosts", "network:\n", "  - {host: a%u.example.com}\n", "", 60000, 60001 },
		{ "size", "version: 1\n", "# %100u\n", "", 1000, 50000 },
/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct buf text = repeat(limits[i].head, limits[i].piece, limits[i].over, limits[i].tail);
		struct buf out = { 0 };
		uint32_t code;

		if (compile(&text, &code, &out) != -EINVAL || code != DIAG_LIMIT)
			fail_msg("%s: %u pass, code %u", limits[i].what, limits[i].over, code);
		buf_done(&out);
		if (!limits[i].fits)
			continue;
		text = repeat(limits[i].head, limits[i].piece, limits[i].fits, limits[i].tail);
		if (compile(&text, &code, &out) != 0)
			fail_msg("%s: %u do not pass, code %u", limits[i].what, limits[i].fits, code);
		buf_done(&out);
	}
}

/* Every combination under a wildcard would be 10^9 claims: refused before the memory is spent. */
static void combinations_are_bounded(void **state)
{
	struct buf text = { 0 }, out = { 0 };
	uint32_t code;

	(void)state;
	buf_str(&text, "network:\n  - {host: '**.example.com', ports: [1");
	for (unsigned i = 2; i < 30000; i++)
		buf_printf(&text, ",%u", i);
	buf_str(&text, "]}\n");
	for (unsigned i = 0; i < 30000; i++)
		buf_printf(&text, "  - {host: a%u.example.com}\n", i);
	assert_int_equal(compile(&text, &code, &out), -EINVAL);
	assert_int_equal(code, DIAG_LIMIT);
	buf_done(&out);
}

static void ten_thousand_names_are_quick(void **state)
{
	struct buf text = repeat("network:\n  - {host: '**.example.com', ports: [80, 443]}\n",
				 "  - {host: h%1$u.d%1$u.example.com, ports: [443, 8443]}\n", 10000, "");
	struct buf out = { 0 };
	struct timespec a, b;
	struct bundle bundle;
	struct err e;
	uint32_t code;
	double ms;

	(void)state;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	assert_int_equal(compile(&text, &code, &out), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
	print_message("# 10000 names: %.0f ms of CPU, %zu bytes\n", ms, out.n);
#ifndef __SANITIZE_ADDRESS__
	assert_true(ms < 1000);
#endif
	if (bundle_open_mem(&bundle, out.p, out.n, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(bundle.n_hosts, 10001);
	assert_int_equal(bundle.n_endpoints, 30002);	/* each name also has the wildcard's port 80 */
	buf_done(&out);
}

/* `~` is the caller's home and nothing else; where that cannot be a literal path, it is refused. */
static void home_is_a_word(void **state)
{
	static const struct {
		const char *home, *path, *want;
	} homes[] = {
		{ "/home/u", "~/.claude", "/home/u/.claude" }, { "/home/u/", "~", "/home/u" },
		{ "/home/u", "~/a~b/~", "/home/u/a~b/~" },     { "/", "~/x", "/x" },
		{ "/home/u", "~/../v", NULL },		       { "/home/u*", "~/x", NULL },
		{ "relative", "~/x", NULL },		       { "/a/../b", "~/x", NULL },
		{ NULL, "~/x", NULL },			       { "/home/u", "~v/x", NULL },
		{ "/home/u", "/~/x", "/~/x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(homes); i++) {
		struct diags d = { 0 };
		struct policy p;
		char text[200];

		(void)policy_home(homes[i].home);
		snprintf(text, sizeof(text), "version: 1\nfilesystem_policy: {read_only: [{path: '%s', binaries: "
			 "['%s']}]}\n", homes[i].path, homes[i].path);
		(void)policy_read(&p, slice_of(text), &d);
		if (homes[i].want) {
			const struct fs_entry *f = p.fs.v;
			const struct program *prog = f->programs.v;

			assert_int_equal(d.n_errors, 0);
			assert_string_equal(f->path, homes[i].want);
			assert_string_equal(prog->path, homes[i].want);
		} else {
			assert_true(d.n_errors >= 1);
		}
		policy_done(&p);
		diags_done(&d);
	}
	(void)policy_home(NULL);
}

static int memfd_of(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

static void confined_compile_seals_its_result(void **state)
{
	_close_ int fd = memfd_of("network: [{host: a.example.com}]\n"), bundle = -1;
	struct diags d = { 0 };
	struct bundle b;
	struct err e = { 0 };

	(void)state;
	if (policy_compile_fd(fd, &d, &bundle, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(write(bundle, "x", 1), -1);
	assert_int_equal(ftruncate(bundle, 0), -1);
	assert_int_equal(bundle_open_fd(&b, bundle, &e), 0);
	assert_int_equal(b.n_hosts, 1);
	bundle_done(&b);
	diags_done(&d);
}

static void confined_compile_reports(void **state)
{
	_close_ int fd = memfd_of("version: 1\nfoo: 1\nbar: 2\n"), dir = open("/", O_RDONLY);
	struct diags d = { 0 };
	struct err e = { 0 };
	int bundle = -1;

	(void)state;
	assert_int_equal(policy_compile_fd(fd, &d, &bundle, &e), -EINVAL);
	assert_int_equal(bundle, -1);
	assert_int_equal(d.n_errors, 2);
	assert_int_equal(d.v[1].at.line, 3);
	diags_done(&d);
	assert_true(policy_compile_fd(dir, &d, &bundle, &e) < 0);
	assert_true(e.code);
	diags_done(&d);
}

/* More mistakes than are reported: a full answer through the pipe, and the rest said to be missing. */
static void confined_compile_bounds_its_answer(void **state)
{
	struct buf text = repeat("version: 1\n", "k%u: 1\n", 3000, "");
	_close_ int fd = -1;
	struct diags d = { 0 };
	struct err e = { 0 };
	int bundle = -1;

	(void)state;
	buf_put(&text, "", 1);
	fd = memfd_of(text.p);
	assert_int_equal(policy_compile_fd(fd, &d, &bundle, &e), -EINVAL);
	assert_int_equal(d.n, OSH_DIAGS);
	assert_int_equal(d.n_errors, 3000);
	assert_true(d.more);
	diags_done(&d);
	buf_done(&text);
}

static void open_a_file(void)
{
	(void)open("/etc/passwd", O_RDONLY);
}

static void map_code(void)
{
	(void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void x32_read(void)
{
	(void)syscall(0x40000000 | SYS_read, 0, NULL, 0);
}

static void read_and_map(void)
{
	char c;

	if (read(-1, &c, 1) < 0 &&
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		_exit(5);
}

static int confined(void (*act)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (policy_confine(NULL) < 0)
			_exit(3);
		act();
		_exit(4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void confinement_kills_other_calls(void **state)
{
	void (*const forbidden[])(void) = { open_a_file, map_code, x32_read };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
		int status = confined(forbidden[i]);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
	assert_int_equal(confined(read_and_map), 5 << 8);
}

static void preset_compiles(void **state)
{
	_close_ int fd = -1, bundle = -1;
	struct diags d = { 0 };
	struct bundle b;
	struct err e = { 0 };

	(void)state;
	assert_true(policy_preset_fd("nonesuch", &fd, &e) < 0);
	assert_int_equal(policy_preset_fd("default", &fd, &e), 0);
	if (policy_compile_fd(fd, &d, &bundle, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(d.n, 0);
	assert_int_equal(bundle_open_fd(&b, bundle, &e), 0);
	assert_int_equal(b.n_hosts, 0);
	assert_int_equal(b.meta->include_workdir, 1);
	assert_int_equal(b.meta->run_as_user, OSH_RUNAS_SANDBOX);
	for (uint32_t i = 0; i < b.n_fs; i++)
		assert_true(strcmp(bundle_str(&b, b.fs[i].path), "/etc"));
	bundle_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(diagnoses_with_places),
		cmocka_unit_test(limits_are_errors),
		cmocka_unit_test(combinations_are_bounded),
		cmocka_unit_test(ten_thousand_names_are_quick),
		cmocka_unit_test(home_is_a_word),
		cmocka_unit_test(confined_compile_seals_its_result),
		cmocka_unit_test(confined_compile_reports),
		cmocka_unit_test(confined_compile_bounds_its_answer),
		cmocka_unit_test(confinement_kills_other_calls),
		cmocka_unit_test(preset_compiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
