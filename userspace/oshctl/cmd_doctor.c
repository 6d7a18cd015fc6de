/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: what this machine can do, each thing tried; which promises hold here; what brings the rest. */
#include <fcntl.h>

#include "doctor.h"
#include "own.h"
#include "probe_ask.h"
#include "try.h"
#include "usage.h"
#include "verbs.h"

static int examine(const char *socket, struct findings *f)
{
	_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err e = { 0 };

	facts_read(root, &f->facts);
	facts_ask_lsm(&f->facts);
	f->n = try_all(f->rows);
	if (probe_ask(socket, f->rows, &f->n, &e) < 0)
		snprintf(f->unasked, sizeof(f->unasked), "%.160s; run `oshctl doctor` as root, or start oshd", e.text);
	return doctor_judge(f) ? EXIT_DONE : EXIT_REFUSED;
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "socket", required_argument, NULL, 's' },
						 { 0 } };
	static struct findings f;
	const char *socket = NULL;
	bool json = false;
	int c, status;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return help_usage("doctor");
		if (c == 's')
			socket = optarg;
		json |= c == 'j';
	}
	if (!usage_operands(argc, argv, ""))
		return help_usage("doctor");
	status = examine(socket, &f);
	if (json && doctor_json(&f, stdout) < 0)
		return EXIT_REFUSED;
	if (!json)
		doctor_text(&f, stdout);
	return fflush(stdout) ? EXIT_REFUSED : status;
}
