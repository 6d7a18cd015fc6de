/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ways to know of a row. A probe reads /proc and /sys or asks for a version: cheap, for `policy explain`. A BPF
 * LSM that is listed may still refuse programs, and only loading one would tell, so there it counts as unproved.
 * What was tried (osh/probes.def, hooks.def) is for `doctor`.
 */
#include "layers.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/landlock.h>
#include <linux/netlink.h>

#include "facts.h"
#include "kernel.h"
#include "own.h"
#include "policy.h"

static bool file_says(const char *path, const char *word, const char *separators)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[65536], *save = NULL;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = 0;
	for (char *w = strtok_r(text, separators, &save); w; w = strtok_r(NULL, separators, &save))
		if (!strcmp(w, word))
			return true;
	return false;
}

static enum layer_state kernel_bpf(char note[64])
{
	struct err e;

	if (kernel_check(&e) < 0) {
		snprintf(note, 64, "needs Linux %d.%d", KERNEL_MAJOR, KERNEL_MINOR);
		return LAYER_MISSING;
	}
	if (access("/sys/kernel/btf/vmlinux", R_OK) == 0)
		return LAYER_LIVES;
	snprintf(note, 64, "kernel has no BTF");
	return LAYER_MISSING;
}

static enum layer_state cgroup_bpf(char note[64])
{
	enum layer_state s = kernel_bpf(note);

	if (s != LAYER_LIVES || file_says("/proc/self/mountinfo", "cgroup2", " \n"))
		return s;
	snprintf(note, 64, "no cgroup v2 hierarchy is mounted");
	return LAYER_MISSING;
}

static enum layer_state netfilter(char note[64])
{
	_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd >= 0)
		return LAYER_LIVES;
	snprintf(note, 64, "no netfilter socket");
	return LAYER_MISSING;
}

static enum layer_state net_namespace(char note[64])
{
	(void)note;
	return access("/proc/self/ns/net", F_OK) == 0 ? LAYER_LIVES : LAYER_MISSING;
}

static enum layer_state mount_namespace(char note[64])
{
	(void)note;
	return access("/proc/self/ns/mnt", F_OK) == 0 ? LAYER_LIVES : LAYER_MISSING;
}

static enum layer_state landlock(char note[64])
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 1)
		return LAYER_MISSING;
	snprintf(note, 64, "ABI %ld", abi);
	return LAYER_LIVES;
}

static enum layer_state bpf_lsm(char note[64])
{
	struct facts f = { 0 };

	facts_ask_lsm(&f);		/* the kernel itself: securityfs is not mounted everywhere */
	if (!facts_has_lsm(&f, "bpf")) {
		snprintf(note, 64, "bpf is not among the kernel's security modules");
		return LAYER_MISSING;
	}
	snprintf(note, 64, "listed; whether programs load shows at the start");
	return LAYER_UNPROVED;
}

static enum layer_state egress(char note[64])
{
	snprintf(note, 64, "after the kernel let the connection through");
	return LAYER_LIVES;
}

/*
 * Whether the runtime reads this protocol is what the compiler says of the smallest policy that needs it:
 * where a stage of the schema is not "kept" yet, so is this layer.
 */
bool layers_requests(enum protocol p)
{
	static const char *const rules[PROTO_MAX] = {
		[PROTO_REST] = "protocol: rest, rules: [{allow: {method: GET, path: /a, query: {a: b}}}], "
			       "deny_rules: [{method: GET, path: /b}]",
		[PROTO_WEBSOCKET] = "protocol: websocket, rules: [{allow: {method: GET, path: /a}}]",
		[PROTO_GRAPHQL] = "protocol: graphql, rules: [{allow: {operation_type: query}}]",
		[PROTO_JSONRPC] = "protocol: json-rpc, rules: [{allow: {method: a}}]",
		[PROTO_MCP] = "protocol: mcp, rules: [{allow: {tool: a}}]",
	};
	char text[512];
	struct diags d = { 0 };
	struct policy policy;
	bool kept;

	snprintf(text, sizeof(text), "version: 1\nnetwork_policies: {x: {binaries: [/x], endpoints: "
		 "[{host: a.example.com, port: 443, %s}]}}\n", rules[p]);
	kept = policy_read(&policy, slice_of(text), &d) == 0 && !policy.unkept.n;
	policy_done(&policy);
	diags_done(&d);
	return kept;
}

static enum layer_state requests(enum protocol p, char note[64])
{
	bool kept = layers_requests(p);

	snprintf(note, 64, kept ? "request by request" : "not built yet: run and compile refuse it (OSH150)");
	return kept ? LAYER_LIVES : LAYER_MISSING;
}

static enum layer_state seccomp(char note[64])
{
	(void)note;
	return prctl(PR_GET_SECCOMP) >= 0 ? LAYER_LIVES : LAYER_MISSING;
}

enum {
#define HOOK(id, program, where) AT_##id,
#include "osh/hooks.def"
#undef HOOK
};

#define ON(kind) (1u << ASK_##kind)
#define REACH (ON(CONNECT) | ON(REQUEST))
#define VIEW (ON(FILE) | ON(EXEC))
#define T(id) OSH_PROBE_##id
#define H(id) (OSH_PROBE_HOOK + AT_##id)
#define ROW(kinds, promise, name, probe, ...) { kinds, PROTO_NONE, promise, name, probe, { __VA_ARGS__ }, 0, "", 0 },
#define INSIDE(name, protocol) \
	{ REACH, protocol, "only the listed requests are sent", name, NULL, { T(STEER), H(STEER) }, 0, "", 0 },

/* clang-format off */
static struct layer layers[] = {
	ROW(ON(DNS), "only listed names resolve", "tc program on lo", kernel_bpf, T(TC), H(DNS))
	ROW(ON(DNS), "only listed names resolve", "no resolver is reachable", net_namespace, T(NETNS))
	ROW(REACH, "only (host, port, program) connects", "cgroup connect4/connect6", cgroup_bpf,
	    T(BPF), H(CONNECT4), H(CONNECT6))
	ROW(REACH, "only (host, port, program) connects", "nft default drop", netfilter, T(NFT))
	ROW(REACH, "only (host, port, program) connects", "bare lo, no route", net_namespace, T(NETNS))
	ROW(REACH, "who a program is", "identity set at exec", kernel_bpf, T(BPF), H(EXEC), H(FORK), H(EXIT))
	ROW(REACH, "at which addresses", "egress, and its own cgroup hooks", egress, T(BPF), H(ECONNECT4), H(ECONNECT6))
	ROW(VIEW, "files", "mount view of listed paths", mount_namespace, T(SPACES), T(MOUNTS))
	ROW(VIEW, "files", "Landlock", landlock, T(LANDLOCK))
	ROW(ON(FILE), "files", "BPF LSM file hooks", bpf_lsm, T(LSM), H(FILE_OPEN))
	ROW(0, "what `deny` names in writable trees", "BPF LSM file hooks", bpf_lsm, T(LSM), H(CREATE), H(RENAME), H(LINK))
	ROW(0, "what `deny` names in writable trees", "directories that exist: read-only mounts", mount_namespace, T(MOUNTS))
	ROW(0, "what is for some programs only (`{path, binaries}`)", "BPF LSM file hooks", bpf_lsm, T(LSM), H(FILE_OPEN))
	ROW(0, "what is for some programs only (`{path, binaries}`)", "where that does not live nothing starts", net_namespace, T(SPACES))
	ROW(ON(EXEC), "programs that may run", "Landlock", landlock, T(LANDLOCK))
	ROW(ON(EXEC), "programs that may run", "mount view of listed paths", mount_namespace, T(SPACES), T(MOUNTS))
	ROW(0, "what runs under `process.exec: strict`", "Landlock", landlock, T(LANDLOCK))
	ROW(0, "what runs under `process.exec: strict`", "noexec on what is writable", mount_namespace, T(MOUNTS))
	ROW(0, "what runs under `process.exec: strict`", "BPF LSM, by inode", bpf_lsm, T(LSM), H(RUN), H(MAP), H(PROTECT))
	INSIDE("osh-egress, rest", PROTO_REST)
	INSIDE("osh-egress, websocket", PROTO_WEBSOCKET)
	INSIDE("osh-egress, graphql", PROTO_GRAPHQL)
	INSIDE("osh-egress, json-rpc", PROTO_JSONRPC)
	INSIDE("osh-egress, mcp", PROTO_MCP)
	{ 0, PROTO_NONE, "only listed models are asked, by the backend's key and never the agent's",
	  "osh-egress, call by call", net_namespace, { T(STEER), H(STEER) }, 0, "", 0 },
	{ 0, PROTO_NONE, "no more calls, tokens and money than limits say", "osh-egress, which asks oshd", net_namespace,
	  { T(STEER), H(STEER) }, 0, "", 0 },
	ROW(ON(SERVE), "only sandboxes that both policies name take a route's calls", "oshd looks into both", net_namespace, T(STEER), H(STEER))
	ROW(ON(SERVE), "only sandboxes that both policies name take a route's calls", "a network namespace each", net_namespace, T(NETNS))
	ROW(0, "no UDP, no other families", "cgroup sendmsg, bind, sock_create", cgroup_bpf, T(BPF), H(SENDMSG4), H(BIND4), H(SOCK))
	ROW(0, "no UDP, no other families", "seccomp family list", seccomp, T(SECCOMP))
	ROW(0, "no UDP, no other families", "BPF LSM family list", bpf_lsm, T(LSM), H(SOCKET))
	ROW(0, "no UDP, no other families", "bare lo, no route", net_namespace, T(NETNS))
	ROW(0, "unix sockets outside", "cgroup connect_unix, sendmsg_unix", cgroup_bpf, T(BPF), H(CONNECTU), H(SENDMSGU))
	ROW(0, "unix sockets outside", "mount view of listed paths", mount_namespace, T(SPACES), T(MOUNTS))
	ROW(0, "unix sockets outside", "Landlock scopes", landlock, T(SCOPES))
	ROW(0, "unix sockets outside", "BPF LSM: who made the socket, and what comes through it", bpf_lsm,
	    T(LSM), H(UCONNECT), H(USEND), H(RECEIVE))
	ROW(0, "system calls", "seccomp allowlist, on record", seccomp, T(SECCOMP), T(NOTIFY))
	ROW(0, "system calls", "BPF LSM: bpf, perf, io_uring", bpf_lsm, T(LSM), H(BPF), H(PERF), H(ANON))
	ROW(0, "system calls", "BPF LSM: keys, kernel log", bpf_lsm, T(LSM), H(KEYALLOC), H(KEYUSE), H(SYSLOG))
	ROW(0, "system calls", "BPF LSM: modules", bpf_lsm, T(LSM), H(MODREQ), H(READFILE), H(LOADDATA))
	ROW(0, "system calls", "BPF LSM: namespaces, mounts", bpf_lsm, T(LSM), H(USERNS), H(MOUNT), H(MOVEMOUNT))
	ROW(0, "devices", "mount view: the nodes of its /dev", mount_namespace, T(MOUNTS))
	ROW(0, "devices", "cgroup device", cgroup_bpf, T(BPF), H(DEVICE))
	ROW(0, "no more than its share", "cgroup limits of tasks and memory", net_namespace, T(TASKS), T(MEMORY))
	ROW(0, "processes outside", "pid namespace", net_namespace, T(SPACES))
	ROW(0, "processes outside", "seccomp allowlist", seccomp, T(SECCOMP))
	ROW(0, "processes outside", "Landlock scopes", landlock, T(SCOPES))
	ROW(0, "processes outside", "BPF LSM: ptrace, /proc, signals", bpf_lsm, T(LSM), H(PTRACE), H(TRACEME), H(SIGNAL))
	{ 0 },
};
/* clang-format on */

const struct layer *layers_probe(void)
{
	for (struct layer *l = layers; l->name; l++) {
		l->note[0] = 0;
		l->state = l->probe ? l->probe(l->note) : requests(l->inside, l->note);
	}
	return layers;
}

static const struct osh_probe_row *row_of(const struct osh_probe_row *rows, size_t n, uint16_t id)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].id == id)
			return &rows[i];
	return NULL;
}

static void judge(struct layer *l, const struct osh_probe_row *rows, size_t n)
{
	l->note[0] = 0;
	l->lacks = 0;
	l->state = LAYER_LIVES;
	for (size_t i = 0; i < LAYER_TRIED && l->tried[i]; i++) {
		const struct osh_probe_row *r = row_of(rows, n, l->tried[i]);

		if (r && r->state == OSH_PROBE_LACKS) {
			l->state = LAYER_MISSING;
			l->lacks = r->id;
			snprintf(l->note, sizeof(l->note), "%.63s", r->note);
			return;
		}
		if (!r || r->state != OSH_PROBE_WORKS)
			l->state = LAYER_UNPROVED;
	}
}

const struct layer *layers_judge(const struct osh_probe_row *rows, size_t n)
{
	for (struct layer *l = layers; l->name; l++) {
		judge(l, rows, n);
		if (l->state == LAYER_LIVES && !l->probe)
			l->state = requests(l->inside, l->note);
	}
	return layers;
}

const char *layer_word(enum layer_state s)
{
	static const char *const words[] = { "missing", "unproved", "lives" };

	return words[s];
}
