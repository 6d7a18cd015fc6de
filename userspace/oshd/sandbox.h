/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One sandbox's life, as a state x event table. All steps run on the event loop; nothing here waits.
 * A failure at any step takes everything back and answers the caller with the reason.
 */
#pragma once

#include "bundle.h"
#include "chan.h"
#include "choice.h"
#include "daemon.h"
#include "egress.h"
#include "warnings.h"

struct state_provider_use;
struct gpu_grant;

enum sandbox_state {
	SB_NEW,
	SB_PREPARING,			/* osh-launch builds it; the tables are being filled */
	SB_RUNNING,
	SB_REPORTING,			/* ended; osh-audit writes its last lines */
	SB_STATES
};

enum sandbox_event {
	EV_PREPARED,			/* osh-launch is ready to execute osh-init */
	EV_FAILED,			/* osh-launch could not */
	EV_EXITED,			/* osh-init has gone */
	EV_REPORTED,			/* osh-audit has written everything */
	EV_KILL,			/* the owner or the daemon wants it gone */
	SB_EVENTS
};

struct sandbox_mount {
	int fd;				/* directory of the host */
	uint32_t flags;			/* OSH_MOUNT_* */
	char path[1024];		/* as the sandbox sees it */
};

/* What a caller asks for. Descriptors are borrowed; the sandbox keeps its own. */
struct run_request {
	uid_t uid;
	gid_t gid;
	uint32_t n_groups;
	gid_t groups[OSH_GROUPS_CALLER];
	char name[OSH_SANDBOX_NAME];	/* "" = choose */
	char workdir[1024];
	int bundle_fd, workdir_fd;
	int control_fd;			/* a session to begin with, -1 = none */
	uint32_t session_flags;		/* OSH_OPEN_* */
	const struct sandbox_mount *mounts;	/* its home, volumes */
	size_t n_mounts;
	bool lasting;			/* its policy will change: it has what any later one may need */
	bool reopen;			/* the work directory is opened by its name; workdir_fd is nothing */
	int log_fd, summary_fd, hosts_fd, creds_fd, ca_fd;	/* -1 = none */
	struct state_provider_use *uses;	/* stored providers of the caller's; heap */
	size_t n_uses;
	uint64_t amount[OSH_RESOURCES];	/* over what the policy asks for; 0 = as the policy says */
};

struct hits {				/* of its limits, by enum osh_limit; see hits.h */
	uint64_t seen[OSH_LIMITS], told[OSH_LIMITS], told_us[OSH_LIMITS];
	sd_event_source *pids, *memory, *timer;
	bool full;			/* its private trees */
};

struct sandbox {
	struct daemon *d;
	enum sandbox_state state;
	struct kbpf_sandbox k;		/* slot, id, generation, ... */
	uint64_t amount[OSH_RESOURCES];	/* what it may take, where something was asked for */
	struct limits_use used;		/* when it was looked at last */
	struct warnings warnings;
	struct hits hits;
	int scratch_fd;			/* of the file system of its private trees */
	char name[OSH_SANDBOX_NAME];
	uid_t uid;			/* owner */
	uid_t run_uid;
	gid_t run_gid;
	struct bundle bundle;
	int bundle_fd, log_fd, summary_fd, hosts_fd;
	int creds_fd;			/* passed on to the egress; of what is secret in it nobody else reads */
	uint64_t creds_serial;		/* of the set that was given last; see provider.h */
	struct provider_wait *creds_waits;
	sd_event_source *creds_timer;
	int root_fd, anchors_fd;	/* its certificate authority, roots of upstreams; -1 = TLS stays closed */
	int slot_fd;			/* the slot's lock */
	int box_fd, egress_cgroup_fd;
	uint64_t egress_cgroup;
	int calls_fd, tally_fd;		/* refused system calls, for osh-audit */
	int records_out_fd, records_in_fd;	/* osh-egress -> osh-audit, for the sandbox's life */
	int steer_prog_fd, steer_map_fd, steer_link_fd;
	int pidfd, listener_fd, netns_fd;
	int manager_fd;			/* to osh-init; osh-launch keeps a copy */
	sd_event_source *manager;	/* until it has said how the command ended, then until it has to be gone */
	bool over;			/* which it has; it is on its way out */
	pid_t pid;
	int *programs;			/* open files of registered programs: their inodes are never another's */
	uint32_t n_programs;
	void (*routed)(struct sandbox *s, int code, const char *why);	/* osh-launch owes an answer */
	sd_event_source *exit_source;
	sd_event_source *wall;
	struct egress egress;
	struct gpu_grant *gpus;		/* while it is being started */
	bool gpus_back;			/* given back, though its tables still have them */
	struct choice choice;		/* of a route for them */
	struct book *book;		/* of its calls of models, once one was counted */
	struct {			/* messages of its egress about them, see counts.c */
		uint64_t since_us;
		unsigned heard;
		sd_event_source *rest;
	} counts;
	struct {			/* connections to and from other sandboxes, see across.c */
		uint64_t since_us;
		unsigned asked;
		uint64_t noted_us;
		uint8_t came[OSH_SLOTS / 8];	/* whose slots may have connections into this one */
	} across;
	bool fresh;			/* started by this oshd, not adopted */
	struct reload *reload;		/* the next policy on its way, or NULL */
	uint32_t old_generation;	/* whose tables are to be cleared; 0 = none */
	sd_event_source *old_timer;
	struct life *life;		/* of a created one, told what becomes of it; NULL = a run */
	sd_bus_message *call;		/* answered when it runs or fails */
	sd_event_source *removal;	/* retries rmdir while processes leave */
	unsigned removal_tries;
	unsigned reports;		/* that another osh-audit was asked for */
};

/* Starts one; on success the call is answered later, on failure now by the caller of this. */
int sandbox_run(struct daemon *d, const struct run_request *r, sd_bus_message *call,
		struct sandbox **ret, struct err *e);
/* May this caller have one more, while no more than `building` of his are being built? */
int sandbox_share(const struct daemon *d, uid_t uid, unsigned building, struct err *e);
struct sandbox *sandbox_new(struct daemon *d);	/* empty, in no slot */
int sandbox_resume(struct sandbox *s, struct err *e);	/* adoption: osh-init lives already */
void sandbox_kill(struct sandbox *s);
struct sandbox *sandbox_by_id(struct daemon *d, uint32_t id);

/* Answers of the other processes. */
void sandbox_prepared(struct daemon *d, const struct osh_msg_prepared *p, struct chan_in *in);
void sandbox_tree(struct daemon *d, const struct osh_msg_tree *m, struct chan_in *in);
void sandbox_programs(struct daemon *d, const struct osh_msg_programs *m, struct chan_in *in);
void sandbox_went(struct daemon *d, uint32_t id);
void sandbox_failed(struct daemon *d, const struct osh_msg_failed *f);
void sandbox_egress_up(struct daemon *d, const struct osh_msg_prepared *p, struct chan_in *in);
void sandbox_reported(struct daemon *d, uint32_t id);
int sandbox_announce_all(struct daemon *d, struct err *e);	/* to a new osh-audit */
int sandbox_store_all(struct daemon *d, struct err *e);	/* with a new osh-launch */
void sandbox_launcher_lost(struct daemon *d);	/* what it was building will not come */
void sandbox_unheard(struct daemon *d);		/* nor what else it was asked for; another osh-launch is there by now */
