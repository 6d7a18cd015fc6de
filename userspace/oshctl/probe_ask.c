/* SPDX-License-Identifier: Apache-2.0 */
#include "probe_ask.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "bus_find.h"
#include "manager.h"
#include "manager_call.h"
#include "own.h"

static int read_rows(sd_bus_message *m, struct osh_probe_row *rows, unsigned *n)
{
	uint32_t id, state;
	const char *note;
	int r = sd_bus_message_enter_container(m, 'a', "(uus)");

	while (r >= 0 && (r = sd_bus_message_read(m, "(uus)", &id, &state, &note)) > 0) {
		struct osh_probe_row *row = &rows[*n];

		if (*n == OSH_PROBE_ROWS || id > UINT16_MAX || state > OSH_PROBE_WORKS)
			return -EBADMSG;
		*row = (struct osh_probe_row){ .id = (uint16_t)id, .state = (uint8_t)state };
		snprintf(row->note, sizeof(row->note), "%s", note);
		++*n;
	}
	return r;
}

static int ask_resident(const char *socket, struct osh_probe_row *rows, unsigned *n, struct err *e)
{
	sd_bus_message *m = NULL, *answer = NULL;
	sd_bus *bus = NULL;
	int r = manager_open(&bus, socket, e);

	if (!r)
		r = manager_new(bus, MANAGER_DOCTOR, &m, e);
	if (!r)
		r = manager_call(bus, m, &answer, e);
	if (!r && read_rows(answer, rows, n) < 0)
		r = fail(e, EBADMSG, "oshd sent an answer that makes no sense");
	sd_bus_message_unref(m);
	sd_bus_message_unref(answer);
	sd_bus_close_unref(bus);
	return r;
}

/* The pipe ends when the last of its writers has. */
static int ask_own(struct osh_probe_row *rows, unsigned *n, struct err *e)
{
	static const char *const args[] = { "oshd", "--probe", NULL };
	struct osh_probe_row row;
	int both[2], status = 0, r;
	_fclose_ FILE *f = NULL;
	pid_t pid;

	if (pipe2(both, O_CLOEXEC) < 0)
		return fail(e, errno, "pipe: %s", strerror(errno));
	r = bus_start_oshd(args, both[1], &pid, e);
	close(both[1]);
	f = r < 0 ? NULL : fdopen(both[0], "r");
	if (!f) {
		close(both[0]);
		return r < 0 ? r : fail(e, ENOMEM, "out of memory");
	}
	while (*n < OSH_PROBE_ROWS && fread(&row, sizeof(row), 1, f) == 1) {
		row.note[sizeof(row.note) - 1] = 0;
		rows[(*n)++] = row;
	}
	waitpid(pid, &status, 0);
	return status ? fail(e, EIO, "oshd --probe failed") : 0;
}

int probe_ask(const char *socket, struct osh_probe_row *rows, unsigned *n, struct err *e)
{
	const char *given = socket ? socket : getenv("OSH_SOCKET");
	bool named = given && *given;	/* then that one is asked about, and no other */
	unsigned was = *n;
	int r = ask_resident(socket, rows, n, e);

	if (r < 0)
		*n = was;
	return r < 0 && !named && geteuid() == 0 ? ask_own(rows, n, e) : r;
}
