/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `oshctl doctor` says of machines that are not this one: /proc and /sys below a directory, and made-up results
 * of what was tried. Word for word in tests/golden/doctor; UPDATE=1 writes them anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../userspace/oshctl/doctor.h"
#include "own.h"
#include "probe.h"

#include <cmocka.h>

static const char v2_mounts[] =
	"25 1 0:23 / /sys rw - sysfs sysfs rw\n"
	"30 25 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
static const char hybrid_mounts[] =
	"30 25 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
	"31 30 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	"32 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
	"33 30 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	"34 30 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";
static const char v1_mounts[] = "33 30 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
static const char limits_text[] =
	"Limit                     Soft Limit           Hard Limit           Units     \n"
	"Max open files            1024                 %s               files     \n"
	"Max locked memory         65536                unlimited            bytes     \n";

static const struct machine {
	const char *name, *mounts, *lsm, *nofile;
	const char *v2;			/* controllers, where the mounts above have v2 */
	unsigned watches;
	unsigned lacks[5];		/* rows that were tried in vain; 0 ends */
	bool unasked, kept;
} machines[] = {
	{ "debian13", v2_mounts, "lockdown,capability,landlock,yama,apparmor,bpf", "524288", "cpu io memory pids", 524288,
	  { 0 }, false, true },
	{ "no-lsm", hybrid_mounts, "lockdown,capability,yama,apparmor", "4096", "hugetlb", 8192,
	  { OSH_PROBE_LSM, OSH_PROBE_LANDLOCK, OSH_PROBE_SCOPES, OSH_PROBE_STORAGE }, false, true },
	{ "refuses-lsm", v2_mounts, "landlock,bpf", "524288", "cpu io memory pids", 524288, { OSH_PROBE_LSM }, false, true },
	{ "unasked", v2_mounts, "landlock,bpf", "524288", "cpu io memory pids", 524288, { OSH_PROBE_USERNS }, true, false },
	{ "v1-only", v1_mounts, NULL, "524288", NULL, 524288, { OSH_PROBE_CGROUP2, OSH_PROBE_CGROUP, OSH_PROBE_BPF }, false, false },
	{ "no-nft", v2_mounts, "landlock,bpf", "524288", "cpu io memory pids", 524288, { OSH_PROBE_NFT }, false, false },
};

static void put(int root, const char *path, const char *text)
{
	char dir[256];
	int fd;

	for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(at - path), path);
		(void)mkdirat(root, dir, 0700);
	}
	fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static int make_root(const struct machine *m, char path[32])
{
	char text[1024];
	int root;

	strcpy(path, "/tmp/test-doctor-XXXXXX");
	assert_non_null(mkdtemp(path));
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0);
	put(root, "proc/sys/kernel/osrelease", "6.12.48+deb13-amd64\n");
	put(root, "proc/self/mountinfo", m->mounts);
	snprintf(text, sizeof(text), limits_text, m->nofile);
	put(root, "proc/self/limits", text);
	snprintf(text, sizeof(text), "%u\n", m->watches);
	put(root, "proc/sys/fs/inotify/max_user_watches", text);
	put(root, "proc/sys/kernel/threads-max", "15733\n");
	if (m->lsm)
		put(root, "sys/kernel/security/lsm", m->lsm);
	if (m->v2)
		put(root, m->mounts == v2_mounts ? "sys/fs/cgroup/cgroup.controllers" :
			  "sys/fs/cgroup/unified/cgroup.controllers", m->v2);
	return root;
}

static bool lacks(const struct machine *m, unsigned id)
{
	for (size_t i = 0; i < ARRAY_SIZE(m->lacks) && m->lacks[i]; i++)
		if (m->lacks[i] == id)
			return true;
	return false;
}

/* What the caller tries comes first in the list; the rest only root may. */
static void fill(const struct machine *m, struct findings *f)
{
	struct err why = { .text = "no such thing" }, none = { 0 };
	unsigned hooks = 0;

#define HOOK(id, program, where) hooks++;
#include "osh/hooks.def"
#undef HOOK
	for (unsigned id = 1; id < OSH_PROBE_MAX; id++)
		if (!m->unasked || id <= OSH_PROBE_USERNS)
			probe_row(&f->rows[f->n++], id, lacks(m, id) ? -1 : 0, lacks(m, id) ? &why : &none);
	for (unsigned i = 0; i < hooks && !m->unasked; i++)
		probe_row(&f->rows[f->n++], OSH_PROBE_HOOK + i, lacks(m, OSH_PROBE_HOOK + i) ? -1 : 0,
			  lacks(m, OSH_PROBE_HOOK + i) ? &why : &none);
	if (m->unasked)
		strcpy(f->unasked, "no oshd at '/run/osh/bus': No such file or directory");
	f->kept = doctor_judge(f);
}

/* Another version, or another program among those of the kernel, is no news here. */
static char *stable(char *text)
{
	json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	char *at;

	if (o) {
		assert_true(json_array_size(json_object_get(o, "programs")) > 20);
		json_object_del(o, "programs");
		json_object_set_new(o, "version", json_string("VERSION"));
		free(text);
		text = json_dumps(o, JSON_INDENT(1));
		json_decref(o);
	} else if ((at = strstr(text, OSH_VERSION))) {
		memmove(at, at + strlen(OSH_VERSION) - 1, strlen(at + strlen(OSH_VERSION) - 1) + 1);
		*at = 'V';
	}
	return text;
}

static void compare(const char *name, const char *kind, const char *text)
{
	char path[128], want[32768];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "tests/golden/doctor/%s.%s", name, kind);
	if (getenv("UPDATE")) {
		f = fopen(path, "we");
		assert_non_null(f);
		fputs(text, f);
		fclose(f);
	}
	f = fopen(path, "re");
	assert_non_null(f);
	n = fread(want, 1, sizeof(want) - 1, f);
	want[n] = 0;
	fclose(f);
	assert_string_equal(text, want);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static void remove_tree(const char *path)
{
	assert_int_equal(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void examine(const struct machine *m)
{
	static struct findings f;
	char path[32], *text = NULL;
	int root = make_root(m, path);
	size_t n;
	FILE *out;

	f = (struct findings){ 0 };
	facts_read(root, &f.facts);
	fill(m, &f);
	assert_int_equal(f.kept, m->kept);
	out = open_memstream(&text, &n);
	doctor_text(&f, out);
	fclose(out);
	text = stable(text);
	compare(m->name, "want", text);
	free(text);
	out = open_memstream(&text, &n);
	assert_int_equal(doctor_json(&f, out), 0);
	fclose(out);
	text = stable(text);
	compare(m->name, "json", text);
	free(text);
	close(root);
	remove_tree(path);
}

static void test_machines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		examine(&machines[i]);
}

static int works(struct err *e)
{
	strcpy(e->text, "a remark");
	return 0;
}

static int refuses(struct err *e)
{
	strcpy(e->text, "no");	/* cmocka has a fail() of its own */
	return -EPERM;
}

static int dies(struct err *e)
{
	(void)e;
	abort();
}

static void test_trials(void **state)
{
	static const struct {
		struct probe_trial t;
		unsigned want;
		const char *note;
	} cases[] = {
		{ { OSH_PROBE_NFT, works }, OSH_PROBE_WORKS, "a remark" },
		{ { OSH_PROBE_NFT, refuses }, OSH_PROBE_LACKS, "no" },
		{ { OSH_PROBE_NFT, dies }, OSH_PROBE_LACKS, "the trial ended by signal 6" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct osh_probe_row row;

		probe_try(&cases[i].t, &row);
		assert_int_equal(row.id, OSH_PROBE_NFT);
		assert_int_equal(row.state, cases[i].want);
		assert_string_equal(row.note, cases[i].note);
	}
}

static bool told(json_t *row)
{
	const char *fix = json_string_value(json_object_get(row, "fix"));

	return fix && strlen(fix) > 10 && !strchr(fix, '%');
}

/* Of every row that lacks; the others have none. Gives how many. */
static unsigned fixes(json_t *rows, const char *lacking)
{
	unsigned n = 0;
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		bool is_lack = !strcmp(json_string_value(json_object_get(row, "state")), lacking);

		if (is_lack ? !told(row) : !json_is_null(json_object_get(row, "fix")))
			fail_msg("%s", json_dumps(row, 0));
		n += is_lack;
	}
	return n;
}

static void examine_lack(int root, unsigned id, unsigned want_features, unsigned want_programs)
{
	const struct machine m = { .lacks = { id } };
	static struct findings f;
	char *text = NULL, *line;
	unsigned n_text = 0;
	size_t n, i;
	FILE *out;
	json_t *o, *promise;

	f = (struct findings){ 0 };
	facts_read(root, &f.facts);
	fill(&m, &f);
	out = open_memstream(&text, &n);
	doctor_json(&f, out);
	fclose(out);
	o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	assert_non_null(o);
	assert_int_equal(fixes(json_object_get(o, "features"), "lacks"), want_features);
	assert_int_equal(fixes(json_object_get(o, "programs"), "lacks"), want_programs);
	json_array_foreach(json_object_get(o, "promises"), i, promise) {
		unsigned missing = fixes(json_object_get(promise, "layers"), "missing");

		if (!strcmp(json_string_value(json_object_get(promise, "state")), "missing"))
			assert_true(missing > 0);
	}
	json_decref(o);
	text = NULL;
	out = open_memstream(&text, &n);
	doctor_text(&f, out);
	fclose(out);
	for (line = strstr(text, "\nwhat lacks\n"); line && (line = strstr(line + 1, "        fix: ")); n_text++)
		assert_true(line[13] != '\n' && !memchr(line, '%', strcspn(line, "\n")));
	assert_true(n_text >= want_features + want_programs);
	free(text);
}

/* Whatever doctor can say that lacks, it says what brings it, as text and as JSON: every probe and every program, one at a time. */
static void test_fixes(void **state)
{
	static const struct machine any = { .mounts = v2_mounts, .lsm = "landlock,bpf", .nofile = "524288", .v2 = "cpu io memory pids",
					    .watches = 524288 };
	char path[32];
	int root = make_root(&any, path);
	unsigned hooks = 0;

	(void)state;
#define HOOK(id, program, where) hooks++;
#include "osh/hooks.def"
#undef HOOK
	for (unsigned id = 1; id < OSH_PROBE_MAX; id++)
		examine_lack(root, id, 1, 0);
	for (unsigned i = 0; i < hooks; i++)
		examine_lack(root, OSH_PROBE_HOOK + i, 0, 1);
	for (size_t i = 0; i < LIMITS; i++)
		assert_true(limits[i].fix && strlen(limits[i].fix) > 10 && limits[i].why && *limits[i].why);
	close(root);
	remove_tree(path);
}

/* Nothing tried at all keeps nothing. */
static void test_zero(void **state)
{
	static struct findings f;

	(void)state;
	assert_false(doctor_judge(&f));
	for (const struct layer *l = f.layers; l->name; l++)
		assert_int_equal(l->state, LAYER_UNPROVED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machines),
		cmocka_unit_test(test_trials),
		cmocka_unit_test(test_fixes),
		cmocka_unit_test(test_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
