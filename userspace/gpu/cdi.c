/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Container Device Interface specifications, JSON or YAML, as tables: one row a field, an unknown one is an error. What is
 * wrong is said with its place and the path of the field, and the file is left out; those beside it are read.
 *
 * Less is taken than a specification may ask for: character devices, mounts for reading, variables. Hooks are programs that would
 * run as root, and are never run.
 */
#include "cdi.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "buf.h"
#include "osh/abi.h"
#include "own.h"
#include "tree.h"

#define MEM_MAJOR 1			/* memory, ports, the kernel's log */
#define TTY_FIRST 4
#define TTY_LAST 5

/* Where a field lies: "devices[1].containerEdits.mounts[0].hostPath". */
struct where {
	const struct where *up;
	const char *key;
	int index;			/* -1 = none */
};

struct spec {
	struct found *f;
	const char *file;
	const char *kind;
	int device;			/* -1 = the edits of all devices are being read */
	bool failed, hooks;
	char why[300];
};

struct field {
	const char *key;
	void (*read)(struct spec *s, const struct node *n, const struct where *w, void *obj);
	bool required;
};

static size_t path_text(const struct where *w, char *ret, size_t n)
{
	size_t at = w->up ? path_text(w->up, ret, n) : 0;

	if (at < n)
		at += (size_t)snprintf(ret + at, n - at, "%s%s", at ? "." : "", w->key);
	if (w->index >= 0 && at < n)
		at += (size_t)snprintf(ret + at, n - at, "[%d]", w->index);
	return at;
}

__attribute__((format(printf, 4, 5)))
static void bad(struct spec *s, const struct node *n, const struct where *w, const char *fmt, ...)
{
	char path[128] = "", why[128];
	va_list ap;

	if (s->failed)
		return;			/* the first says it */
	s->failed = true;
	path_text(w, path, sizeof(path));
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	snprintf(s->why, sizeof(s->why), "%u:%u: %s: %s", n->at.line, n->at.col, path, why);
}

static const char *text_in(struct spec *s, const struct node *n, const struct where *w)
{
	if (n->kind == NODE_SCALAR && *n->text)
		return n->text;
	bad(s, n, w, "must be a text");
	return NULL;
}

static bool number_in(struct spec *s, const struct node *n, const struct where *w, long max, long *ret)
{
	char *end = NULL;

	*ret = n->kind == NODE_SCALAR && n->plain ? strtol(n->text, &end, 10) : -1;
	if (end && !*end && *ret >= 0 && *ret <= max)
		return true;
	bad(s, n, w, "must be a number from 0 to %ld", max);
	return false;
}

/* Absolute, and without anything that means another path than it says. */
static const char *path_in(struct spec *s, const struct node *n, const struct where *w)
{
	const char *p = text_in(s, n, w);
	size_t len = p ? strlen(p) : 0;

	if (!p)
		return NULL;
	if (*p == '/' && len > 1 && len < OSH_GPU_PATH && p[len - 1] != '/' && !strstr(p, "//") && !strstr(p, "/./") &&
	    !strstr(p, "/../") && strcmp(p + len - 2, "/.") && (len < 3 || strcmp(p + len - 3, "/..")))
		return p;
	bad(s, n, w, "'%.60s' is no plain absolute path", p);
	return NULL;
}

static void read_map(struct spec *s, const struct node *n, const struct where *w, const struct field *fields, void *obj)
{
	if (n->kind != NODE_MAP) {
		bad(s, n, w, "must be a mapping");
		return;
	}
	for (const struct node *v = n->first; v && !s->failed; v = v->next) {
		struct where at = { w->key ? w : NULL, v->key->text, -1 };
		const struct field *r = fields;

		while (r->key && strcmp(r->key, v->key->text))
			r++;
		if (!r->key)
			bad(s, v->key, &at, "unknown field");
		else if (r->read)
			r->read(s, v, &at, obj);
	}
	for (const struct field *r = fields; r->key && !s->failed; r++) {
		const struct node *v = n->first;

		while (v && strcmp(v->key->text, r->key))
			v = v->next;
		if (r->required && !v)
			bad(s, n, &(struct where){ w->key ? w : NULL, r->key, -1 }, "is missing");
	}
}

static void read_list(struct spec *s, const struct node *n, const struct where *w,
		      void (*one)(struct spec *, const struct node *, const struct where *, void *), void *obj)
{
	int i = 0;

	if (n->kind != NODE_LIST)
		bad(s, n, w, "must be a list");
	else
		for (const struct node *v = n->first; v && !s->failed; v = v->next)
			one(s, v, &(struct where){ w->up, w->key, i++ }, obj);
}

/* ---- device nodes ---- */

struct node_edit {
	const struct node *at;
	const char *path, *from, *type;
	long major, minor;		/* -1 = as it is */
	uint32_t rights;
};

static void node_path(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	struct node_edit *x = obj;

	x->path = path_in(s, n, w);
	if (x->path && strncmp(x->path, "/dev/", 5))
		bad(s, n, w, "'%.60s' is not below /dev", x->path);
}

static void node_from(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	((struct node_edit *)obj)->from = path_in(s, n, w);
}

static void node_type(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	const char *t = text_in(s, n, w);

	(void)obj;
	if (t && strcmp(t, "c") && strcmp(t, "u"))
		bad(s, n, w, "'%.20s': only character devices are passed on", t);
}

static void node_major(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	(void)number_in(s, n, w, 4095, &((struct node_edit *)obj)->major);
}

static void node_minor(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	(void)number_in(s, n, w, (1 << 20) - 1, &((struct node_edit *)obj)->minor);
}

/* Making nodes is nobody's right in a sandbox. */
static void node_permissions(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	struct node_edit *x = obj;
	const char *t = text_in(s, n, w);

	if (t && strspn(t, "rwm") != strlen(t))
		bad(s, n, w, "'%.20s' is not made of r, w and m", t);
	if (t)
		x->rights = (strchr(t, 'r') ? OSH_DEVICE_READ : 0) | (strchr(t, 'w') ? OSH_DEVICE_WRITE : 0);
}

static const struct field node_fields[] = {
	{ "path", node_path, true },	{ "hostPath", node_from },
	{ "type", node_type },		{ "major", node_major },
	{ "minor", node_minor },	{ "permissions", node_permissions },
	{ "fileMode", NULL },		{ "uid", NULL },	/* the host's node is what is seen */
	{ "gid", NULL },		{ 0 },
};

/* What all users of a driver open, whichever device they have. */
static bool is_control(const char *path)
{
	static const char *const names[] = { "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools",
					     "/dev/nvidia-modeset", "/dev/kfd", "/dev/dxg" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(path, names[i]))
			return true;
	return false;
}

static void node_one(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	struct node_edit x = { .at = n, .major = -1, .minor = -1, .rights = OSH_DEVICE_READ | OSH_DEVICE_WRITE };
	struct osh_gpu_edit *to;
	struct stat st;

	(void)obj;
	read_map(s, n, w, node_fields, &x);
	if (s->failed)
		return;
	x.from = x.from ? x.from : x.path;
	if (lstat(x.from, &st) < 0 || !S_ISCHR(st.st_mode))
		bad(s, n, w, "'%.60s' is no character device of this machine", x.from);
	else if (major(st.st_rdev) == MEM_MAJOR || (major(st.st_rdev) >= TTY_FIRST && major(st.st_rdev) <= TTY_LAST))
		bad(s, n, w, "'%.40s' is memory or a terminal, which no sandbox is given", x.from);
	else if ((x.major >= 0 && x.major != (long)major(st.st_rdev)) || (x.minor >= 0 && x.minor != (long)minor(st.st_rdev)))
		bad(s, n, w, "'%.40s' is %u:%u on this machine", x.from, major(st.st_rdev), minor(st.st_rdev));
	to = s->failed || s->device < 0 ? NULL : found_edit(s->f, OSH_GPU_NODE, (uint32_t)s->device);
	if (!to)
		return;
	to->rights = x.rights;
	to->flags = is_control(x.from) || obj ? 0 : OSH_GPU_OWN;
	to->major = major(st.st_rdev);
	to->minor = minor(st.st_rdev);
	strcpy(to->path, x.path);
	strcpy(to->from, x.from);
}

static void nodes(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	read_list(s, n, w, node_one, obj);
}

/* ---- mounts ---- */

struct mount_edit {
	const char *from, *path;
};

static void mount_from(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	((struct mount_edit *)obj)->from = path_in(s, n, w);
}

static void mount_path(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	((struct mount_edit *)obj)->path = path_in(s, n, w);
}

static void mount_option(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	static const char *const known[] = { "ro", "bind", "rbind", "nosuid", "nodev", "noexec", "private", "rprivate",
					     "slave", "rslave", "relatime", "noatime" };
	const char *t = text_in(s, n, w);

	(void)obj;
	for (size_t i = 0; t && i < ARRAY_SIZE(known); i++)
		if (!strcmp(t, known[i]))
			return;
	if (t)
		bad(s, n, w, "'%.30s': mounts are for reading, with the options of a bind mount", t);
}

static void mount_options(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	read_list(s, n, w, mount_option, obj);
}

static void mount_type(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	const char *t = n->kind == NODE_SCALAR ? n->text : "";

	(void)obj;
	if (n->kind != NODE_SCALAR || (*t && strcmp(t, "bind") && strcmp(t, "none")))
		bad(s, n, w, "'%.30s': only bind mounts are made", t);
}

static const struct field mount_fields[] = {
	{ "hostPath", mount_from, true }, { "containerPath", mount_path, true },
	{ "options", mount_options },	  { "type", mount_type }, { 0 },
};

static void mount_one(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	struct mount_edit x = { 0 };
	struct osh_gpu_edit *to;
	struct stat st;

	(void)obj;
	read_map(s, n, w, mount_fields, &x);
	if (s->failed)
		return;
	if (stat(x.from, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISSOCK(st.st_mode)))
		bad(s, n, w, "'%.60s' is no file or directory of this machine", x.from);
	/* A daemon of the host's behind a socket is another door: NVIDIA's persistence daemon is not needed. */
	to = s->failed || s->device < 0 || S_ISSOCK(st.st_mode) ? NULL : found_edit(s->f, OSH_GPU_MOUNT, (uint32_t)s->device);
	if (!to)
		return;
	strcpy(to->from, x.from);
	strcpy(to->path, x.path);
}

static void mounts(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	read_list(s, n, w, mount_one, obj);
}

/* ---- the rest of the edits ---- */

static void env_one(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	static const char name[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
	const char *t = text_in(s, n, w);
	size_t len = t ? strspn(t, name) : 0;
	struct osh_gpu_edit *to;

	(void)obj;
	if (t && (!len || t[len] != '=' || (*t >= '0' && *t <= '9') || strlen(t) >= OSH_GPU_PATH))
		bad(s, n, w, "'%.40s' is not NAME=value", t);
	to = s->failed || s->device < 0 ? NULL : found_edit(s->f, OSH_GPU_ENV, (uint32_t)s->device);
	if (to)
		strcpy(to->path, t);
}

static void env(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	read_list(s, n, w, env_one, obj);
}

static void hook_one(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	(void)obj;
	if (n->kind != NODE_MAP)
		bad(s, n, w, "must be a mapping");
	s->hooks = true;
}

static void hooks(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	read_list(s, n, w, hook_one, obj);
}

static void refused(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	(void)obj;
	bad(s, n, w, "is not done for sandboxes");
}

static const struct field edit_fields[] = {
	{ "env", env },		      { "deviceNodes", nodes }, { "mounts", mounts },	   { "hooks", hooks },
	{ "additionalGids", refused }, { "intelRdt", refused },	 { "netDevices", refused }, { 0 },
};

/* obj: not NULL = of all devices, so no node of them is a device's own. */
static void edits(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	read_map(s, n, w, edit_fields, obj);
}

/* ---- devices ---- */

static bool word_ok(const char *t, const char *more)
{
	size_t n = strlen(t);

	for (size_t i = 0; i < n; i++) {
		bool letter = (t[i] >= 'a' && t[i] <= 'z') || (t[i] >= 'A' && t[i] <= 'Z') || (t[i] >= '0' && t[i] <= '9');

		if (!letter && (!i || i == n - 1 || !strchr(more, t[i])))
			return false;
	}
	return n > 0;
}

static void device_name(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	const char *t = text_in(s, n, w);
	char name[OSH_GPU_NAME];
	int old;

	(void)obj;
	if (t && (!word_ok(t, "_-.:") || (size_t)snprintf(name, sizeof(name), "%.60s=%s", s->kind, t) >= sizeof(name))) {
		bad(s, n, w, "'%.40s' is no name of a device", t);
		return;
	}
	if (!t)
		return;
	old = found_by_name(s->f, name);
	if (old >= 0)			/* a later specification takes the place of an earlier one's */
		s->f->devices[old].name[0] = 0;
	s->device = found_device(s->f, OSH_GPU_CDI, name);
	if (s->device >= 0)
		snprintf(s->f->devices[s->device].driver, sizeof(s->f->devices[0].driver), "CDI %.50s", s->file);
}

static const struct field name_only[] = { { "name", device_name, true },
					  { "annotations", NULL },
					  { "containerEdits", NULL, true },
					  { 0 } };
static const struct field edits_only[] = { { "name", NULL }, { "annotations", NULL }, { "containerEdits", edits }, { 0 } };

struct device_list {
	const struct node *common;	/* the specification's own edits, or NULL */
};

/* One that has capabilities is a part of a GPU: those are its own, and the GPU is nobody's alone. */
static void split(struct spec *s, uint32_t from)
{
	bool part = false;

	for (uint32_t i = from; i < s->f->n_edits; i++)
		part |= !strncmp(s->f->edits[i].from, "/dev/nvidia-caps/", 17);
	for (uint32_t i = from; part && i < s->f->n_edits; i++)
		if (s->f->edits[i].flags && strncmp(s->f->edits[i].from, "/dev/nvidia-caps/", 17))
			s->f->edits[i].flags = OSH_GPU_SPLIT;
}

static void device_one(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	const struct device_list *l = obj;
	uint32_t from = s->f->n_edits;

	s->device = -1;
	read_map(s, n, w, name_only, NULL);
	if (!s->failed)
		read_map(s, n, w, edits_only, NULL);
	if (!s->failed)
		split(s, from);
	if (!s->failed && l->common)
		edits(s, l->common, &(struct where){ NULL, "containerEdits", -1 }, s);
}

static void devices(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	read_list(s, n, w, device_one, obj);
}

/* ---- a specification ---- */

static void version(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	const char *t = text_in(s, n, w);
	int major_ = 0, minor_ = 0, patch = 0, end = 0;

	(void)obj;
	if (t && (sscanf(t, "%4d.%4d.%4d%n", &major_, &minor_, &patch, &end) != 3 || t[end] || major_ < 0 || major_ > 1))
		bad(s, n, w, "'%.20s' is no version that is known (0.3.0 to 1.x)", t);
}

static void kind(struct spec *s, const struct node *n, const struct where *w, void *obj)
{
	const char *t = text_in(s, n, w), *slash = t ? strchr(t, '/') : NULL;
	char vendor[64] = "";

	(void)obj;
	if (slash && (size_t)(slash - t) < sizeof(vendor))
		snprintf(vendor, sizeof(vendor), "%.*s", (int)(slash - t), t);
	if (t && (!slash || strlen(t) > 60 || !word_ok(vendor, "_-.") || !word_ok(slash + 1, "_-.")))
		bad(s, n, w, "'%.40s' is not VENDOR/CLASS", t);
	s->kind = t;
}

static const struct field head_fields[] = { { "cdiVersion", version, true }, { "kind", kind, true },
					    { "annotations", NULL },	     { "devices", NULL, true },
					    { "containerEdits", edits },     { 0 } };
static const struct field device_fields[] = { { "cdiVersion", NULL }, { "kind", NULL },	       { "annotations", NULL },
					      { "devices", devices }, { "containerEdits", NULL }, { 0 } };

static void read_spec(struct spec *s, const struct node *root)
{
	static const struct where top = { NULL, NULL, -1 };
	struct device_list l = { 0 };

	s->device = -1;
	read_map(s, root, &top, head_fields, s);	/* the edits of all are checked, and no device has them yet */
	for (const struct node *v = s->failed ? NULL : root->first; v; v = v->next)
		if (!strcmp(v->key->text, "containerEdits"))
			l.common = v;
	if (!s->failed)
		read_map(s, root, &top, device_fields, &l);
}

void cdi_read(struct found *f, const char *file, struct slice text)
{
	struct spec s = { .f = f, .file = file };
	uint32_t n_devices = f->n_devices, n_edits = f->n_edits;
	struct arena a = { 0 };
	struct diags d = { 0 };
	const struct node *root = yaml_read(text, &a, &d);

	if (!root || d.n_errors) {
		s.failed = true;
		snprintf(s.why, sizeof(s.why), "%u:%u: %s", d.n ? d.v->at.line : 0, d.n ? d.v->at.col : 0,
			 d.n ? d.v->text : "is empty");
	} else {
		read_spec(&s, root);
	}
	if (s.failed) {			/* half a specification is none */
		f->n_devices = n_devices;
		f->n_edits = n_edits;
		found_warn(f, "%s:%s", file, s.why);
	} else if (s.hooks) {
		found_warn(f, "%s: its hooks are not run: programs of specifications never are", file);
	}
	diags_done(&d);
	arena_done(&a);
}

/* Root's alone: whoever else could write it would hand out devices. */
static int open_spec(int dir_fd, const char *name, const char **ret_why)
{
	_close_ int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	*ret_why = NULL;
	if (fd < 0 || fstat(fd, &st) < 0)
		*ret_why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		*ret_why = "is no file";
	else if (st.st_uid || (st.st_mode & 022))
		*ret_why = "is not root's alone to write (chown root, chmod go-w)";
	else if (st.st_size > OSH_CDI_BYTES)
		*ret_why = "is too large";
	return *ret_why ? -1 : take_fd(&fd);
}

static void read_file(struct found *f, int dir_fd, const char *dir, const char *name)
{
	char file[320], part[16384];
	const char *why;
	_close_ int fd = open_spec(dir_fd, name, &why);
	struct buf b = { .limit = OSH_CDI_BYTES };
	ssize_t n;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	while (fd >= 0 && (n = read(fd, part, sizeof(part))) > 0)
		buf_put(&b, part, (size_t)n);
	if (why || !buf_ok(&b))
		found_warn(f, "%s: %s", file, why ? why : "is too large");
	else
		cdi_read(f, file, (struct slice){ b.p, b.n });
	buf_done(&b);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_spec(const char *name)
{
	const char *dot = strrchr(name, '.');

	return *name != '.' && dot && (!strcmp(dot, ".json") || !strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
}

void cdi_find(struct found *f, int dir_fd, const char *dir)
{
	char *names[OSH_CDI_FILES];
	const struct dirent *x;
	DIR *d = fdopendir(dir_fd);
	struct stat st;
	size_t n = 0;

	if (!d || fstat(dir_fd, &st) < 0 || st.st_uid || (st.st_mode & 022)) {
		found_warn(f, "%s: is not root's alone to write", dir);
	} else {
		while (n < OSH_CDI_FILES && (x = readdir(d)))
			if (is_spec(x->d_name) && (names[n] = strdup(x->d_name)))
				n++;
		qsort(names, n, sizeof(*names), by_name);
		for (size_t i = 0; i < n; i++) {
			read_file(f, dir_fd, dir, names[i]);
			free(names[i]);
		}
	}
	if (d)
		closedir(d);
}
