/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real resolvers against the in-kernel DNS, with `nameserver 127.0.0.1` in a private mount namespace:
 * a listed name resolves and any other fails, both without a timeout (theirs are 5 s and more).
 */
#include "../bpf/dnsrig.h"
#include "own.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#define PATIENCE_MS 4000		/* below every resolver's timeout, above a slow machine's start */
#define V4 "198.18.0.1"
#define V6 "fd5a:1234:5678::1"

static const struct client {
	const char *name, *needs;	/* needs: a program to be found, else the row is skipped */
	const char *command;		/* %s = the name asked for */
	const char *listed, *denied;	/* text that the output must hold */
} clients[] = {
	{ "glibc, both families", "getent", "getent ahosts %s || echo FAILED $?", V4, "FAILED 2" },
	{ "glibc, IPv4 alone", "getent", "getent ahostsv4 %s || echo FAILED $?", V4, "FAILED 2" },
	{ "glibc, IPv6 alone", "getent", "getent ahostsv6 %s || echo FAILED $?", V6, "FAILED 2" },
	{ "musl, static", "musl-gcc", "./ask %s", V4, "FAILED -2" },
	{ "dig A", "dig", "dig +tries=1 +time=5 A %s", V4, "NXDOMAIN" },
	{ "dig AAAA", "dig", "dig +tries=1 +time=5 AAAA %s", V6, "EDE: 15 (Blocked)" },
	{ "dig without EDNS", "dig", "dig +tries=1 +time=5 +noedns A %s @::1", V4, "NXDOMAIN" },
	{ "dig MX", "dig", "dig +tries=1 +time=5 MX %s", "ANSWER: 0", "NXDOMAIN" },
	{ "dig over TCP", "dig", "dig +tries=1 +time=5 +tcp A %s", "refused", "refused" },
	{ "python", "/usr/bin/python3",
	  "/usr/bin/python3 -c 'import socket; print(socket.getaddrinfo(\"%s\", 1))' 2>&1", V4,
	  "Name or service not known" },
	{ "node dns.lookup", "node", "node -e 'require(\"dns\").lookup(\"%s\", (e, a) => console.log(e ? e.code : a))'",
	  V4, "ENOTFOUND" },
	{ "node dns.resolve4", "node",
	  "node -e 'require(\"dns\").resolve4(\"%s\", (e, a) => console.log(e ? e.code : a))'", V4, "ENOTFOUND" },
	{ "node dns.resolve6", "node",
	  "node -e 'require(\"dns\").resolve6(\"%s\", (e, a) => console.log(e ? e.code : a))'", V6, "ENOTFOUND" },
	{ "node dns.resolveTxt", "node",
	  "node -e 'require(\"dns\").resolveTxt(\"%s\", (e, a) => console.log(e ? e.code : a))'", "ENODATA",
	  "ENOTFOUND" },
};

static const char musl_source[] =
	"#include <arpa/inet.h>\n#include <netdb.h>\n#include <stdio.h>\n"
	"int main(int c, char **v)\n{\n\tstruct addrinfo h = { .ai_socktype = 1 }, *a = 0; char t[64];\n"
	"\tint r = c == 2 ? getaddrinfo(v[1], \"1\", &h, &a) : 1;\n\tif (r) printf(\"FAILED %d\\n\", r);\n"
	"\tfor (; !r && a; a = a->ai_next)\n\t\tputs(inet_ntop(a->ai_family, a->ai_family == AF_INET ?\n"
	"\t\t\t(void *)&((struct sockaddr_in *)a->ai_addr)->sin_addr :\n"
	"\t\t\t(void *)&((struct sockaddr_in6 *)a->ai_addr)->sin6_addr, t, sizeof(t)));\n\treturn 0;\n}\n";

static struct rig rig;
static char dir[] = "/tmp/osh-resolvers-XXXXXX";

static int write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");
	int bad = !f || fputs(text, f) == EOF;

	return (f && fclose(f)) || bad ? -1 : 0;
}

static int setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	if (rig_load(&rig) || rig_netns(&rig, &e) || rig_publish(&rig, 1, 8))
		return -1;
	rig_name(&rig, "api.example.com", 1, 1);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	if (!mkdtemp(dir) || chdir(dir) || write_file("resolv.conf", "nameserver 127.0.0.1\n") ||
	    write_file("ask.c", musl_source))
		return -1;
	/* a link would lead the bind mount into the host's /run, where it is as private */
	return mount("resolv.conf", "/etc/resolv.conf", NULL, MS_BIND, NULL);
}

static int teardown(void **state)
{
	(void)state;
	unlink("ask");
	unlink("ask.c");
	umount2("/etc/resolv.conf", MNT_DETACH);
	unlink("resolv.conf");
	rmdir(dir);
	rig_done(&rig);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool has_program(const char *name)
{
	char command[128];

	snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", name);
	return system(command) == 0;
}

static void ask(const struct client *c, const char *name, const char *want)
{
	char format[512], command[640], out[8192] = "";
	int64_t start, took;
	size_t n;
	FILE *f;

	snprintf(format, sizeof(format), "%s", c->command);
	n = (size_t)(strstr(format, "%s") - format);
	snprintf(command, sizeof(command), "%.*s%s%s", (int)n, format, name, format + n + 2);
	start = now_ms();
	f = popen(command, "r");
	assert_non_null(f);
	n = fread(out, 1, sizeof(out) - 1, f);
	out[n] = 0;
	pclose(f);
	took = now_ms() - start;
	print_message("# %-22s %-18s %5lld ms\n", c->name, name, (long long)took);
	if (!strstr(out, want))
		fail_msg("%s: no '%s' in: %s", c->name, want, out);
	assert_true(took < PATIENCE_MS);
}

static void one_client(void **state)
{
	const struct client *c = *state;

	if (!has_program(c->needs) ||
	    (!strcmp(c->needs, "musl-gcc") && system("musl-gcc -static -o ask ask.c")))
		skip();
	ask(c, "api.example.com", c->listed);
	ask(c, "exfil.example.net", c->denied);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(clients)] = { 0 };

	if (access("/etc/resolv.conf", R_OK)) {
		puts("1..0 # SKIP there is no /etc/resolv.conf to mount over");
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		tests[i] = (struct CMUnitTest){ .name = clients[i].name, .test_func = one_client,
						.initial_state = (void *)&clients[i] };
	return cmocka_run_group_tests_name("resolvers", tests, setup, teardown);
}
