/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Package registries as the caller's own clients know them: what the presets npm, pip, cargo and go
 * list instead of the public ones. Read by oshctl as the caller, before anything is compiled; the
 * compiler sees the result as text. Only clean https URLs are taken; anything else is warned of.
 */
#pragma once

#include "arena.h"
#include "buf.h"
#include "err.h"
#include "ini.h"
#include "slice.h"

#define REGISTRIES_MAX 32
#define CLIENT_FILE_MAX 65536		/* bytes of one configuration file that are read */

struct registry {
	const char *host;		/* lower case name, never an address */
	unsigned port;
	const char *path;		/* "" or "/x/y", without a slash at the end */
};

struct registries {
	struct arena a;
	struct list v;			/* struct registry, no repeats */
	struct list env;		/* const char *: "NAME: value" for process.env.set */
	struct list files;		/* const char *: paths for read_only */
	bool quiet;			/* for fuzzing */
};

/* Where the readers look; the fuzzer brings its own. NULL = none. */
struct client {
	const char *(*env)(const struct client *c, const char *name);
	/* Text of a file in the caller's home, in the project, or (absolute) of the system. */
	bool (*file)(const struct client *c, const char *path, bool project, struct slice *ret);
	void *arg;
};

/*
 * What the readers have in common: the first place that says something decides, and an empty variable
 * says nothing.
 */
const char *client_env(const struct client *c, const char *name);
bool client_ini(const struct client *c, const char *path, bool project, bool folds, struct ini *ret);

/* registry_url.c: NULL, or why not. `ret` points into the arena. */
const char *registry_parse(struct registries *r, const char *url, struct registry *ret);

/* Takes one URL that was found at `from`; false = warned of and not used. */
bool registry_add(struct registries *r, const char *url, const char *from, unsigned line);
void registry_add_default(struct registries *r, const char *host, const char *path);
void registry_env(struct registries *r, const char *name, const char *value);	/* of clean bytes only */
void registry_warn(const struct registries *r, const char *from, unsigned line, const char *what);

typedef void registry_fn(struct registries *r, const struct client *c);
registry_fn registry_npm, registry_pip, registry_cargo, registry_go;

/* registry.c: the text of a preset with the caller's registries between its marks. `dir` is the project's. */
int registry_fill(const char *preset, struct slice text, int dir, const char *home, bool look_inside, struct buf *ret,
		  struct err *e);

void registries_done(struct registries *r);
