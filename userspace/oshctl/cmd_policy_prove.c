/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oshctl policy prove FILE: what could this policy ever let out? The solver is a program of its own, osh-prove, which
 * gets open files and gives an exit status; one that is killed at its bounds knows nothing, which is never "proved".
 */
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "beside.h"
#include "json.h"
#include "own.h"
#include "policy_source.h"
#include "prove.h"
#include "say.h"
#include "verbs.h"

#define ARGS 24

struct prove {
	const char *file, *base, *credentials, *accept, *workdir;
	int policy_fd, base_fd, credentials_fd, accept_fd;
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
	const struct {
		int fd, at;
	} files[] = { { pr->policy_fd, PROVE_FD_POLICY }, { pr->base_fd, PROVE_FD_BASE },
		    { pr->credentials_fd, PROVE_FD_CREDENTIALS }, { pr->accept_fd, PROVE_FD_ACCEPT } };
	int high[ARRAY_SIZE(files)];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
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
		say_error("%s: unknown: %s", pr->file, why);
		return;
	}
	json_obj(&j);
	json_kv_str(&j, "file", pr->file);
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

	if (policy_source_open(pr->file, &pr->policy_fd, &e) < 0 ||
	    (pr->base && policy_source_open(pr->base, &pr->base_fd, &e) < 0)) {
		say_error("%s", e.text);
		return false;
	}
	return open_json(pr->credentials, &pr->credentials_fd) && open_json(pr->accept, &pr->accept_fd);
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
						 { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "w:", options, NULL)) != -1) {
		if ((c == 'j' || c == 's' || c == 'g') && pr->format)
			return false;
		if (c == 'j') {
			pr->format = "--json";
		} else if (c == 's') {
			pr->format = "--sarif";
		} else if (c == 'g' && !strcmp(optarg, "dot")) {
			pr->format = "--dot";
		} else if (c == 'g' && !strcmp(optarg, "svg")) {
			pr->format = "--svg";
		} else if (c == 'c') {
			pr->credentials = optarg;
		} else if (c == 'a') {
			pr->accept = optarg;
		} else if (c == 'b') {
			pr->base = optarg;
		} else if (c == 'w' && *optarg == '/') {
			pr->workdir = optarg;
		} else {
			return false;
		}
	}
	if (optind + 1 != argc)
		return false;
	pr->file = argv[optind];
	return true;
}

int cmd_policy_prove(int argc, char **argv)
{
	_free_ char *here = getcwd(NULL, 0);
	struct prove pr = { .policy_fd = -1, .base_fd = -1, .credentials_fd = -1, .accept_fd = -1 };
	int status = EXIT_REFUSED;

	arg(&pr, "osh-prove");
	pr.workdir = here;
	if (!parse(argc, argv, &pr))
		return help_usage("policy prove");
	if (pr.format)
		arg(&pr, pr.format);
	if (pr.workdir) {
		arg(&pr, "--workdir");
		arg(&pr, pr.workdir);
	}
	if (policy_source_caller_home()) {
		arg(&pr, "--home");
		arg(&pr, policy_source_caller_home());
	}
	if (pr.credentials)
		arg(&pr, "--credentials");
	if (pr.accept)
		arg(&pr, "--accept");
	if (pr.base) {
		arg(&pr, "--base");
		arg(&pr, pr.base);
	}
	arg(&pr, "--");
	arg(&pr, pr.file);
	if (open_files(&pr))
		status = run(&pr);
	own_close(&pr.policy_fd);
	own_close(&pr.base_fd);
	own_close(&pr.credentials_fd);
	own_close(&pr.accept_fd);
	return fflush(stdout) ? EXIT_REFUSED : status;
}
