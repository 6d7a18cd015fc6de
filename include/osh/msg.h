/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fixed-size messages between osh's own processes, over SOCK_SEQPACKET with SCM_RIGHTS. A message of
 * the wrong size, an unknown type or the wrong number of descriptors ends the peer, not the receiver.
 * Descriptors are named beside each type, in order.
 */
#pragma once

#include <stdint.h>

#include "osh/abi.h"
#include "osh/bundle.h"
#include "osh/creds.h"
#include "osh/inference.h"
#include "osh/limits.h"

#define OSH_MSG_FDS 24			/* most descriptors in one message */
#define OSH_MSG_BYTES 4096		/* largest message */

enum osh_msg_type {
	OSH_MSG_NONE,
	/* oshd -> osh-launch */
	OSH_MSG_LAUNCH,			/* struct osh_msg_launch; fds enum osh_launch_fd */
	OSH_MSG_GO,			/* struct osh_msg_id: by_netns is filled; exec osh-init */
	OSH_MSG_SPAWN_EGRESS,		/* struct osh_msg_egress; fds enum osh_egress_fd */
	OSH_MSG_STORE,			/* struct osh_msg_stored; fds enum osh_stored_fd: keep them */
	OSH_MSG_FORGET,			/* struct osh_msg_id: close what STORE gave */
	OSH_MSG_MOUNT,			/* struct osh_msg_mount; fds: the directory; any number, before LAUNCH of that id */
	OSH_MSG_ROUTES,			/* struct osh_msg_routes; fds enum osh_routes_fd: its namespaces follow a policy */
	/* osh-launch -> oshd */
	OSH_MSG_PROGRAMS,		/* struct osh_msg_programs; fds: one a program; before PREPARED or ROUTED */
	OSH_MSG_TREE,			/* struct osh_msg_tree; fds: what is at the path; before PREPARED */
	OSH_MSG_PREPARED,		/* struct osh_msg_prepared; fds enum osh_prepared_fd */
	OSH_MSG_SPAWNED,		/* struct osh_msg_prepared; fds: pidfd */
	OSH_MSG_ROUTED,			/* struct osh_msg_failed: code 0 = ROUTES is done */
	OSH_MSG_FAILED,			/* struct osh_msg_failed */
	OSH_MSG_WENT,			/* struct osh_msg_id: after GO, osh-init was executed */
	OSH_MSG_STORED,			/* to an oshd that connects anew: each STORE again, as it came; PROGRAMS follow */
	OSH_MSG_STORED_ALL,		/* struct osh_msg_id: that was all of them */
	/* oshd <-> osh-init, over the sandbox's manager socket: descriptor 3 of osh-init */
	OSH_MSG_INIT_OPEN,		/* struct osh_msg_open; fds: a session's socket */
	OSH_MSG_INIT_STOP,		/* struct osh_msg_status: value = milliseconds from SIGTERM to the end */
	OSH_MSG_INIT_MAIN,		/* from osh-init; struct osh_msg_status: wait status of the ENDS command */
	/* client <-> osh-init, over a session's socket; the first message says what the session is */
	OSH_MSG_INIT_SPEC,		/* a command: struct osh_msg_init_spec; fds: spec memfd, then stdio by flags */
	OSH_MSG_INIT_ATTACH,		/* a view of the terminal: struct osh_msg_attach */
	OSH_MSG_INIT_DIAL,		/* a connection to the sandbox's loopback: struct osh_msg_status, value = port */
	OSH_MSG_INIT_FILE,		/* a file or directory as the sandbox sees it: struct osh_msg_file */
	OSH_MSG_INIT_PTY,		/* struct osh_msg_id; fds: pty master, or of a view a stream socket in its place */
	OSH_MSG_INIT_FD,		/* struct osh_msg_id; fds: what DIAL or FILE asked for; then the session ends */
	OSH_MSG_INIT_STARTED,		/* struct osh_msg_status: value = pid inside */
	OSH_MSG_INIT_STOPPED,		/* struct osh_msg_status: value = stop signal */
	OSH_MSG_INIT_EXITED,		/* struct osh_msg_status: value = wait status of the command */
	OSH_MSG_INIT_ERROR,		/* struct osh_msg_failed: the command could not be started, nothing is there to see, ... */
	OSH_MSG_INIT_SIGNAL,		/* to osh-init; struct osh_msg_status: value = signal for the command's group */
	OSH_MSG_INIT_SIZE,		/* to osh-init; struct osh_msg_attach: a view's window has another size */
	/* oshd -> osh-audit, and back */
	OSH_MSG_AUDIT_ADD,		/* struct osh_msg_audit_add; fds: bundle, records, [log,] [summary] */
	OSH_MSG_AUDIT_LIMIT,		/* struct osh_msg_audit_limit; after ADD */
	OSH_MSG_AUDIT_CALLS,		/* struct osh_msg_audit_calls; fds: listener, tally; after ADD */
	OSH_MSG_AUDIT_POLICY,		/* struct osh_msg_audit_policy; fds: bundle of the next generation, or of the one in force now */
	OSH_MSG_AUDIT_END,		/* struct osh_msg_audit_end: drain, report, close its descriptors */
	OSH_MSG_AUDIT_ENDED,		/* struct osh_msg_id: done */
	OSH_MSG_AUDIT_JOURNAL,		/* struct osh_msg_audit_journal; fds: [the file]: a user's log goes on there */
	OSH_MSG_AUDIT_JOURNAL_END,	/* struct osh_msg_id: id = uid; no sandbox of that user is left */
	OSH_MSG_AUDIT_WANT,		/* from osh-audit; struct osh_msg_audit_want: the next file of a user's log */
	/* oshd -> osh-egress, over a pair of sockets that the egress has for its life */
	OSH_MSG_EGRESS_NEXT,		/* struct osh_msg_reload; fds: bundle. Read and check it beside the one in force */
	OSH_MSG_EGRESS_FLIP,		/* struct osh_msg_reload: it is in force; judge by it what lives */
	OSH_MSG_EGRESS_DROP,		/* struct osh_msg_reload: it will not come into force */
	/* and back: struct osh_msg_reloaded */
	OSH_MSG_EGRESS_READY,		/* to NEXT: code 0, or why this policy cannot be taken */
	OSH_MSG_EGRESS_FLIPPED,		/* to FLIP: what the policy in force forbids is closed */
	/*
	 * osh-egress -> osh-audit, over a pair of sockets that the sandbox has for life: whose record it
	 * is is not the sender's word, and while either of the two is being restarted records queue.
	 */
	OSH_MSG_RECORD,			/* struct osh_msg_record */
	OSH_MSG_REQUEST,		/* struct osh_msg_request: of a connection that is looked into */
	/* osh-front -> oshd */
	OSH_MSG_CALLER,			/* struct osh_msg_caller; fds: its calls, pidfd of who connected */
	/* oshd <-> osh-egress again; what is added comes last, since a number outlives a daemon */
	OSH_MSG_EGRESS_CREDS,		/* struct osh_msg_reload; fds: set of credentials (osh/creds.h), or an empty memfd */
	OSH_MSG_EGRESS_TAKEN,		/* struct osh_msg_reloaded: requests go by it; or code, and the former one stays */
	/* oshd -> osh-launch again */
	OSH_MSG_PROBE,			/* struct osh_msg_id, id 0; fds: where `oshd --probe` writes its rows (osh/probe.h) */
	/* oshd -> osh-audit again */
	OSH_MSG_AUDIT_PROVIDER,		/* struct osh_msg_audit_provider: a line for its owner's log; after JOURNAL */
	OSH_MSG_AUDIT_WARNED,		/* struct osh_msg_audit_warned: a line for its log; after ADD */
	/* and back */
	OSH_MSG_AUDIT_TOLD,		/* struct osh_msg_id: id = uid; a PROVIDER of that user is written, or never will be */
	/* osh-egress -> osh-audit again */
	OSH_MSG_INFERENCE,		/* struct osh_msg_inference: a call of a model has ended */
	/* osh-egress <-> oshd again: what limits count */
	OSH_MSG_COUNT_TAKE,		/* struct osh_msg_take: a call is to be sent that may use so much */
	OSH_MSG_COUNT_TAKEN,		/* struct osh_msg_taken: the answer */
	OSH_MSG_COUNT_USED,		/* struct osh_msg_used: what came of one that was taken */
	/* oshd <-> osh-egress again: which route calls of models go to first */
	OSH_MSG_EGRESS_CHOICE,		/* struct osh_msg_choice; to a new egress the first word, where there is one */
	OSH_MSG_EGRESS_CHOSEN,		/* struct osh_msg_reloaded: calls that are judged from now on go by it */
	/* oshd -> osh-audit again */
	OSH_MSG_AUDIT_CHOICE,		/* struct osh_msg_audit_choice: a line for its log; after ADD */
	/* osh-egress <-> oshd again: a route leads to another sandbox */
	OSH_MSG_ACROSS_ASK,		/* struct osh_msg_across: a connection to that port of it */
	OSH_MSG_ACROSS_GOT,		/* struct osh_msg_crossed; fds: a stream, see there */
	OSH_MSG_ACROSS_NOT,		/* struct osh_msg_crossed: none, and why */
	/* oshd -> osh-init again */
	OSH_MSG_INIT_SERVE,		/* struct osh_msg_serve; fds: the stream's other end, to be joined with the port */
	OSH_MSG_INIT_UNSERVE,		/* struct osh_msg_unserve: what that caller may not have any more ends */
	/* oshd -> osh-audit again */
	OSH_MSG_AUDIT_SERVED,		/* struct osh_msg_audit_served: a line for the log of the one that serves; after ADD */
	OSH_MSG_MAX
};

struct osh_msg_head {
	uint32_t type;			/* enum osh_msg_type */
	uint32_t size;			/* of the whole message */
};

struct osh_msg_id {
	struct osh_msg_head h;
	uint32_t id;			/* sandbox */
	uint32_t pad;
};

struct osh_msg_status {
	struct osh_msg_head h;
	uint32_t id;
	int32_t value;
};

struct osh_msg_failed {
	struct osh_msg_head h;
	uint32_t id;
	int32_t code;			/* positive errno */
	char text[240];			/* one line for a person */
};

/* Who connected, as the kernel recorded it then; on the socket come that caller's calls. */
struct osh_msg_caller {
	struct osh_msg_head h;
	uint32_t uid, gid, pid;
	uint32_t n_groups;
	uint32_t groups[OSH_GROUPS_CALLER];
};

enum osh_launch_fd {			/* of OSH_MSG_LAUNCH */
	OSH_LFD_BUNDLE,			/* memfd, sealed */
	OSH_LFD_MANAGER,		/* osh-init's end of the manager socket */
	OSH_LFD_WORKDIR,		/* O_PATH, opened by the caller; with OSH_LAUNCH_REOPEN anything */
	OSH_LFD_CGROUP,			/* directory of the sandbox's cgroup */
	OSH_LFD_DNS,			/* tc program */
	OSH_LFD_STEER,			/* sk_lookup program, this sandbox's own copy */
	OSH_LFD_STEER_MAP,		/* its sockmap, one entry for the listener */
	OSH_LFD_ROOT,			/* with OSH_LAUNCH_TRUST: a pipe from which its certificate authority comes */
	OSH_LFD_ANCHORS,		/* and a sealed memfd, the host's trusted roots */
	OSH_LFD_MAX
};

struct osh_msg_launch {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t uid, gid;		/* the caller: who opens listed paths */
	uint32_t n_groups;
	uint32_t groups[OSH_GROUPS_CALLER];
	uint32_t run_uid, run_gid;	/* the sandbox's identity on the host */
	uint32_t flags;			/* OSH_LAUNCH_* */
	uint32_t net6[4];
	uint32_t next_net6[4];		/* probably of the next one, to make ahead; 0 = unknown */
	char name[OSH_SANDBOX_NAME];	/* also the host name inside */
	char workdir[1024];		/* absolute path of OSH_LFD_WORKDIR as the caller names it */
	uint64_t files, disk;		/* resources of it; 0 = the usual */
	uint64_t off;			/* test builds only: layers to leave out, OSH_OFF_* */
};
#define OSH_LAUNCH_TRUST 2u		/* its egress may look into TLS: its programs are to trust it */
#define OSH_LAUNCH_JAVA 16u		/* those of Java, too: their store is large, and signed */
#define OSH_LAUNCH_REOPEN 4u		/* open `workdir` by its path, with the caller's identity */
#define OSH_LAUNCH_IDMAP 1u		/* called by root: workdir owner <-> run_uid by an id-mapped mount */

#define OSH_LAUNCH_LSM 8u		/* LSM programs keep filesystem_policy.deny: report the trees */
#define OSH_LAUNCH_ALL 31u

/* Layers that a test build can leave out, OSH_OFF_VIEW etc.; a release build refuses a non-zero mask. */
enum osh_layer {
#define LAYER(id, name) OSH_LAYER_##id,
#include "osh/layers.def"
#undef LAYER
};
enum osh_off {
#define LAYER(id, name) OSH_OFF_##id = 1u << OSH_LAYER_##id,
#include "osh/layers.def"
#undef LAYER
};

enum osh_prepared_fd {			/* of OSH_MSG_PREPARED */
	OSH_PFD_PIDFD,			/* of the future osh-init */
	OSH_PFD_LISTENER,		/* TCP, dual stack, listening inside the netns */
	OSH_PFD_STEER_LINK,		/* bpf_link of the sk_lookup program */
	OSH_PFD_NETNS,
	OSH_PFD_CALLS,			/* listener of the system call filter */
	OSH_PFD_SCRATCH,		/* root of the file system of its private trees */
	OSH_PFD_MAX
};

struct osh_msg_prepared {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t pid;			/* in osh-launch's pid namespace */
	uint64_t netns_cookie;
	uint32_t landlock_abi;		/* what could be applied, for the record */
	uint32_t warnings;		/* what the sandbox is built without: best_effort paths, layers */
	char warning[1024];		/* newline separated, cut at the end */
};

/*
 * Listed programs that lie in trees which the sandbox can write: their path proves nothing, the open
 * file does. osh-launch and oshd keep the descriptors, until FORGET, so that no inode is ever reused:
 * what one of them lost it gets again from the other, in the same message without `binary`.
 */
#define OSH_PROGRAMS_MSG 16
struct osh_msg_programs {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t n;			/* 1..OSH_PROGRAMS_MSG, and as many descriptors */
	uint32_t binary[OSH_PROGRAMS_MSG];	/* index into the bundle's BINARIES */
};

/*
 * Where filesystem_policy.deny is kept by LSM programs: a mount of the view that can be written (ROOT), the
 * working directory (DIR), a file that an entry denies by its full path or that has another name besides (FILE).
 * osh-launch keeps the last two open until FORGET; a mount keeps itself. TWINS: not all such files were found.
 * RESERVED: a path that is for some programs only, or lies below one and is listed or mounted by itself.
 */
enum osh_tree_kind {
	OSH_TREE_ROOT, OSH_TREE_DIR, OSH_TREE_FILE, OSH_TREE_TWINS,	/* of filesystem_policy.deny */
	OSH_TREE_RUN, OSH_TREE_RUN_NOT,		/* of process.exec: what is listed; the root of a writable mount */
	OSH_TREE_RESERVED,			/* of filesystem_policy: `row` is the entry that it lies in */
};
#define OSH_ROW_WORKDIR UINT32_MAX
struct osh_msg_tree {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t kind;			/* enum osh_tree_kind */
	uint32_t row;			/* of FILE, RESERVED: index into the bundle's FS; OSH_ROW_WORKDIR: the working directory */
	uint32_t pad;
	char path[2560];		/* as the sandbox sees it, NUL terminated */
	char workdir[1280];		/* likewise; where relative entries begin */
};

/*
 * The command, in a sealed memfd that oshctl wrote and only osh-init reads: `argc` strings, then
 * `envc` strings, then the working directory, each NUL terminated.
 */
struct osh_msg_init_spec {
	struct osh_msg_head h;
	uint32_t argc, envc;
	uint32_t bytes;			/* of the memfd */
	uint32_t flags;			/* OSH_SPEC_* */
	uint32_t umask;			/* the caller's */
	uint16_t rows, cols, xpixel, ypixel;	/* first window size, with OSH_SPEC_TTY */
	uint32_t iflag, oflag, lflag;	/* the caller's terminal modes, with OSH_SPEC_MODES */
	uint8_t cc[20];			/* its control characters: the kernel's first 19 */
};
#define OSH_SPEC_TTY 1u			/* make a pty, send its master */
#define OSH_SPEC_FD(n) (2u << (n))	/* stdio n (0..2) follows as a descriptor; else it is the pty */
#define OSH_SPEC_FDS (2u | 4u | 8u)	/* all three, required without OSH_SPEC_TTY */
#define OSH_SPEC_BACK 16u		/* start in the pty's background; SIGCONT brings it forward */
#define OSH_SPEC_MODES 32u
/*
 * The base is the environment and directory of the sandbox's first command, or of a message with
 * OSH_SPEC_BASE, which is no command: argc 0, one descriptor, answered by EXITED with 0. With
 * OSH_SPEC_INHERIT the variables come on top of the base's, and a directory "" is the base's.
 */
#define OSH_SPEC_INHERIT 64u
#define OSH_SPEC_BASE 128u
#define OSH_SPEC_ALL 255u

/*
 * A sandbox's life hangs on its manager socket, whose other end oshd and osh-launch hold: when both are
 * gone it ends. What a session may do to it is oshd's word, in these flags, never the client's.
 */
struct osh_msg_open {
	struct osh_msg_head h;
	uint32_t flags;			/* OSH_OPEN_* */
	uint32_t pad;
};
#define OSH_OPEN_ENDS 1u		/* when its command ends, the sandbox ends with that status */
#define OSH_OPEN_TIED 2u		/* when its client goes, the sandbox ends; else the command gets SIGHUP, later SIGKILL */
#define OSH_OPEN_TERMINAL 4u		/* its pty stays with osh-init, where views attach; the client may go */
#define OSH_OPEN_ALL 7u

struct osh_msg_attach {
	struct osh_msg_head h;
	uint16_t rows, cols, xpixel, ypixel;	/* of the viewer; the terminal takes the size of the one who typed or resized last */
	uint32_t flags;			/* OSH_ATTACH_* */
};
#define OSH_ATTACH_WATCH 1u		/* what is typed is dropped, and its size does not count */
#define OSH_ATTACH_NEW 2u		/* without the replay of recent output */

/* Opened by a child with the sandbox's identity, inside its view and Landlock domain; never followed by root. */
struct osh_msg_file {
	struct osh_msg_head h;
	uint32_t flags;			/* OSH_FILE_* */
	uint32_t mode;			/* of a directory that is made, & 0777 */
	char path[1024];		/* absolute, NUL terminated */
};
#define OSH_FILE_MAKE 1u		/* make the directory where there is none (its parent exists); as PLAIN */
#define OSH_FILE_PLAIN 2u		/* no link on the way and none at its end: it is to be written to from outside */

/* A directory of the host that oshd opened, to be mounted in the sandbox's view. */
struct osh_msg_mount {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t flags;			/* OSH_MOUNT_* */
	char path[1024];		/* where, as the sandbox sees it; normal form */
};
#define OSH_MOUNT_RO 1u
#define OSH_MOUNT_HOME 2u		/* the private home, in place of a tmpfs */
#define OSH_MOUNT_NODE 4u		/* a character device, at a path below /dev */
#define OSH_MOUNT_FILE 8u		/* a file or directory that a granted device needs, read-only */
#define OSH_MOUNT_ENV 16u		/* nothing to mount: `path` is NAME=value, the descriptor means nothing */
#define OSH_MOUNT_GIVEN 28u		/* what comes with a device */
#define OSH_MOUNTS 16			/* homes and volumes of one sandbox; with what is GIVEN OSH_GIVEN */

/*
 * Afterwards the sandbox has local routes for the addresses of both policies and no others. So oshd asks
 * before a flip with the one in force and the next, and after it with the same one twice. The nftables
 * table is the same for every policy.
 */
enum osh_routes_fd {			/* of OSH_MSG_ROUTES */
	OSH_RFD_NETNS,
	OSH_RFD_NEXT, OSH_RFD_WAS,	/* bundles */
	OSH_RFD_PIDFD,			/* of osh-init */
	OSH_RFD_MAX
};

struct osh_msg_routes {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t flags;			/* OSH_ROUTES_* */
};
#define OSH_ROUTES_PROGRAMS 1u		/* open what `next` lists, `was` does not, and lies in a writable mount */

enum osh_egress_fd {			/* of OSH_MSG_SPAWN_EGRESS; same numbers from 3 in the egress */
	OSH_EFD_BUNDLE,
	OSH_EFD_LISTENER,
	OSH_EFD_AUDIT,			/* seqpacket to osh-audit, OSH_MSG_RECORD */
	OSH_EFD_PIDFD,			/* of osh-init: readable = sandbox ended = exit */
	OSH_EFD_ADDRS,			/* map `addrs`, read only */
	OSH_EFD_IDENTS,			/* map `idents`, read only */
	OSH_EFD_RESOLV,			/* host's resolv.conf, or an empty memfd */
	OSH_EFD_HOSTS,			/* --upstream-hosts file, or an empty memfd */
	OSH_EFD_CREDS,			/* osh/creds.h, or an empty memfd */
	OSH_EFD_ROOT,			/* sealed memfd, struct osh_root; empty = TLS is not looked into */
	OSH_EFD_ANCHORS,		/* sealed memfd, roots that upstreams are verified by */
	OSH_EFD_SANDBOXES,		/* map `sandboxes`, read only: which generation is in force */
	OSH_EFD_CONTROL,		/* seqpacket to oshd; an empty memfd, or datagrams, = its policy never changes */
	OSH_EFD_CGROUP,			/* osh-launch only: where the egress is cloned into */
	OSH_EFD_MAX
};

struct osh_msg_egress {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t generation;
	uint32_t uid, gid;		/* the egress' own */
	uint32_t net6[4];
	uint32_t slot, pad;
};

/* `serial` is of one reload alone, so that no answer is taken for that to another of the same generation. */
struct osh_msg_reload {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t generation;
	uint64_t serial;
};

struct osh_msg_reloaded {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t generation;
	uint64_t serial;
	int32_t code;			/* positive errno */
	uint32_t pad;
	char text[240];			/* one line for a person */
};

/* By names, since it outlives policies; where the one in force has no such route it says nothing. */
struct osh_msg_choice {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t pad;
	uint64_t serial;		/* the answer has it */
	char route[OSH_ROUTE_NAME];	/* "" = none is chosen */
	char model[OSH_MODEL_LEN + 8];	/* that its calls ask for; "" = what their callers ask for */
};

/* Against the limits of the policy with that generation: bit i = BUDGETS[i] counts the call. */
struct osh_msg_take {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t generation;
	uint64_t call;			/* the egress' own number; the answer has it */
	uint64_t amount[3];		/* by enum osh_count */
	uint32_t mask, pad;
};

enum osh_taken {
	OSH_TAKEN_NO,			/* too little is left in `limit`; it has room again in wait_ms */
	OSH_TAKEN_YES,			/* all of them count it: as `number` */
	OSH_TAKEN_LARGE,		/* it is more than `limit` has at all */
	OSH_TAKEN_STALE,		/* another policy is in force */
	OSH_TAKEN_FAILED,		/* text says why it cannot be counted */
};

struct osh_msg_taken {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t verdict;		/* enum osh_taken */
	uint64_t call, number;
	uint64_t wait_ms;
	uint32_t limit, pad;
	char text[120];			/* one line for a person */
};

struct osh_msg_used {			/* takes the place of what was taken */
	struct osh_msg_head h;
	uint32_t id, pad;
	uint64_t number;
	uint64_t amount[3];
};

/* What oshd does with it is between the two policies that it has; the words are the egress' own, and it may lie. */
struct osh_msg_across {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t port;
	uint64_t call;			/* the egress' own number; the answer has it */
	char name[OSH_SANDBOX_NAME];	/* NUL terminated */
};

/*
 * The stream is one end of a pair of unix sockets: who has it can neither bind nor connect it again. The first byte that
 * comes is 0 where the port has taken the connection, else an errno. One byte has been sent on it: as long as that is not
 * read, the end of who holds the other end is an error here and no end of what was said (init/serve.c).
 */
struct osh_msg_crossed {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t why;			/* enum osh_reason of ACROSS_NOT */
	uint64_t call;
	char text[120];			/* one line for a person */
};

struct osh_msg_serve {
	struct osh_msg_head h;
	uint32_t caller;		/* id of the sandbox that it comes from */
	uint32_t port;
};

struct osh_msg_unserve {
	struct osh_msg_head h;
	uint32_t caller;
	uint32_t n;
	uint32_t ports[OSH_SERVES];	/* that it may still come to */
};

struct osh_msg_audit_served {
	struct osh_msg_head h;
	uint32_t id;			/* of who serves */
	uint32_t port;
	uint32_t why;			/* enum osh_reason; ALLOWED = it was let in */
	uint32_t pad;
	char caller[OSH_SANDBOX_NAME];
};

/*
 * A living sandbox, kept by osh-launch ("descriptors only") so that the next oshd can adopt it:
 * the policy, the log and the listener outlive the daemon that opened them.
 */
enum osh_stored_fd {
	OSH_SFD_PIDFD,			/* of osh-init */
	OSH_SFD_BUNDLE,
	OSH_SFD_LISTENER,
	OSH_SFD_STEER_LINK,
	OSH_SFD_NETNS,
	OSH_SFD_BOX,			/* cgroup directories */
	OSH_SFD_EGRESS,
	OSH_SFD_RECORDS_OUT,		/* the egress' end of the record sockets */
	OSH_SFD_RECORDS_IN,		/* osh-audit's end */
	OSH_SFD_LOG,			/* an empty memfd where there is none: flags tell */
	OSH_SFD_SUMMARY,
	OSH_SFD_HOSTS,
	OSH_SFD_CREDS,
	OSH_SFD_CALLS,			/* listener of the system call filter */
	OSH_SFD_TALLY,			/* memory that one osh-audit leaves to the next */
	OSH_SFD_ROOT,			/* sealed memfd, struct osh_root */
	OSH_SFD_ANCHORS,
	OSH_SFD_MANAGER,		/* oshd's end of the manager socket: while it is open the sandbox lives */
	OSH_SFD_SLOT,			/* holds the slot's number on this host while it is open */
	OSH_SFD_CONTROL,		/* oshd's end of the socket to the egress that lives, or lived last */
	OSH_SFD_SCRATCH,		/* root of the file system of its private trees */
	OSH_SFD_MAX
};

struct osh_msg_stored {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t slot, generation;
	uint32_t pid;
	uint32_t uid, run_uid, run_gid;
	uint32_t flags;			/* OSH_STORED_* */
	uint64_t cgroup, egress_cgroup, netns;
	uint32_t net6[4];
	uint64_t amount[OSH_RESOURCES_ROOM];	/* what it may take, by enum osh_resource */
	uint64_t told[8];		/* of what its limits refused, by enum osh_limit */
	char name[OSH_SANDBOX_NAME];
	uint32_t warnings, pad;
	char warning[OSH_WARNINGS];	/* what it was started without, a line each */
};
#define OSH_STORED_LOG 1u
#define OSH_STORED_SUMMARY 2u
#define OSH_STORED_HOSTS 4u
#define OSH_STORED_CREDS 8u
#define OSH_STORED_CONTROL 32u
#define OSH_STORED_ROOT 16u		/* the last two */

struct osh_msg_audit_add {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t uid;			/* owner */
	uint32_t slot;
	uint32_t has_log, has_summary;	/* which of the two optional descriptors follow */
	uint32_t again;			/* 1 = it lives already: osh-audit or oshd was restarted */
	uint32_t generation;		/* of the bundle */
	char name[OSH_SANDBOX_NAME];
};

/*
 * A user's log is two: what is allowed has files of its own, so that an agent which does allowed things without end
 * pushes out nothing else.
 */
enum osh_journal_kind {
	OSH_JOURNAL_DENIED,		/* and observed, findings, the life of sandboxes */
	OSH_JOURNAL_ALLOWED,
	OSH_JOURNAL_KINDS
};

/*
 * Both before the first ADD of a user's sandbox. No file = oshd could not open one: what is denied meanwhile is
 * kept (OSH_DENIALS_EACH), the rest is counted, and osh-audit asks again.
 */
struct osh_msg_audit_journal {
	struct osh_msg_head h;
	uint32_t uid;
	uint32_t kind;			/* enum osh_journal_kind */
	uint32_t file;			/* its number, from 1; 0 = none */
	uint32_t pad;
	uint64_t size;			/* bytes that it has */
	uint8_t chain[32];		/* of the last line; counts only where osh-audit writes none of that user yet */
};

struct osh_msg_audit_want {
	struct osh_msg_head h;
	uint32_t uid;
	uint32_t kind;
	uint32_t file;			/* that is full; 0 = there is none */
	uint32_t pad;
};

struct osh_msg_audit_policy {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t generation;
	uint32_t in_force, pad;		/* 0 = it is coming, perhaps: what it decides may be told before its coming is */
};

/*
 * Refused system calls that are to be on record wait at the listener for an answer. The tally (a sealed
 * memfd of OSH_TALLY_BYTES, zeroed at first) is osh-audit's alone: it survives its death.
 */
struct osh_msg_audit_calls {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t run_uid;		/* the sandbox's identity */
};

/* What became of a stored credential. Never with anything of what is secret. */
enum osh_provider_deed {
	OSH_PROVIDER_CREATED, OSH_PROVIDER_ROTATED, OSH_PROVIDER_DELETED, OSH_PROVIDER_ATTACHED, OSH_PROVIDER_DETACHED,
	OSH_PROVIDER_DEEDS
};
struct osh_msg_audit_provider {
	struct osh_msg_head h;
	uint32_t uid;			/* owner */
	uint32_t by;			/* who did it */
	uint32_t deed;			/* enum osh_provider_deed */
	uint32_t pad;
	char name[OSH_CRED_NAME];
	char sandbox[OSH_SANDBOX_NAME];	/* of attach and detach */
};

/* One thing that a sandbox was started without. */
struct osh_msg_audit_warned {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t pad;
	char text[1024];		/* NUL terminated, UTF-8 without control characters */
};

/* Somebody chose a route, or none any more. */
struct osh_msg_audit_choice {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t by;			/* who did it */
	char route[OSH_ROUTE_NAME];	/* as in struct osh_msg_choice */
	char model[OSH_MODEL_LEN + 8];
	uint32_t preset;		/* not 0: for all sandboxes of his that start */
	uint32_t pad;
};

/* Which limit an event LIFE of reason LIMIT speaks of: its aux. */
enum osh_limit { OSH_LIMIT_TASKS = 1, OSH_LIMIT_MEMORY, OSH_LIMIT_DISK, OSH_LIMIT_WALL, OSH_LIMITS };

/* It refused so much since it was told of last. */
struct osh_msg_audit_limit {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t which;			/* enum osh_limit */
	uint64_t count;
};

/* With what the sandbox's limits refused and nobody was told of yet. */
struct osh_msg_audit_end {
	struct osh_msg_head h;
	uint32_t id;
	uint32_t pad;
	uint64_t hits[8];		/* by enum osh_limit */
};

struct osh_msg_record {
	struct osh_msg_head h;
	struct osh_event_named e;	/* e.ev.id is overwritten by the receiver */
};

/* Text is as it came from the sandbox, NUL terminated. Queries, fields and bodies are never on record. */
struct osh_http {
	uint16_t status;		/* of the answer that the egress itself gave; 0 = sent on */
	uint16_t flags;			/* OSH_HTTP_* */
	char method[28];
	char path[512];			/* canonical where there is such a form */
	char detail[160];		/* one line more about the reason, or "" */
};
#define OSH_HTTP_CUT 1u			/* method or path is longer than shown */
#define OSH_HTTP_TLS 2u

struct osh_msg_request {
	struct osh_msg_head h;
	struct osh_event_named e;	/* OSH_EV_HTTP, or OSH_EV_EGRESS: then `detail` alone counts */
	struct osh_http http;
};

/* What a call of a model came to. Names are as they were sent, NUL terminated; content is never on record. */
struct osh_inference {
	uint16_t status;		/* of the backend's answer; 0 = none came */
	uint16_t flags;			/* OSH_INFERENCE_* */
	uint32_t first_ms, ms;		/* until the answer began, and until it was over */
	uint32_t pad;
	uint64_t tokens_in, tokens_out;
	char operation[32], route[64];
	char backend[256];
	char asked[208], model[208];
};
#define OSH_INFERENCE_COUNTED 1u	/* the tokens are as the backend says; else tokens_out is a count of events */

struct osh_msg_inference {
	struct osh_msg_head h;
	struct osh_event_named e;	/* OSH_EV_INFERENCE */
	struct osh_inference said;
};

_Static_assert(OSH_LIMITS <= 8, "one count each");
_Static_assert(sizeof(struct osh_msg_launch) <= OSH_MSG_BYTES, "one message, one datagram");
_Static_assert(sizeof(struct osh_msg_stored) <= OSH_MSG_BYTES, "one message, one datagram");
_Static_assert(sizeof(struct osh_msg_tree) <= OSH_MSG_BYTES, "one message, one datagram");
_Static_assert(sizeof(struct osh_msg_prepared) <= OSH_MSG_BYTES, "one message, one datagram");
_Static_assert(__builtin_offsetof(struct osh_msg_request, http) == sizeof(struct osh_msg_record), "a request begins as a record");
