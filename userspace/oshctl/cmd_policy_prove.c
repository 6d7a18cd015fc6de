/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oshctl policy prove FILE: what could this policy ever let out? The solver is a program of its own, osh-prove, which
 * gets open files and gives an exit status; one that is killed at its bounds knows nothing, which is never "proved".
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "beside.h"
#include "json.h"
#include "osh/msg.h"
#include "own.h"
#include "policy_source.h"
#include "prove.h"
#include "say.h"
#include "usage.h"
#include "verbs.h"

_Static_assert(PROVE_VOLUMES == OSH_MOUNTS - 1, "as many volumes as a sandbox may have");

#define ARGS (24 + (PROVE_WITH + 1) * (6 + 2 * PROVE_VOLUMES))

struct box {				/* a sandbox: what is asked about, or one of --with */
	const char *file, *workdir, *sandbox, *volumes[PROVE_VOLUMES];
	size_t n_volumes;
	int fd;
};

struct prove {
	const char *base, *credentials, *accept;
	struct box box[PROVE_WITH + 1];
	size_t n_with;
	int base_fd, credentials_fd, accept_fd;
	const char *args[ARGS];
	size_t n;
	const char *format;		/* option of osh-prove, or NULL: text */
};

static void arg(struct prove *pr, const char *text)
{
	if (pr->n + 1 < ARGS)
		pr->args[pr->n++] = text;
}

/* Its descriptors have fixed numbers; what was not asked for stays closed. */
static _Noreturn void become(const struct prove *pr, const char *path, pid_t parent)
{
	static char *envp[] = { NULL };
	struct {
		int fd, at;
	} files[4 + PROVE_WITH] = { { pr->box[0].fd, PROVE_FD_POLICY }, { pr->base_fd, PROVE_FD_BASE },
				    { pr->credentials_fd, PROVE_FD_CREDENTIALS }, { pr->accept_fd, PROVE_FD_ACCEPT } };
	int high[ARRAY_SIZE(files)];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	for (size_t i = 0; i < PROVE_WITH; i++) {
		files[4 + i].fd = pr->box[1 + i].fd;
		files[4 + i].at = PROVE_FD_WITH + (int)i;
	}
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		high[i] = files[i].fd < 0 ? -1 : fcntl(files[i].fd, F_DUPFD_CLOEXEC, 32);
	if (syscall(SYS_close_range, 3, 31, 0) < 0)
		_exit(127);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (high[i] >= 0 && dup2(high[i], files[i].at) < 0)
			_exit(127);
	if (syscall(SYS_close_range, 32, UINT_MAX, 0) < 0)
		_exit(127);
	execve(path, (char *const *)pr->args, envp);
	_exit(127);
}

static void say_unknown(const struct prove *pr, const char *why)
{
	struct json j = json_to_file(stdout);

	if (pr->format && !strcmp(pr->format, "--sarif")) {
		prove_sarif_begin(&j, why);
		prove_sarif_results(&j);
		prove_sarif_end(&j);
		return;
	}
	if (!pr->format || strcmp(pr->format, "--json")) {
		say_error("%s: unknown: %s", pr->box[0].file, why);
		return;
	}
	json_obj(&j);
	json_kv_str(&j, "file", pr->box[0].file);
	json_kv_str(&j, "result", "unknown");
	json_kv_str(&j, "unknown", why);
	json_key(&j, "findings");
	json_arr(&j);
	json_end(&j);
	json_end(&j);
	(void)json_line(&j);
}

static int run(struct prove *pr)
{
	char path[PATH_MAX];
	struct err e = { 0 };
	pid_t self = getpid(), pid;
	int status;

	if (beside(path, "osh-prove", &e) < 0) {
		say_error("%s", e.text);
		return EXIT_REFUSED;
	}
	pid = fork();
	if (pid == 0)
		become(pr, path, self);
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			pid = -1;
	if (pid < 0) {
		say_error("osh-prove: %s", strerror(errno));
		return EXIT_REFUSED;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) <= PROVE_UNKNOWN)
		return WEXITSTATUS(status);
	say_unknown(pr, WIFEXITED(status) ? "the solver gave up" : "osh-prove was killed: out of time or memory");
	return PROVE_UNKNOWN;
}

static bool open_json(const char *file, int *ret_fd)
{
	if (!file)
		return true;
	*ret_fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (*ret_fd < 0)
		say_error("cannot open '%s': %s", file, strerror(errno));
	return *ret_fd >= 0;
}

static bool open_files(struct prove *pr)
{
	struct err e = { 0 };

	int r = pr->base ? policy_source_open(pr->base, &pr->base_fd, &e) : 0;

	for (size_t i = 0; i <= pr->n_with && r >= 0; i++)
		r = policy_source_open(pr->box[i].file, &pr->box[i].fd, &e);
	if (r < 0) {
		say_error("%s", e.text);
		return false;
	}
	return open_json(pr->credentials, &pr->credentials_fd) && open_json(pr->accept, &pr->accept_fd);
}

static bool wrong(const char *why)
{
	say_error("%s", why);
	return false;
}

/* What follows a `--with` is about its sandbox. */
static bool parse_box(int c, const char *text, struct prove *pr)
{
	struct box *b = &pr->box[pr->n_with];

	if (c == 'w') {
		b->workdir = text;
		return usage_path("-w", text);
	}
	if (c == 'S') {
		b->sandbox = text;
		return *text || wrong("--sandbox wants a name");
	}
	if (c == 'V' && b->n_volumes < PROVE_VOLUMES) {
		b->volumes[b->n_volumes++] = text;
		return true;
	}
	if (c == 'W' && pr->n_with < PROVE_WITH) {
		pr->box[++pr->n_with].file = text;
		return true;
	}
	say_error("at most %d %s", c == 'V' ? PROVE_VOLUMES : PROVE_WITH, c == 'V' ? "--volume of one sandbox" : "--with");
	return false;
}

/* It is another question, and no picture; of one sandbox alone a volume says nothing. */
static bool fits(const struct prove *pr)
{
	bool picture = pr->format && (!strcmp(pr->format, "--dot") || !strcmp(pr->format, "--svg"));

	if (!pr->n_with && pr->box[0].sandbox)
		return wrong("--sandbox says something only beside others: --with FILE is missing");
	if (!pr->n_with)
		return !pr->box[0].n_volumes || wrong("--volume says something only of sandboxes that share it: --with FILE is missing");
	if (pr->base)
		return wrong("--base and --with exclude each other");
	return !picture || wrong("--graph and --with exclude each other");
}

static bool parse(int argc, char **argv, struct prove *pr)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "sarif", no_argument, NULL, 's' },
						 { "graph", required_argument, NULL, 'g' },
						 { "credentials", required_argument, NULL, 'c' },
						 { "accept", required_argument, NULL, 'a' },
						 { "base", required_argument, NULL, 'b' },
						 { "workdir", required_argument, NULL, 'w' },
						 { "volume", required_argument, NULL, 'V' },
						 { "sandbox", required_argument, NULL, 'S' },
						 { "with", required_argument, NULL, 'W' },
						 { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "w:", options, NULL)) != -1) {
		if ((c == 'j' || c == 's' || c == 'g') && pr->format)
			return wrong("--json, --sarif and --graph exclude each other, and each stands once");
		if (c == 'j') {
			pr->format = "--json";
		} else if (c == 's') {
			pr->format = "--sarif";
		} else if (c == 'g' && !strcmp(optarg, "dot")) {
			pr->format = "--dot";
		} else if (c == 'g' && !strcmp(optarg, "svg")) {
			pr->format = "--svg";
		} else if (c == 'g') {
			return wrong("--graph wants dot or svg");
		} else if (c == 'c') {
			pr->credentials = optarg;
		} else if (c == 'a') {
			pr->accept = optarg;
		} else if (c == 'b') {
			pr->base = optarg;
		} else if (!strchr("wVSW", c) || !parse_box(c, optarg, pr)) {
			return false;
		}
	}
	if (!usage_operands(argc, argv, "FILE"))
		return false;
	pr->box[0].file = argv[optind];
	return fits(pr);
}

static void arg_box(struct prove *pr, const struct box *b, const char *here)
{
	if (b->workdir || here) {
		arg(pr, "--workdir");
		arg(pr, b->workdir ? b->workdir : here);
	}
	if (b->sandbox) {
		arg(pr, "--sandbox");
		arg(pr, b->sandbox);
	}
	for (size_t i = 0; i < b->n_volumes; i++) {
		arg(pr, "--volume");
		arg(pr, b->volumes[i]);
	}
}

int cmd_policy_prove(int argc, char **argv)
{
	_free_ char *here = getcwd(NULL, 0);
	struct prove pr = { .base_fd = -1, .credentials_fd = -1, .accept_fd = -1 };
	int status = EXIT_REFUSED;

	for (size_t i = 0; i <= PROVE_WITH; i++)
		pr.box[i].fd = -1;
	arg(&pr, "osh-prove");
	if (!parse(argc, argv, &pr))
		return help_usage("policy prove");
	if (pr.format)
		arg(&pr, pr.format);
	arg_box(&pr, &pr.box[0], here);
	if (policy_source_caller_home()) {
		arg(&pr, "--home");
		arg(&pr, policy_source_caller_home());
	}
	if (pr.credentials) {
		arg(&pr, "--credentials");
		arg(&pr, pr.credentials);
	}
	if (pr.accept) {
		arg(&pr, "--accept");
		arg(&pr, pr.accept);
	}
	if (pr.base) {
		arg(&pr, "--base");
		arg(&pr, pr.base);
	}
	for (size_t i = 1; i <= pr.n_with; i++) {
		arg(&pr, "--with");
		arg(&pr, pr.box[i].file);
		arg_box(&pr, &pr.box[i], here);
	}
	arg(&pr, "--");
	arg(&pr, pr.box[0].file);
	if (open_files(&pr))
		status = run(&pr);
	for (size_t i = 0; i <= PROVE_WITH; i++)
		own_close(&pr.box[i].fd);
	own_close(&pr.base_fd);
	own_close(&pr.credentials_fd);
	own_close(&pr.accept_fd);
	return fflush(stdout) ? EXIT_REFUSED : status;
}
