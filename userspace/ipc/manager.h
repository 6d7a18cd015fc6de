/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of the control API that oshctl and oshd must agree on: org.osh.Manager1, spoken peer to peer
 * on the private socket (no bus daemon, no destination).
 */
#pragma once

#define MANAGER_SOCKET "/run/osh/bus"
#define MANAGER_PATH "/org/osh/Manager1"
#define MANAGER_INTERFACE "org.osh.Manager1"
#define MANAGER_ERROR "org.osh.Error."	/* prefix of every error name; the message is for a person */

/*
 * Run(s name, h bundle, h control, h workdir, a{sv} options) -> (s name, u id)
 * name: "" = choose one. bundle: sealed memfd. control: osh-init's end of a seqpacket pair.
 * workdir: O_PATH, opened by the caller.
 */
#define MANAGER_RUN "Run"
#define MANAGER_RUN_IN "shhha{sv}"
#define MANAGER_RUN_OUT "su"	/* and "as": what it was started without */

#define MANAGER_OPT_WORKDIR "workdir"	/* s: absolute path of the workdir as the caller names it */
#define MANAGER_OPT_LOG "log"		/* h: append only */
#define MANAGER_OPT_SUMMARY "summary"	/* h: pipe; the denial summary is written there at the end */
#define MANAGER_OPT_HOSTS "upstream-hosts"	/* h: read only */
#define MANAGER_OPT_CA "upstream-ca"	/* h: read only */
#define MANAGER_OPT_CREDS "credentials"	/* h: sealed memfd, see osh/creds.h */
#define MANAGER_OPT_RESOURCES "resources"	/* a{st}: by key of a policy's `resources`, in its smallest unit; of Run, Create */
#define MANAGER_OPT_PROVIDERS "providers"	/* a(ss): stored ones, each with its placeholder */

/*
 * PolicySet(s name, h bundle, a{sv} options) -> (u generation, u revision)	options: source
 * bundle: sealed memfd. Answered when kernel and egress run the new generation; 0 = it does not run, and its next
 * start will. A run has no revisions: 0.
 */
#define MANAGER_POLICY_SET "PolicySet"
#define MANAGER_POLICY_SET_OUT "uu"

/*
 * Sandboxes that live: kept in the database, with a private home on disk. Names are per host. Every
 * method looks among the caller's own (root and osh-admin: among all); another's is not said to exist.
 *
 * Create(s name, h bundle, h workdir, a{sv} options) -> (s name, u id, as warnings)	options: those of Run, and
 * Start(s name, a{sv} options) -> (as warnings)	options: credentials, upstream-hosts, upstream-ca, log
 * Stop(s name, u milliseconds)			from SIGTERM to SIGKILL; answered when it has stopped
 * Restart(s name, u milliseconds, a{sv} options) -> (as warnings)
 * Delete(s name, b force)			force: stop it first
 * Prune(a{ss} labels, b volumes) -> (as names)	stopped ones that have all of these labels
 * List(a{ss} labels) -> (aa{sv})		runs too; rows as of Get
 * Get(s name) -> (a{sv})			see docs/manager.md
 * Open(s name, h session, u flags)		a session of its osh-init (osh/msg.h); flags: 0 or OSH_OPEN_TERMINAL
 * Label(s name, a{ss} set, as remove)
 * Volumes() -> (aa{sv})				name s, uid u, sandboxes u (that use it)
 * Gpus() -> (aa{sv}, s warning)		name, kind, uuid, model, pci, driver, state s; sandboxes, nodes as
 * VolumeDelete(s name)				the caller's own; one that a sandbox uses is busy
 * Policies(s name) -> (aa{sv})	revision u, in-force b, time t, uid u, from u (0 = no rollback), hash s
 * PolicyGet(s name, u revision) -> (h source, a{sv})	0 = the one in force; revision u, bundle h, text b (false: no
 *						source was given, and the descriptor is the bundle's)
 * PolicyRollback(s name, u revision) -> (u revision)	a new one, with that policy
 * Logs(a{sv} options) -> (a(uuuh))	files of logs that last: owner, kind (enum osh_journal_kind), number, for reading; oldest first.
 *						The caller's own; root and osh-admin: all, or those of option `user`
 * Backup(h to)					osh-admin: the database, written there
 * Doctor() -> (a(uus) rows)			what the machine can do, tried by a child: id, state and note (osh/probe.h)
 */
/*
 * Which route of its policy a sandbox' calls of models go to first.
 *
 * InferenceSet(s name, s route, s model)	model "": what callers ask for. Answered when the next call goes by it
 * InferenceDelete(s name)
 * Inference(s name) -> (aa{sv})		name "": all that run and have routes. name s, uid u, routes as, route s ("" = none is
 *						chosen), model s; where one is: set t, by u, in-policy b, default b
 * InferenceDefaultSet(s route, s model)	of the caller's sandboxes that start from now on; route "": none any more
 * InferenceDefault() -> (a{sv})		the caller's: route s ("" = none), model s; where there is one set t
 */
#define MANAGER_INFERENCE_SET "InferenceSet"
#define MANAGER_INFERENCE_DELETE "InferenceDelete"
#define MANAGER_INFERENCE "Inference"
#define MANAGER_INFERENCE_DEFAULT_SET "InferenceDefaultSet"
#define MANAGER_INFERENCE_DEFAULT "InferenceDefault"

/*
 * Stored credentials. A name is one of each user's; uid MANAGER_SELF is the caller, another one root's and osh-admin's to name.
 *
 * ProviderCreate(s name, s type, s record, h secret)	secret: sealed memfd
 * ProviderRotate(s name, s type, s record, h secret)	type and record "": as they are. Answered when no request goes
 *						with the former one any more
 * ProviderDelete(s name, u uid)
 * Providers() -> (aa{sv})			name s, uid u, type s, created t, rotated t, sandboxes u
 * ProviderGet(s name, u uid) -> (a{sv})	and record s
 * ProviderAttach(s sandbox, s name, s placeholder)	the sandbox's owner's; answered when its requests have it
 * ProviderDetach(s sandbox, s name)
 */
#define MANAGER_PROVIDER_CREATE "ProviderCreate"
#define MANAGER_PROVIDER_ROTATE "ProviderRotate"
#define MANAGER_PROVIDER_DELETE "ProviderDelete"
#define MANAGER_PROVIDERS "Providers"
#define MANAGER_PROVIDER_GET "ProviderGet"
#define MANAGER_PROVIDER_ATTACH "ProviderAttach"
#define MANAGER_PROVIDER_DETACH "ProviderDetach"
#define MANAGER_SELF UINT32_MAX

#define MANAGER_CREATE "Create"
#define MANAGER_START "Start"
#define MANAGER_STOP "Stop"
#define MANAGER_RESTART "Restart"
#define MANAGER_DELETE "Delete"
#define MANAGER_PRUNE "Prune"
#define MANAGER_LIST "List"
#define MANAGER_GET "Get"
#define MANAGER_OPEN "Open"
#define MANAGER_LABEL "Label"
#define MANAGER_GPUS "Gpus"
#define MANAGER_VOLUMES "Volumes"
#define MANAGER_VOLUME_DELETE "VolumeDelete"
#define MANAGER_POLICIES "Policies"
#define MANAGER_POLICY_GET "PolicyGet"
#define MANAGER_POLICY_ROLLBACK "PolicyRollback"
#define MANAGER_LOGS "Logs"
#define MANAGER_BACKUP "Backup"
#define MANAGER_DOCTOR "Doctor"

#define MANAGER_OPT_USER "user"		/* u: of Logs */
#define MANAGER_OPT_SOURCE "source"	/* h: text of the policy; kept for PolicyGet, never read by oshd */
#define MANAGER_OPT_LABELS "labels"	/* a{ss} */
#define MANAGER_OPT_VOLUMES "volumes"	/* as: NAME:/PATH or NAME:/PATH:ro */
#define MANAGER_OPT_COMMAND "command"	/* (hay): spec memfd and struct osh_msg_init_spec; OSH_SPEC_BASE = it idles until Stop */

/* How oshctl starts an oshd of its own; the bus is descriptor 3. */
#define MANAGER_EMBEDDED "--embedded"
#define MANAGER_BUS_FD "--bus-fd"
