/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oshctl policy learn: from what a log says was denied, the policy that would allow it. Confined
 * before the log or the policy is read; prints, and applies nothing.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hash.h"
#include "learn.h"
#include "log_source.h"
#include "log_time.h"
#include "osh/limits.h"
#include "osh/msg.h"
#include "own.h"
#include "policy_file.h"
#include "say.h"
#include "usage.h"
#include "verbs.h"

#define PIECE   65536
#define SECONDS 120 /* of a processor: a log may be a gigabyte */
#define MEMORY  (1ul << 30)

struct options {
	const char *file, *log, *sandbox, *workdir, *socket, *user;
	int64_t since_ms;
	bool json, additions;
};

struct job {
	const struct options *o;
	struct learn *l;
	int fd; /* of the log; -1 = the source */
	struct log_source source;
	uint64_t line;
};

static bool open_log(struct job *j)
{
	struct err e = { 0 };

	if (!j->o->log) {
		/* The caller's own, root's too: another user's sandbox may have had the same name.
		 */
		j->source = (struct log_source){
			.socket = j->o->socket, .denied = true, .one_user = true, .uid = getuid()
		};
		if (j->o->user && !log_source_user(&j->source, j->o->user))
			return false;
		if (log_source_fetch(&j->source, &e) == 0)
			return true;
		say_error("%s", e.text);
		return false;
	}
	j->fd = strcmp(j->o->log, "-") ? open(j->o->log, O_RDONLY | O_CLOEXEC | O_NOCTTY)
				       : STDIN_FILENO;
	if (j->fd < 0)
		say_error("cannot open log '%s': %s", j->o->log, strerror(errno));
	return j->fd >= 0;
}

static bool take_line(struct job *j, struct slice line)
{
	struct err e;

	j->line++;
	if (learn_line(j->l, line, j->o->sandbox, &e) == 0)
		return true;
	say_error("%s:%llu: %s", strcmp(j->o->log, "-") ? j->o->log : "(standard input)",
		  (unsigned long long)j->line, e.text);
	return false;
}

/* Whole lines of the buffer; what is left begins the next. */
static bool take_lines(struct job *j, struct buf *b)
{
	size_t at = 0;
	const char *nl;

	while ((nl = memchr(b->p + at, '\n', b->n - at))) {
		if (!take_line(j, (struct slice){ b->p + at, (size_t)(nl - b->p) - at }))
			return false;
		at = (size_t)(nl - b->p) + 1;
	}
	memmove(b->p, b->p + at, b->n - at);
	b->n -= at;
	return b->n <= OSH_LOG_LINE || take_line(j, (struct slice){ b->p, b->n });
}

static bool read_fd(struct job *j)
{
	static char part[PIECE];
	struct buf b = { 0 };
	bool ok = true;
	ssize_t n = 1;

	while (ok && ((n = read(j->fd, part, sizeof(part))) > 0 || (n < 0 && errno == EINTR)))
		if (n > 0) {
			buf_put(&b, part, (size_t)n);
			ok = buf_ok(&b) && take_lines(j, &b);
		}
	if (n < 0)
		say_error("read log '%s': %s", j->o->log, strerror(errno));
	if (ok && n == 0 && b.n) /* without a newline: cut, or whole all the same */
		ok = take_line(j, (struct slice){ b.p, b.n });
	buf_done(&b);
	return ok && n == 0;
}

static bool read_source(struct job *j)
{
	const struct log_stream *from;
	struct slice line;
	struct err e;

	while ((from = log_source_next(&j->source, &line))) {
		if (learn_line(j->l, line, j->o->sandbox, &e) == 0)
			continue;
		say_error("log of uid %u, %s-%08u.jsonl:%llu: %s", from->uid,
			  from->kind == OSH_JOURNAL_ALLOWED ? "allowed" : "denied", from->line_file,
			  (unsigned long long)from->line_no, e.text);
		return false;
	}
	return true;
}

/* ---- what is printed ---- */

static bool proposed(const struct learn_item *it)
{
	return !it->why && !it->allowed;
}

static bool left_out(const struct learn_item *it)
{
	return it->why && !it->allowed;
}

static void text_left(const struct learn_item *it, const char *file)
{
	fputs("oshctl: left out: ", stderr);
	put_clean(stderr, it->kind == LEARN_OTHER ? it->event : learn_kind_text(it->kind));
	fputc(' ', stderr);
	if (*it->method) {
		put_clean(stderr, it->method);
		fputc(' ', stderr);
	}
	put_clean(stderr, it->host);
	if (it->port && it->kind != LEARN_DNS)
		fprintf(stderr, ":%u", it->port);
	put_clean(stderr, it->path);
	if (*it->binary) {
		fputs(" (", stderr);
		put_clean(stderr, it->binary);
		fputc(')', stderr);
	}
	if (it->count > 1)
		fprintf(stderr, " x%llu", (unsigned long long)it->count);
	fprintf(stderr, ", because %s", learn_why_text(it->why));
	if (it->line)
		fprintf(stderr, " (%s:%u)", file, it->line);
	fputc('\n', stderr);
}

static void print_text(const struct job *j)
{
	const struct learn *l = j->l;
	uint64_t n = 0, left = 0, allowed = 0;

	for (uint32_t i = 0; i < l->n; i++) {
		n += proposed(l->items[i]);
		left += left_out(l->items[i]);
		allowed += l->items[i]->allowed;
		if (left_out(l->items[i]))
			text_left(l->items[i], j->o->file);
	}
	if (l->beyond)
		fprintf(stderr, "oshctl: left out: %llu more, because %s\n",
			(unsigned long long)l->beyond, learn_why_text(LEARN_MANY));
	fprintf(stderr,
		"oshctl: %llu proposed, %llu left out, %llu that the policy allows already; look "
		"at each before you use it\n",
		(unsigned long long)n, (unsigned long long)(left + (l->beyond > 0)),
		(unsigned long long)allowed);
	if (l->foreign)
		fprintf(stderr,
			"oshctl: note: %llu denials are of another policy, or of another text of "
			"this one\n",
			(unsigned long long)l->foreign);
	if (j->o->additions)
		(void)fwrite(l->added.p ? l->added.p : "", 1, l->added.n, stdout);
	else
		(void)fwrite(l->made.p, 1, l->made.n, stdout);
}

static void json_item(struct json *j, const struct learn_item *it)
{
	json_obj(j);
	json_kv_str(j, "kind", learn_kind_text(it->kind));
	if (it->kind == LEARN_OTHER) {
		json_kv_str(j, "event", it->event);
		json_kv_str(j, "reason", it->reason);
	}
	if (*it->host)
		json_kv_str(j, "host", it->host);
	if (it->port && it->kind != LEARN_DNS)
		json_kv_u64(j, "port", it->port);
	if (*it->method)
		json_kv_str(j, "method", it->method);
	if (*it->path)
		json_kv_str(j, "path", it->path);
	if (*it->binary)
		json_kv_str(j, "binary", it->binary);
	json_kv_u64(j, "count", it->count);
	json_kv_i64(j, "first", it->first_ms);
	json_kv_i64(j, "last", it->last_ms);
	if (left_out(it)) {
		json_kv_str(j, "because", learn_why_text(it->why));
		json_kv_str(j, "because_id", learn_why_id(it->why));
		if (it->line)
			json_kv_u64(j, "line", it->line);
	}
	json_end(j);
}

static void json_items(struct json *j, const struct learn *l, const char *key,
		       bool (*which)(const struct learn_item *it))
{
	json_key(j, key);
	json_arr(j);
	for (uint32_t i = 0; i < l->n; i++)
		if (which(l->items[i]))
			json_item(j, l->items[i]);
	json_end(j);
}

static bool allowed_already(const struct learn_item *it)
{
	return it->allowed;
}

static void print_json(const struct job *job)
{
	struct json j = json_to_file(stdout);
	const struct learn *l = job->l;

	json_obj(&j);
	json_kv_str(&j, "file", job->o->file);
	json_items(&j, l, "proposed", proposed);
	json_items(&j, l, "left_out", left_out);
	json_kv_u64(&j, "left_out_beyond", l->beyond);
	json_items(&j, l, "allowed", allowed_already);
	json_kv_u64(&j, "not_by_policy", l->elsewhere);
	json_kv_u64(&j, "of_another_policy", l->foreign);
	json_key(&j, "additions");
	json_str(&j, l->added.p ? l->added.p : "", l->added.n);
	json_key(&j, "policy");
	json_str(&j, l->made.p, l->made.n);
	json_end(&j);
	(void)json_line(&j);
}

static int finish(const struct job *j)
{
	const struct learn *l = j->l;

	if (j->o->json)
		print_json(j);
	else
		print_text(j);
	if (fflush(stdout) || ferror(stdout) || l->beyond)
		return EXIT_REFUSED;
	for (uint32_t i = 0; i < l->n; i++)
		if (left_out(l->items[i]))
			return EXIT_REFUSED;
	return EXIT_DONE;
}

/* As osh-audit names the policy in each line. */
static bool name_policy(const struct policy_file *f, char hex[2 * HASH_LEN + 1])
{
	uint8_t hash[HASH_LEN];

	if (hash_bytes(f->text.p, f->text.n, hash) < 0)
		return false;
	hash_hex(hash, hex);
	return true;
}

static int learn(const struct options *o)
{
	static struct learn l;
	struct policy_file f = { .fd = -1 };
	struct job j = { .o = o, .l = &l, .fd = -1 };
	int status = EXIT_REFUSED;
	char hex[2 * HASH_LEN + 1];
	struct err e = { 0 };

	tzset(); /* times and jansson would open files behind the filter */
	json_object_seed(1);
	l.workdir = o->workdir;
	l.hash = hex;
	l.since_ms = o->since_ms;
	if (policy_file_open(&f, o->file) && open_log(&j) &&
	    policy_file_confine_within(SECONDS, MEMORY) && policy_file_read(&f) &&
	    name_policy(&f, hex) && (o->log ? read_fd(&j) : read_source(&j))) {
		l.p = &f.p;
		l.text = (struct slice){ f.text.p, f.text.n };
		if (learn_all(&l, &e) == 0)
			status = finish(&j);
		else
			say_error("%s:%s%s", f.name, e.code == EINVAL ? "" : " ", e.text);
	}
	learn_done(&l);
	policy_file_done(&f);
	return status;
}

static bool since(const char *text, int64_t *ret_ms)
{
	if (log_time_parse(text, (int64_t)time(NULL) * 1000, ret_ms))
		return true;
	say_error(
	    "'%s' is no time: say 1h, 30m, 2d, 20:15, 2026-11-21, '2026-11-21 20:15' or @SECONDS",
	    text);
	return false;
}

int cmd_policy_learn(int argc, char **argv)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ "workdir", required_argument, NULL, 'w' },
		{ "log", required_argument, NULL, 'l' },
		{ "additions", no_argument, NULL, 'a' },
		{ "since", required_argument, NULL, 't' },
		{ "user", required_argument, NULL, 'u' },
		{ "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	_free_ char *here = getcwd(NULL, 0);
	struct options o = { .workdir = here };
	int c;

	while ((c = getopt_long(argc, argv, "p:w:", options, NULL)) != -1) {
		if (c == 'p')
			o.file = optarg;
		else if (c == 'w' && usage_path("-w", optarg))
			o.workdir = optarg;
		else if (c == 'l')
			o.log = optarg;
		else if (c == 's')
			o.socket = optarg;
		else if (c == 'u')
			o.user = optarg;
		else if (c == 't' && since(optarg, &o.since_ms))
			continue;
		else if (c == 'j')
			o.json = true;
		else if (c == 'a')
			o.additions = true;
		else
			return help_usage("policy learn");
	}
	if (!o.file)
		say_error("-p is missing: the policy, or preset:NAME");
	if (o.file && !o.log && optind == argc)
		say_error("--log FILE is missing, or the name of a SANDBOX");
	if (!o.file || (!o.log && optind == argc) ||
	    !usage_operands(argc, argv, o.log ? "" : "SANDBOX"))
		return help_usage("policy learn");
	o.sandbox = o.log ? NULL : argv[optind];
	return learn(&o);
}
