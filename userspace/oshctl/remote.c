/* SPDX-License-Identifier: Apache-2.0 */
#include "remote.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "own.h"
#include "say.h"
#include "verbs.h"

#define USER "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+@-"
#define HOST "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define ADDRESS "0123456789abcdefABCDEF:.%" HOST

static volatile pid_t child;

static void pass_on(int sig)
{
	if (child > 0)
		(void)kill(child, sig);
}

static bool only(const char *p, size_t n, const char *set)
{
	return n && p[0] != '-' && p[0] != '@' && strspn(p, set) >= n;
}

static int read_port(const char *p, struct remote_host *ret, const char *text, struct err *e)
{
	size_t n = strspn(p, "0123456789");
	unsigned long v = n && n < sizeof(ret->port) && !p[n] ? strtoul(p, NULL, 10) : 0;

	if (!v || v > 65535)
		return fail(e, EINVAL, "host '%s': its port is no number from 1 to 65535", text);
	strcpy(ret->port, p);
	return 0;
}

/* USER@HOST, HOST:PORT, [ADDRESS]:PORT, ADDRESS: whatever else there is could be an option of ssh or a word for a shell. */
int remote_host_parse(const char *text, struct remote_host *ret, struct err *e)
{
	const char *at = strrchr(text, '@'), *host = at ? at + 1 : text, *port = NULL, *set = HOST;
	size_t user = at ? (size_t)(at - text) : 0, n;

	*ret = (struct remote_host){ .port = "" };
	if (*host == '[' && strchr(host, ']')) {
		host++;
		n = (size_t)(strchr(host, ']') - host);
		port = host + n + 1;
		set = ADDRESS;
	} else if (strchr(host, ':') && strchr(host, ':') == strrchr(host, ':')) {
		port = strchr(host, ':');
		n = (size_t)(port - host);
	} else {
		n = strlen(host);
		set = strchr(host, ':') ? ADDRESS : HOST;
	}
	if ((at && !only(text, user, USER)) || !only(host, n, set) || user + n + 2 > sizeof(ret->dest))
		return fail(e, EINVAL, "'%s' is no [USER@]HOST[:PORT]", text);
	snprintf(ret->dest, sizeof(ret->dest), "%.*s%.*s", (int)user + !!at, text, (int)n, host);
	if (!port || !*port)
		return 0;
	return *port == ':' ? read_port(port + 1, ret, text, e) : fail(e, EINVAL, "'%s' is no [USER@]HOST[:PORT]", text);
}

static _Noreturn void become_ssh(const struct remote_host *h, char *command)
{
	bool tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	const char *argv[] = { "ssh", tty ? "-t" : "-T", "-p", h->port, "--", h->dest, command, NULL };

	if (!h->port[0]) {
		argv[2] = "--";
		argv[3] = h->dest;
		argv[4] = command;
		argv[5] = NULL;
	}
	execvp("ssh", (char *const *)argv);
	say_error("ssh cannot be started: %s", strerror(errno));
	_exit(REMOTE_SSH);
}

/* The keys of the terminal reach ssh too; what they mean is for the other side to say. */
static int wait_for(pid_t pid, const char *host)
{
	struct sigaction pass = { .sa_handler = pass_on, .sa_flags = SA_RESTART };
	int status;

	child = pid;
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	sigaction(SIGTERM, &pass, NULL);
	sigaction(SIGHUP, &pass, NULL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return REMOTE_SSH;
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	if (WEXITSTATUS(status) != 255)
		return WEXITSTATUS(status);
	say_error("%s: ssh failed, or lost the connection", host);
	return REMOTE_SSH;
}

int remote_run(const char *host, int argc, char **argv)
{
	struct buf command = { 0 }, word = { 0 };
	struct remote_host h;
	struct err e = { 0 };
	pid_t pid;
	int r = remote_host_parse(host, &h, &e);

	if (r < 0) {
		say_error("%s", e.text);
		return EXIT_USAGE;
	}
	r = remote_pack(argc, argv, &word, &e);
	buf_str(&command, "exec oshctl " REMOTE_VERB " ");	/* no shell stays, whose arguments ps(1) would show */
	buf_put(&command, word.p, word.n);
	buf_put(&command, "", 1);
	buf_done(&word);
	if (!r && !buf_ok(&command))
		r = fail(&e, ENOMEM, "out of memory");
	pid = r < 0 ? -1 : fork();
	if (pid == 0)
		become_ssh(&h, command.p);
	if (!r && pid < 0)
		r = fail(&e, errno, "fork: %s", strerror(errno));
	buf_done(&command);
	if (r < 0) {
		say_error("%s", e.text);
		return EXIT_REFUSED;
	}
	return wait_for(pid, h.dest);
}
