/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_file.h"

#include <stdlib.h>
#include <unistd.h>

#include "osh/limits.h"
#include "own.h"
#include "policy_source.h"

bool policy_file_open(struct policy_file *f, const char *name)
{
	struct err e = { 0 };

	*f = (struct policy_file){ .name = name, .text.limit = OSH_POLICY_BYTES + 16384 };
	f->fd = -1;
	if (policy_source_open(name, &f->fd, &e) < 0)
		fprintf(stderr, "oshctl: %s\n", e.text);
	return f->fd >= 0;
}

/* stdio asks an unknown stream for its terminal at the first byte, which the filter kills for. */
bool policy_file_confine_within(unsigned seconds, unsigned long memory)
{
	static char in[BUFSIZ], out[BUFSIZ];
	struct err e = { 0 };

	setvbuf(stdin, in, _IOFBF, sizeof(in));
	setvbuf(stdout, out, _IOFBF, sizeof(out));
	if ((seconds ? policy_confine_within(seconds, memory, &e) : policy_confine(&e)) == 0)
		return true;
	fprintf(stderr, "oshctl: %s\n", e.text);
	return false;
}

bool policy_file_confine(void)
{
	return policy_file_confine_within(0, 0);
}

bool policy_file_read(struct policy_file *f)
{
	char part[16384];
	struct slice text;
	ssize_t n;
	int r;

	while ((n = read(f->fd, part, sizeof(part))) > 0 && f->text.n <= OSH_POLICY_BYTES)
		buf_put(&f->text, part, (size_t)n);
	if (n < 0 || !buf_ok(&f->text)) {
		fprintf(stderr, "oshctl: cannot read policy '%s'\n", f->name);
		return false;
	}
	text = (struct slice){ f->text.p, f->text.n };
	r = policy_read(&f->p, text, &f->d);
	diags_sort(&f->d);
	if (r < 0)
		diags_print(&f->d, stderr, f->name, text, false);
	for EACH (struct unkept, u, &f->p.unkept)
		if (r == 0)
			fprintf(stderr, "%s:%u: note: '%s' is not enforced yet: run and compile refuse "
				"this policy\n", f->name, u->at.line, u->what);
	return r == 0;
}

void policy_file_done(struct policy_file *f)
{
	policy_done(&f->p);
	diags_done(&f->d);
	buf_done(&f->text);
	own_close(&f->fd);
}

void put_clean(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e ? '?' : *text, out);
}
