/* SPDX-License-Identifier: Apache-2.0 */
#include "home.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "own.h"
#include "state/state.h"
#include "tree.h"

#define KEY_TEXT 24

static const char *const tops[] = { [STATE_HOME] = "sandboxes", [STATE_VOLUME] = "volumes" };

struct removal_of {
	struct daemon *d;
	enum state_tree kind;
	uint64_t key;
	void (*done)(void *data);
	void *data;
};

static void key_text(uint64_t key, char text[KEY_TEXT])
{
	snprintf(text, KEY_TEXT, "%" PRIu64, key);
}

static int open_top(struct daemon *d, enum state_tree kind, int *ret_fd, struct err *e)
{
	return tree_make(state_dir(d->state), tops[kind], geteuid(), getegid(), ret_fd, e);
}

static int open_owned(int parent, const char *name, uid_t uid, gid_t gid, int *ret_fd, struct err *e)
{
	return tree_make(parent, name, uid ? uid : OSH_UID_SANDBOX, uid ? gid : OSH_UID_SANDBOX, ret_fd, e);
}

int home_open(struct daemon *d, uint64_t key, uid_t uid, gid_t gid, int *ret_fd, struct err *e)
{
	_close_ int top = -1, own = -1;
	char text[KEY_TEXT];
	int r = open_top(d, STATE_HOME, &top, e);

	key_text(key, text);
	if (!r)
		r = tree_make(top, text, geteuid(), getegid(), &own, e);
	return r ? r : open_owned(own, "home", uid, gid, ret_fd, e);
}

int home_volume(struct daemon *d, uint64_t key, uid_t uid, gid_t gid, int *ret_fd, struct err *e)
{
	_close_ int top = -1;
	char text[KEY_TEXT];
	int r = open_top(d, STATE_VOLUME, &top, e);

	key_text(key, text);
	return r ? r : open_owned(top, text, uid, gid, ret_fd, e);
}

static void forget(struct removal_of *x)
{
	_close_ int top = -1;
	struct err e = { 0 };
	char text[KEY_TEXT];
	int r = open_top(x->d, x->kind, &top, &e);

	key_text(x->key, text);
	/* Of a home its parent, which is ours and empty now. */
	if (!r && unlinkat(top, text, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = fail(&e, errno, "remove '%s/%s': %s", tops[x->kind], text, strerror(errno));
	if (!r)
		r = state_trash_done(x->d->state, x->kind, x->key, &e);
	if (r < 0)
		fprintf(stderr, "oshd: %s\n", e.text);
}

static void on_removed(void *data, int result)
{
	struct removal_of *x = data;

	if (!result)
		forget(x);
	if (x->done)
		x->done(x->data);
	free(x);
}

static int remove_one(struct daemon *d, enum state_tree kind, uint64_t key, void (*done)(void *data), void *data,
		      struct err *e)
{
	_close_ int top = -1, own = -1;
	_free_ struct removal_of *x = malloc(sizeof(*x));
	char text[KEY_TEXT];
	int r = x ? open_top(d, kind, &top, e) : fail(e, ENOMEM, "out of memory");

	key_text(key, text);
	if (!r && kind == STATE_HOME)
		r = tree_make(top, text, geteuid(), getegid(), &own, e);
	if (r < 0)
		return r;
	*x = (struct removal_of){ d, kind, key, done, data };
	r = tree_remove(d, own >= 0 ? own : top, own >= 0 ? "home" : text, on_removed, x, e);
	if (!r)
		(void)take_ptr(&x);
	return r;
}

int home_remove(struct daemon *d, uint64_t key, void (*done)(void *data), void *data, struct err *e)
{
	return remove_one(d, STATE_HOME, key, done, data, e);
}

int home_volume_remove(struct daemon *d, uint64_t key, void (*done)(void *data), void *data, struct err *e)
{
	return remove_one(d, STATE_VOLUME, key, done, data, e);
}

static int again(void *data, enum state_tree kind, uint64_t key)
{
	return remove_one(data, kind, key, NULL, NULL, NULL);
}

/* Keys of a directory's entries; a database that was restored may be older than they are. */
static int raise_keys(struct daemon *d, enum state_tree kind, struct err *e)
{
	uint64_t most = 0;
	int fd = openat(state_dir(d->state), tops[kind], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && errno == ENOENT)
		return 0;		/* none was made yet */
	if (!dir) {
		int why = errno;

		own_close(&fd);
		return fail(e, why, "read '%s': %s", tops[kind], strerror(why));
	}
	for (struct dirent *x; (x = readdir(dir));) {
		uint64_t key = strtoull(x->d_name, NULL, 10);

		if (key > most && key < INT64_MAX)
			most = key;
	}
	closedir(dir);
	return state_keys_above(d->state, kind, most, e);
}

int home_sweep(struct daemon *d, struct err *e)
{
	int r;

	if (!d->state)
		return 0;
	r = raise_keys(d, STATE_HOME, e);
	if (!r)
		r = raise_keys(d, STATE_VOLUME, e);
	return r ? r : state_trash_each(d->state, again, d, e);
}
