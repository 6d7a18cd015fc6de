/* SPDX-License-Identifier: Apache-2.0 */
/* oshctl(1) in mdoc(7), from the tables of verbs and options; what no table says stands here. */
#include "man.h"

#include <stdbool.h>
#include <string.h>

#include "options.h"
#include "verbs.h"

#define DATE "November 21, 2026"
#define COLUMNS 66			/* escapes come on top */

static const char head[] =
	".Dd " DATE "\n.Dt OSHCTL 1\n.Os\n"
	".Sh NAME\n.Nm oshctl\n.Nd run programs under a policy that the kernel enforces\n"
	".Sh SYNOPSIS\n.Nm oshctl\n.Op Fl H Ar host\n.Ar verb\n.Op Ar argument ...\n"
	".Sh DESCRIPTION\n"
	"A sandbox sees the files, names, hosts, requests and programs that its\n"
	"policy lists, and nothing else.\n"
	"The verbs below run commands in sandboxes, keep sandboxes, and read,\ncompare and explain policies.\n"
	"Where no\n.Xr oshd 8\nruns, root's\n.Nm oshctl Cm run\nstarts one for the length of the run.\n"
	".Bl -tag -width Ds\n"
	".It Fl H Ar host , Fl Fl host Ar host\n"
	"Do it on another host, as\n.Xr ssh 1\nnames it:\n.Ar user@host:port .\n"
	".It Fl h , Fl Fl help\nThe verbs; after a verb, its options.\n"
	".It Fl V , Fl Fl version\nWhich osh this is.\n.El\n"
	".Sh VERBS\n";

static const char tail[] =
	".Sh REQUESTS\nWhat\n.Cm policy explain\ntakes, one word to the shell each:\n.Bd -literal -offset indent\n"
	"connect [/PROGRAM] HOST:PORT\ndns NAME\nopen PATH [read|write]\nexec PATH\nMETHOD https://HOST[:PORT]/PATH\n.Ed\n"
	".Sh ENVIRONMENT\n.Bl -tag -width OSH_SOCKET\n"
	".It Ev OSH_SOCKET\nWhere\n.Xr oshd 8\nlistens.\n"
	".It Ev OSH_HOST\nAs\n.Fl H .\n"
	".It Ev NO_COLOR\nNo colours in what\n.Cm logs\nprints.\n.El\n"
	".Sh FILES\n.Bl -tag -width Ds\n"
	".It Pa /run/osh/bus\nThe socket of the system's\n.Xr oshd 8 .\n"
	".It Pa /usr/share/osh/presets\nPolicies that come with osh, to read; they are built in.\n.El\n"
	".Sh EXIT STATUS\nThat of the command, where one ran.\nElse 0 done, 1 refused, failed or findings, 2 used wrongly,\n3 where\n.Cm policy prove\nmet a bound,\n"
	"125 to 127 as\n.Xr env 1\ngives them, and 128 and the number of a signal.\n"
	".Sh EXAMPLES\nA shell that reaches one host:\n.Bd -literal -offset indent\n"
	"$ cat policy.yaml\nversion: 1\nfilesystem_policy:\n  include_workdir: true\n"
	"  read_only: [/usr, /bin, /lib, /lib64, /etc/ssl]\nnetwork:\n  - host: api.github.com\n"
	"$ oshctl policy check policy.yaml\n$ oshctl run -p policy.yaml -- bash\n.Ed\n"
	".Sh SEE ALSO\n.Xr seccomp 2 ,\n.Xr landlock 7 ,\n.Xr oshd 8\n";

/* Text for a text line: no escape, no request at its beginning, no line too long. */
static void put(FILE *out, const char *text)
{
	unsigned column = 0;

	for (bool first = true; *text; text++) {
		if (first && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		first = *text == ' ' && column + strcspn(text + 1, " ") > COLUMNS;
		column = first ? 0 : column + 1;
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else
			fputc(first ? '\n' : *text, out);
	}
}

static void put_option(FILE *out, const struct verb_option *o)
{
	const char *arg = *o->argument == '[' && o->argument[1] == '=' ? o->argument + 2 : o->argument;

	fputs(".It ", out);
	if (o->letter)
		fprintf(out, "Fl %c%s", o->letter, *o->name ? " , " : "");
	if (*o->name)
		fprintf(out, "Fl Fl %s", o->name);
	if (arg != o->argument)		/* [=X] */
		fprintf(out, " Ns Op = Ns Ar %.*s", (int)strcspn(arg, "]"), arg);
	else if (*arg)
		fprintf(out, " Ar %s", arg);
	fputc('\n', out);
	put(out, o->text);
	fputs(".\n", out);
}

static void put_verb(FILE *out, const struct verb *v)
{
	bool any = false;

	fprintf(out, ".Ss oshctl %s\n", v->name);
	if (v->args[0]) {
		fputs(".Bd -ragged -offset indent -compact\n", out);
		put(out, v->args);
		fputs("\n.Ed\n.Pp\n", out);
	}
	put(out, v->help);
	fputs(".\n", out);
	for (const struct verb_option *o = verb_options; o->verb; o++) {
		if (strcmp(o->verb, v->name))
			continue;
		if (!any)
			fputs(".Bl -tag -width Ds\n", out);
		any = true;
		put_option(out, o);
	}
	if (any)
		fputs(".El\n", out);
}

void man_page(FILE *out)
{
	fputs(head, out);
	for (const struct verb *v = verbs; v->name; v++)
		put_verb(out, v);
	fputs(tail, out);
}
