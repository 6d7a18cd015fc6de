/* SPDX-License-Identifier: Apache-2.0 */
/* oshctl policy check | compile. The file is read in a confined child. */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle.h"
#include "json.h"
#include "own.h"
#include "policy.h"
#include "policy_source.h"
#include "sarif.h"
#include "say.h"
#include "usage.h"
#include "verbs.h"

static int open_policy(const char *file, int *ret_fd)
{
	struct err e = { 0 };
	int r = policy_source_open(file, ret_fd, &e);

	if (r < 0)
		fprintf(stderr, "oshctl: %s\n", e.text);
	return r;
}

static void report_json(const char *file, const struct diags *d, const struct err *e)
{
	struct json j = json_to_file(stdout);

	json_obj(&j);
	json_kv_str(&j, "file", file);
	json_kv_bool(&j, "ok", !d->n_errors && !e->code);
	json_kv_u64(&j, "errors", d->n_errors);
	json_kv_u64(&j, "warnings", d->n_warnings);
	json_key(&j, "diagnostics");
	diags_json(d, &j, file);
	if (e->code)
		json_kv_str(&j, "failed", e->text);
	json_end(&j);
	(void)json_line(&j);
}

static void report_text(const char *file, int fd, const struct diags *d, const struct err *e)
{
	policy_print_diags(d, stderr, file, fd);
	if (e->code)
		fprintf(stderr, "oshctl: %s: %s\n", file, e->text);
	else if (!d->n_errors)
		printf("%s: ok%s\n", file, d->n_warnings ? ", with warnings" : "");
	else
		fprintf(stderr, "%s: %u error%s\n", file, d->n_errors, d->n_errors == 1 ? "" : "s");
}

struct check_opts {
	bool json, strict;
	struct sarif *sarif;		/* NULL = not asked for */
};

static int check_one(const char *file, const struct check_opts *o)
{
	_close_ int fd = -1;
	struct diags d = { 0 };
	struct err e = { 0 };
	int r = policy_source_open(file, &fd, &e);

	if (r < 0)
		fprintf(stderr, "oshctl: %s\n", e.text);
	else
		r = policy_check_fd(fd, &d, &e);
	if (o->sarif)
		sarif_add(o->sarif, file, &d, &e);
	else if (o->json)
		report_json(file, &d, &e);
	else if (fd >= 0)
		report_text(file, fd, &d, &e);
	if (o->strict && d.n_warnings)
		r = -EINVAL;
	diags_done(&d);
	return r < 0 ? EXIT_REFUSED : EXIT_DONE;
}

int cmd_policy_check(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "sarif", no_argument, NULL, 's' },
						 { "strict", no_argument, NULL, 'S' },
						 { 0 } };
	struct sarif sarif;
	struct check_opts o = { 0 };
	int status = EXIT_DONE, c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'j' && c != 's' && c != 'S')
			return help_usage("policy check");
		o.json |= c == 'j';
		o.strict |= c == 'S';
		if (c == 's')
			o.sarif = &sarif;
	}
	if (o.json && o.sarif)
		say_error("--json and --sarif exclude each other");
	if ((o.json && o.sarif) || !usage_operands(argc, argv, "FILE..."))
		return help_usage("policy check");
	if (o.sarif)
		sarif_open(o.sarif, stdout);
	for (int i = optind; i < argc; i++)
		if (check_one(argv[i], &o) != EXIT_DONE)
			status = EXIT_REFUSED;
	if (o.sarif && sarif_close(o.sarif) < 0)
		status = EXIT_REFUSED;
	return fflush(stdout) ? EXIT_REFUSED : status;
}

static int copy_out(int bundle_fd, const char *out)
{
	_close_ int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644);
	struct bundle b = { 0 };
	struct err e = { 0 };
	ssize_t n = -1;

	if (fd >= 0 && bundle_open_fd(&b, bundle_fd, &e) == 0)
		n = write(fd, b.map, b.size);
	if (n < 0 || (size_t)n != b.size) {
		fprintf(stderr, "oshctl: cannot write '%s': %s\n", out,
			e.code ? e.text : strerror(errno));
		bundle_done(&b);
		return EXIT_REFUSED;
	}
	bundle_done(&b);
	return EXIT_DONE;
}

int cmd_policy_compile(int argc, char **argv)
{
	_close_ int fd = -1, bundle = -1;
	const char *out = NULL;
	struct diags d = { 0 };
	struct err e = { 0 };
	int c, r;

	while ((c = getopt(argc, argv, "o:")) != -1) {
		if (c != 'o')
			return help_usage("policy compile");
		out = optarg;
	}
	if (!usage_operands(argc, argv, "FILE"))
		return help_usage("policy compile");
	if (!out) {
		say_error("-o is missing: the file that the bundle goes to");
		return help_usage("policy compile");
	}
	if (open_policy(argv[optind], &fd) < 0)
		return EXIT_REFUSED;
	r = policy_compile_fd(fd, &d, &bundle, &e);
	policy_print_diags(&d, stderr, argv[optind], fd);
	if (e.code)
		fprintf(stderr, "oshctl: %s: %s\n", argv[optind], e.text);
	diags_done(&d);
	return r < 0 ? EXIT_REFUSED : copy_out(bundle, out);
}
