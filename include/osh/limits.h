/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Every bound of the system, once. Shared by BPF programs, daemons and the compiler. */
#pragma once

/*
 * What outlives a daemon, and so meets the next one: layouts of maps (abi.h), and the messages of roles that
 * go on (msg.h): osh-launch's STORE and PROGRAMS, osh-init's manager socket, the egress' bundle and records.
 * A change of any of them is another ABI. Pins lie under /sys/fs/bpf/osh/<OSH_ABI>, osh-launch listens at
 * <run>/launch-<OSH_ABI>; two ABIs live side by side and leave each other alone (docs/upgrade.md).
 */
#define OSH_ABI 10
#define OSH_STRING(x) #x
#define OSH_STRING_OF(x) OSH_STRING(x)
#define OSH_ABI_TEXT OSH_STRING_OF(OSH_ABI)

#define OSH_SLOTS 4096			/* sandboxes alive at once on one host */
#define OSH_SLOTS_EACH 64		/* of one caller who is not root: shared tables last for several */
#define OSH_STARTS_EACH 16		/* of them being built at once */
#define OSH_CALLS_EACH 64		/* connections of such a caller to oshd, each with one call under way */
#define OSH_CALLS 1024			/* connections of all callers */
#define OSH_CALL_BYTES (128u << 10)	/* one call */
#define OSH_CALL_FDS 16			/* descriptors that come with it */
#define OSH_SANDBOX_NPROC 8192		/* tasks of a sandbox that has a uid of its own */
#define OSH_SANDBOX_PIDS 8192		/* tasks of any sandbox, where its policy says nothing; a quarter of the kernel's at most */
#define OSH_PTYS 128			/* of one sandbox; those of all sandboxes and containers of a host are 3072 */
#define OSH_SANDBOX_MEMORY(all) ((all) / 4 * 3)	/* likewise, of this much memory */
#define OSH_TASKS (1 << 18)		/* tasks of all sandboxes at once, at least; more = no identity */
#define OSH_NAME_MAX 256		/* DNS text name, NUL padded (RFC 1035: at most 253) */
#define OSH_PROGRAMS_OPEN 4096		/* files of listed programs in writable trees, of one sandbox, over all its policies */
#define OSH_PATH_MAX 256		/* program path as the kernel keys it; longer = no identity */
#define OSH_GROUPS 256			/* distinct `binaries` lists in a policy; group 0 = any program */
#define OSH_GROUP_WORDS (OSH_GROUPS / 64)
#define OSH_GLOBS 64			/* glob patterns among the binaries of a policy */
#define OSH_ALTS 32			/* rules that may list one (host, port); those with L7 count one by one */
#define OSH_IDENTS 4096			/* distinct programs executed in a sandbox life */
#define OSH_ADDR_EXACT 65536		/* first half of 198.18.0.0/15: names that the policy lists */
#define OSH_ADDR_WILD 65536		/* second half: names allocated under a wildcard */
#define OSH_HOSTS_MAX 60000		/* host entries in a policy */
#define OSH_ENDPOINTS_MAX 262144	/* (host, port) pairs of a policy, after merging */
#define OSH_ALTS_MAX 1048576		/* alternatives over all of them */
#define OSH_BINARIES_MAX 16384		/* (program, group) pairs */
#define OSH_UPSTREAM_MAX 65536		/* allowed_ips entries */
#define OSH_LIST_MAX 1024		/* env, exec and unix entries */
#define OSH_MATCHES_MAX 1048576		/* rules inside connections; their patterns; their query keys */
#define OSH_PATTERN_LEN 1024		/* one pattern of theirs */
#define OSH_BODY_MAX (16u << 20)	/* bytes of a body held to judge a request, whatever the policy says */
#define OSH_WILD_DEFAULT 32		/* dns.wildcard_names when the policy is silent */
#define OSH_WILD_MAX 4096
#define OSH_FS_PATHS 256		/* filesystem_policy entries (OpenShell's limit) */
#define OSH_FS_PATH_LEN 4096
#define OSH_MAPPED (1 << 16)
#define OSH_MAPPED_EACH 512		/* address spaces of a sandbox in which several tasks run code that it can write */
#define OSH_DENY_SEGS 256		/* path segments of all `deny` entries of a policy, braces expanded */
#define OSH_DENY_DEPTH 128		/* directories between a file and the tree that it lies in; deeper = no write */
#define OSH_DENY_NAMES (1 << 20)	/* looked at, when a sandbox starts, for denied files that have other names */
#define OSH_DENY_INODES (1 << 16)
#define OSH_RESERVED (1 << 16)		/* directories and files that are for some programs only, of all sandboxes */
#define OSH_RESERVED_EACH 512		/* of one sandbox: entries, and mounts below them */
#define OSH_DENY_TWINS 512		/* such files; beyond either no file with several names is written at all */
#define OSH_ENV_VARS 1024		/* environment strings scanned at exec; more = tainted */
#define OSH_ENV_LEN 65536		/* one environment string; longer = tainted */
#define OSH_ENV_EXEMPT 64		/* values that osh itself sets and the taint check knows */
#define OSH_SANDBOX_NAME 64		/* sandbox name, NUL included */
#define OSH_GROUPS_CALLER 64		/* supplementary groups of a caller */

#define OSH_GPU_NAMES 16		/* devices that one policy names */
#define OSH_GPU_NAME 128		/* bytes of such a name, NUL included */
#define OSH_GPU_PATH 512		/* bytes of a path or variable of a CDI specification */
#define OSH_GPU_DEVICES 256		/* of one host, CDI devices included */
#define OSH_GPU_EDITS 4096		/* nodes, mounts and variables of all of them */
#define OSH_GPU_COUNT 64		/* whole GPUs of one sandbox */
#define OSH_GIVEN 512			/* nodes, mounts and variables of one sandbox */
#define OSH_CDI_FILES 64
#define OSH_CDI_BYTES (1u << 20)	/* one of them */

#define OSH_SPEC_BYTES (6u << 20)	/* command, environment and directory, as execve bounds them */
#define OSH_SPEC_STRINGS 262144		/* arguments, or environment strings, of a command */

#define OSH_SESSIONS 64			/* of one sandbox at once: commands, views, forwarded connections */
#define OSH_SERVED 256			/* connections of other sandboxes' routes into one, at once */
#define OSH_SERVES 64			/* (port, pattern of a name) pairs of a policy's `serve` */
#define OSH_REPLAY (64u << 10)		/* bytes of a terminal's recent output, for a view that comes */
#define OSH_REVISIONS 32		/* policies kept of a created sandbox, the one in force included */
#define OSH_SANDBOXES_EACH 256		/* created sandboxes of one caller who is not root, running or not */
#define OSH_VOLUMES_EACH 64
#define OSH_POLICIES_EACH (96u << 20)	/* bytes of policies and commands kept for such a caller, of all his sandboxes */
#define OSH_PROVIDERS_EACH 64		/* stored credentials of one caller who is not root */
#define OSH_PROVIDER_TYPE 32		/* bytes of a type's name, NUL included */
#define OSH_LABELS 32			/* of one sandbox */
#define OSH_LABEL_KEY 64		/* bytes, NUL included */
#define OSH_LABEL_VALUE 256
#define OSH_WARNINGS 2048		/* bytes of what one sandbox was started without */
#define OSH_GRACE_MS 600000		/* from SIGTERM to SIGKILL, at most */
#define OSH_LOG_BYTES (64u << 20)	/* one user's log file; then the next begins */
#define OSH_LOG_FILES 8
#define OSH_LOG_SYNC_MS 1000		/* a line is on disk no later than that after it was written */
#define OSH_LOG_LINE 65536		/* no line is longer */

#define OSH_COPY_DEPTH 128		/* directories below each other that upload and download go */
#define OSH_COPY_ENTRIES (1 << 22)	/* files and directories of one of them */
#define OSH_FORWARD_CONNS 512		/* forwarded connections at once */

#define OSH_POLICY_BYTES (4u << 20)	/* YAML input */
#define OSH_POLICY_DEPTH 32		/* YAML nesting */
#define OSH_POLICY_NODES 1000000	/* keys and values of one policy */
#define OSH_BUNDLE_BYTES (64u << 20)
#define OSH_BUNDLE_EACH (8u << 20)	/* of a caller who is not root: reading one holds up oshd's loop */
#define OSH_DIAGS 1000			/* diagnostics reported for one policy */

#define OSH_LANES 8			/* of allowed connections; no more than CPUs, to a power of two */
#define OSH_LANE_SLOTS (1 << 15)	/* records in all lanes together */
#define OSH_LANE_SLOTS_SMALL (1 << 13)	/* of one embedded run */
#define OSH_FRONT_BITS 13		/* endpoints that the connect hook finds without a call: 2^13 at most */
#define OSH_RING_ALLOW (4u << 20)	/* bytes; ring of allowed decisions with a name */
#define OSH_RING_DENY (4u << 20)	/* bytes; ring of denials: a lane of its own */
#define OSH_DENIALS (1 << 18)		/* distinct denials being aggregated on the host */
#define OSH_DENIALS_EACH 2048		/* of them, at most this many for one sandbox */
#define OSH_TALLY_BYTES (64u << 10)	/* osh-audit's count of refused system calls, per sandbox */

#define OSH_EGRESS_CONNS 1024		/* relayed connections of one sandbox at once */
#define OSH_EGRESS_RECORDS 2048		/* decisions of one egress that the kernel holds until osh-audit has read them */
#define OSH_EGRESS_CONNECT_MS 15000	/* upstream resolve and connect */
#define OSH_EGRESS_IDLE_MS 3600000	/* a silent relayed connection is closed after */
#define OSH_EGRESS_HELLO_MS 10000	/* first bytes of an inspected connection, and its TLS handshake */
#define OSH_EGRESS_HEAD_MS 30000	/* a request's head, from its first byte */
#define OSH_EGRESS_KEEP_MS 600000	/* an inspected connection without a request is closed after */
#define OSH_EGRESS_POOL_MS 45000	/* an upstream connection without a request is closed after */
#define OSH_EGRESS_REQUESTS 4096	/* requests of one sandbox under way at once */
#define OSH_ANCHORS_BYTES (2u << 20)	/* PEM text of the roots trusted for upstreams */
#define OSH_EGRESS_BODY (32u << 20)	/* bytes of bodies held for judgement, one sandbox */
#define OSH_COUNTS_EACH 4096		/* rows of one user, who is not root, of what his calls of models used */
#define OSH_COUNT_NAME 96		/* bytes of the name of one, NUL included */
#define OSH_MODEL_CALLS 1024		/* of one sandbox, that limits count, under way at once */
#define OSH_INFERENCE_BODY (16u << 20)	/* of one call of a model, pictures included */

/*
 * User ids that osh gives out, from a range that systemd's UIDs page marks unused (above 1879048191).
 * A slot is reused only after its sandbox has gone.
 */
#define OSH_UID_SANDBOX 1900000000u	/* + slot: the agent, when root calls */
#define OSH_UID_EGRESS 1900010000u	/* + slot */
#define OSH_UID_AUDIT 1900020000u
#define OSH_UID_PARSE 1900020001u	/* one-shot readers of operator text */
#define OSH_UID_ROOT 1900020002u	/* one-shot makers of a sandbox's certificate authority */
#define OSH_UID_FRONT 1900020003u	/* osh-front, which reads what callers send */
#define OSH_UID_VAULT 1900020004u	/* one-shot: seals and opens stored credentials */
