/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The word: base64url of items, each a letter, its length as text, ':' and so many bytes. A = an argument; P = a policy's
 * text, which belongs to the argument before it. The first item is V, the version.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "osh/limits.h"
#include "own.h"
#include "remote.h"
#include "slice.h"

#define VERSION "1"
#define ARGS 4096
#define POLICIES 4

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Verbs whose -p is a policy, and whether a word that is no option ends their options. */
static const struct {
	const char *verb;
	bool plain_ends;
} with_policy[] = {
	{ "run", true },	     { "sandbox create", true }, { "policy set", false }, { "policy eval", false },
	{ "policy explain", false },
};

/* Options of those verbs whose next word is their value. */
static const char *const with_value[] = { "-n", "--name", "-w", "--workdir", "-e", "--env", "--provider", "--log",
					  "--socket", "--upstream-hosts", "--upstream-ca", "--binary", "-v", "--volume",
					  "-l", "--label", "--gpu", "--timeout", "-u", "--user", "--cpu", "--memory", "--swap", "--pids", "--io-weight",
					  "--files", "--disk", "--wall", "--gpu-memory" };

static struct {
	const char *name;
	int fd;
} policies[POLICIES];

static void put_item(struct buf *b, char kind, const char *p, size_t n)
{
	buf_printf(b, "%c%zu:", kind, n);
	buf_put(b, p, n);
}

static void encode(struct buf *out, const struct buf *in)
{
	const unsigned char *p = (const unsigned char *)in->p;

	for (size_t i = 0; i < in->n; i += 3) {
		size_t k = in->n - i < 3 ? in->n - i : 3;
		unsigned v = (unsigned)p[i] << 16 | (k > 1 ? (unsigned)p[i + 1] << 8 : 0) | (k > 2 ? p[i + 2] : 0);
		char four[4] = { letters[v >> 18 & 63], letters[v >> 12 & 63], letters[v >> 6 & 63], letters[v & 63] };

		buf_put(out, four, k + 1);
	}
}

static int decode(struct buf *out, const char *text)
{
	unsigned v = 0, bits = 0;

	for (; *text; text++) {
		const char *at = strchr(letters, *text);
		unsigned char byte;

		if (!at)
			return -EINVAL;
		v = v << 6 | (unsigned)(at - letters);
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		byte = (unsigned char)(v >> bits);
		buf_put(out, &byte, 1);
	}
	return buf_ok(out) ? 0 : -ENOMEM;
}

static int put_policy(struct buf *b, const char *file, struct err *e)
{
	_close_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct buf text = { .limit = OSH_POLICY_BYTES };
	char part[16384];
	ssize_t n = -1;

	if (fd < 0)
		return fail(e, errno, "cannot open policy '%s' here: %s (one on that host is " REMOTE_POLICY "%s)", file,
			    strerror(errno), file);
	while ((n = read(fd, part, sizeof(part))) > 0 && buf_ok(&text))
		buf_put(&text, part, (size_t)n);
	if (n < 0 || !buf_ok(&text)) {
		buf_done(&text);
		return fail(e, n < 0 ? errno : EFBIG, "cannot read policy '%s'", file);
	}
	put_item(b, 'P', text.p ? text.p : "", text.n);
	buf_done(&text);
	return 0;
}

static bool has_value(const char *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(with_value); i++)
		if (!strcmp(arg, with_value[i]))
			return true;
	return false;
}

/* Words that the verb takes up; 0 = its -p, if it has one, is no policy. */
static int verb_words(int argc, char **argv, bool *ret_plain_ends)
{
	for (size_t i = 0; i < ARRAY_SIZE(with_policy); i++) {
		const char *verb = with_policy[i].verb, *space = strchr(verb, ' ');
		size_t n = space ? (size_t)(space - verb) : strlen(verb);

		if (strlen(argv[0]) != n || strncmp(argv[0], verb, n) || (space && (argc < 2 || strcmp(argv[1], space + 1))))
			continue;
		*ret_plain_ends = with_policy[i].plain_ends;
		return space ? 2 : 1;
	}
	return 0;
}

/* The option that a word is, and the policy in the same word where there is one: -pFILE, --policy=FILE. */
static bool is_policy(const char *arg, const char **ret_prefix, const char **ret_file)
{
	static const char *const prefixes[] = { "--policy=", "-p" };

	*ret_prefix = *ret_file = NULL;
	if (!strcmp(arg, "-p") || !strcmp(arg, "--policy"))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(arg, prefixes[i], strlen(prefixes[i]))) {
			*ret_prefix = prefixes[i];
			*ret_file = arg + strlen(prefixes[i]);
			return true;
		}
	return false;
}

/* A policy's name, and its text where it lies here. */
static int put_named(struct buf *b, const char *file, struct err *e)
{
	if (!strncmp(file, REMOTE_POLICY, strlen(REMOTE_POLICY))) {
		put_item(b, 'A', file + strlen(REMOTE_POLICY), strlen(file) - strlen(REMOTE_POLICY));
		return 0;
	}
	put_item(b, 'A', file, strlen(file));
	return strncmp(file, "preset:", 7) ? put_policy(b, file, e) : 0;
}

static int put_args(struct buf *b, int argc, char **argv, struct err *e)
{
	bool plain_ends = false, open = true;
	int words = verb_words(argc, argv, &plain_ends), r = 0;

	put_item(b, 'V', VERSION, strlen(VERSION));
	for (int i = 0; !r && i < argc; i++) {
		const char *prefix, *file;

		open = open && words && strcmp(argv[i], "--") && !(plain_ends && i >= words && argv[i][0] != '-');
		if (i < words || !open) {
			put_item(b, 'A', argv[i], strlen(argv[i]));
		} else if (is_policy(argv[i], &prefix, &file)) {
			put_item(b, 'A', "-p", 2);
			if (!file && i + 1 < argc)
				file = argv[++i];
			r = file ? put_named(b, file, e) : 0;
		} else {
			put_item(b, 'A', argv[i], strlen(argv[i]));
			if (has_value(argv[i]) && i + 1 < argc) {
				i++;
				put_item(b, 'A', argv[i], strlen(argv[i]));
			}
		}
	}
	return r;
}

int remote_pack(int argc, char **argv, struct buf *ret_word, struct err *e)
{
	struct buf b = { 0 };
	int r = put_args(&b, argc, argv, e);

	if (!r) {
		encode(ret_word, &b);
		if (!buf_ok(&b) || !buf_ok(ret_word))
			r = fail(e, ENOMEM, "out of memory");
		else if (ret_word->n > REMOTE_WORD)
			r = fail(e, E2BIG, "the command and its policy are %zu bytes, more than %d go to another host in one word: "
				 "copy the policy there and name it -p " REMOTE_POLICY "PATH", b.n, REMOTE_WORD / 4 * 3);
	}
	if (b.p)
		explicit_bzero(b.p, b.n);
	buf_done(&b);
	return r;
}

static int keep_policy(const char *name, struct slice text)
{
	_close_ int fd = memfd_create("osh-policy", MFD_CLOEXEC);
	size_t i = 0;

	while (i < POLICIES && policies[i].name)
		i++;
	if (i == POLICIES || fd < 0 || !name)
		return -EINVAL;
	if (write(fd, text.p, text.n) != (ssize_t)text.n)
		return -EIO;
	policies[i].name = name;
	policies[i].fd = take_fd(&fd);
	return 0;
}

/* The next item of [*p, end). */
static bool item(const char **p, const char *end, char *ret_kind, struct slice *ret)
{
	const char *at = *p;
	size_t n = 0;

	if (at == end)
		return false;
	*ret_kind = *at++;
	for (; at < end && *at >= '0' && *at <= '9' && n <= REMOTE_WORD; at++)
		n = n * 10 + (size_t)(*at - '0');
	if (at == end || *at != ':' || n > (size_t)(end - at - 1))
		return false;
	*ret = (struct slice){ at + 1, n };
	*p = at + 1 + n;
	return true;
}

static int take_items(const struct buf *b, int *argc, char **argv)
{
	const char *p = b->p, *end = b->p + b->n;
	struct slice s;
	char kind;
	int r = 0;

	if (!item(&p, end, &kind, &s) || kind != 'V' || !slice_is(s, VERSION))
		return -EPROTO;
	while (!r && item(&p, end, &kind, &s)) {
		if (kind == 'A' && *argc < ARGS && !memchr(s.p, 0, s.n)) {
			argv[*argc] = strndup(s.p, s.n);
			r = argv[(*argc)++] ? 0 : -ENOMEM;
		} else if (kind == 'P' && *argc) {
			r = keep_policy(argv[*argc - 1], s);
		} else {
			r = -EPROTO;
		}
	}
	return r ? r : p == end && *argc ? 0 : -EPROTO;
}

int remote_unpack(char *word, int *ret_argc, char ***ret_argv, struct err *e)
{
	char **argv = calloc(ARGS + 1, sizeof(*argv));
	struct buf b = { 0 };
	int argc = 0, r = argv ? decode(&b, word) : -ENOMEM;

	if (!r)
		r = take_items(&b, &argc, argv);
	explicit_bzero(word, strlen(word));
	if (b.p)
		explicit_bzero(b.p, b.n);
	buf_done(&b);
	if (!r) {
		*ret_argc = argc;
		*ret_argv = argv;
		return 0;
	}
	remote_forget();
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	free(argv);
	return fail(e, -r, "a command line from another host makes no sense here: are both of one version?");
}

void remote_forget(void)
{
	for (size_t i = 0; i < POLICIES && policies[i].name; i++) {
		own_close(&policies[i].fd);
		policies[i].name = NULL;
	}
}

int remote_policy(const char *name)
{
	char path[32];

	for (size_t i = 0; i < POLICIES && policies[i].name; i++)
		if (!strcmp(policies[i].name, name)) {
			snprintf(path, sizeof(path), "/proc/self/fd/%d", policies[i].fd);
			return open(path, O_RDONLY | O_CLOEXEC);
		}
	return -1;
}
