/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include <string.h>

#include "json.h"
#include "own.h"

#define FIX_MAX 640

enum weight { NEEDED, LAYER, EXTRA };

static const struct probe {
	enum osh_probe id;
	enum weight weight;
	const char *name, *what, *lost, *fix;
} probes[] = {
#define PROBE(id, part, weight, name, what, lost, fix) { OSH_PROBE_##id, weight, name, what, lost, fix },
#include "osh/probes.def"
#undef PROBE
};

/* Where LSM programs go, and those that tell what Landlock refuses; the rest of the places take what OSH_PROBE_BPF tries. */
enum attach_place { PLACE_LSM, PLACE_GUARD, PLACE_TELL, PLACE_CGROUP, PLACE_EGRESS, PLACE_GLOBAL, PLACE_ITER, PLACE_NETNS, PLACE_TC };

static const struct {
	const char *name, *where;
	enum attach_place place;
} programs[] = {
#define HOOK(id, program, where) { #program, #where, PLACE_##where },
#include "osh/hooks.def"
#undef HOOK
};

static const char *const state_words[] = { "untried", "lacks", "works" };
static const char *const weight_words[] = { "needed", "layer", "extra" };
static const char *const kept_words[] = { "missing", "untried", "kept" };

static const struct osh_probe_row *row_of(const struct findings *f, unsigned id)
{
	static const struct osh_probe_row none;

	for (unsigned i = 0; i < f->n; i++)
		if (f->rows[i].id == id)
			return &f->rows[i];
	return &none;
}

/* The last row of the same promise; rows of one lie together. */
static const struct layer *last_of(const struct layer *l)
{
	while (l[1].name && !strcmp(l[1].promise, l->promise))
		l++;
	return l;
}

/* One layer is enough; what asks the egress for several protocols needs them all to say so. */
static enum layer_state kept(const struct layer *l)
{
	const struct layer *last = last_of(l);
	enum layer_state best = l->state;

	for (; l <= last; l++)
		if (l->inside == PROTO_NONE ? l->state > best : l->state < best)
			best = l->state;
	return best;
}

bool doctor_judge(struct findings *f)
{
	bool all = true;

	f->layers = layers_judge(f->rows, f->n);
	for (const struct layer *l = f->layers; l->name; l = last_of(l) + 1)
		all &= kept(l) == LAYER_LIVES;
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
		all &= probes[i].weight != NEEDED || row_of(f, probes[i].id)->state == OSH_PROBE_WORKS;
	f->kept = all;
	return all;
}

/* `lsm=` as it would have to be; for a module that is in force already, what else it may be. */
static void boot_fix(const struct findings *f, const char *module, char *ret, size_t n)
{
	/* One restart for both. */
	const char *lsm = f->facts.lsm, *landlock = facts_has_lsm(&f->facts, "landlock") ? "" : ",landlock";
	const char *bpf = facts_has_lsm(&f->facts, "bpf") ? "" : ",bpf";

	if (facts_has_lsm(&f->facts, module))
		snprintf(ret, n, "%s is in force already: boot a kernel that takes its programs (CONFIG_BPF_LSM=y and "
			 "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y, as Debian 13's)", module);
	else if (!*lsm)
		snprintf(ret, n, "see what is in force (mount -t securityfs none /sys/kernel/security; "
			 "cat /sys/kernel/security/lsm), and boot with lsm=THAT,%s", module);
	else
		snprintf(ret, n, "boot with lsm=%s%s%s (with GRUB: add it to GRUB_CMDLINE_LINUX in /etc/default/grub, then "
			 "update-grub)", lsm, landlock, bpf);
}

/* The trial that a program is part of. */
static unsigned trial_of(unsigned program)
{
	enum attach_place place = programs[program].place;

	return place <= PLACE_GUARD ? OSH_PROBE_LSM : place == PLACE_TELL ? OSH_PROBE_TOLD : OSH_PROBE_BPF;
}

/* What brings a row of osh/probe.h, whichever it is; NULL: nothing is known that would. */
static const char *fix_of(const struct findings *f, unsigned id, char text[FIX_MAX])
{
	if (id >= OSH_PROBE_HOOK && id - OSH_PROBE_HOOK < ARRAY_SIZE(programs))
		id = trial_of(id - OSH_PROBE_HOOK);
	if (id == OSH_PROBE_LSM || id == OSH_PROBE_LANDLOCK || id == OSH_PROBE_SCOPES) {
		boot_fix(f, id == OSH_PROBE_LSM ? "bpf" : "landlock", text, FIX_MAX);
		return text;
	}
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
		if (probes[i].id == id)
			return probes[i].fix;
	return NULL;
}

/* A layer that nothing was tried for lacks because this osh has not got it. */
static const char *fix_of_layer(const struct findings *f, const struct layer *l, char text[FIX_MAX])
{
	return l->state != LAYER_MISSING ? NULL : l->lacks ? fix_of(f, l->lacks, text) : "install a newer osh";
}

static void put(FILE *out, const char *label, const char *text)
{
	if (*text)
		fprintf(out, "        %s: %s\n", label, text);
}

static void text_machine(const struct findings *f, FILE *out)
{
	const struct facts *x = &f->facts;

	fprintf(out, "osh " OSH_VERSION " on Linux %s\n", x->release);
	fprintf(out, "security modules: %s\n", x->lsm[0] ? x->lsm : "unknown (is securityfs mounted?)");
	fprintf(out, "control groups: %s", facts_layout(x->layout));
	if (x->cgroup[0])
		fprintf(out, ", v2 at %s with %s", x->cgroup, x->v2[0] ? x->v2 : "no controllers");
	fprintf(out, "%s%s\n", x->v1[0] ? "; v1 has " : "", x->v1);
	if (f->unasked[0])
		fprintf(out, "what only root may try was not tried: %s\n", f->unasked);
}

static void text_promises(const struct findings *f, FILE *out)
{
	fputs("\npromises, and the layers that keep them here\n", out);
	for (const struct layer *l = f->layers; l->name; l++) {
		if (l == f->layers || strcmp(l[-1].promise, l->promise))
			fprintf(out, "  %-8s %s\n", kept_words[kept(l)], l->promise);
		fprintf(out, "    %-8s %s%s%s\n", l->state == LAYER_UNPROVED ? "untried" : layer_word(l->state), l->name,
			*l->note ? ": " : "", l->note);
	}
}

static void text_lacks(const struct findings *f, FILE *out)
{
	char fix[FIX_MAX];
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		const struct osh_probe_row *r = row_of(f, probes[i].id);

		if (r->state != OSH_PROBE_LACKS)
			continue;
		fputs(any ? "" : "\nwhat lacks\n", out);
		any = true;
		fprintf(out, "    %s%s%s\n", probes[i].what, *r->note ? ": " : "", r->note);
		put(out, "without it", probes[i].weight == NEEDED ? "no sandbox starts" : probes[i].lost);
		put(out, "fix", fix_of(f, probes[i].id, fix));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(programs); i++) {
		const struct osh_probe_row *r = row_of(f, OSH_PROBE_HOOK + i);

		if (r->state != OSH_PROBE_LACKS || row_of(f, trial_of(i))->state == OSH_PROBE_LACKS)
			continue;	/* or it is part of what was said above */
		fputs(any ? "" : "\nwhat lacks\n", out);
		any = true;
		fprintf(out, "    BPF program %s%s%s\n", programs[i].name, *r->note ? ": " : "", r->note);
		put(out, "fix", fix_of(f, OSH_PROBE_HOOK + i, fix));
	}
}

static bool too_low(const struct facts *x, size_t i)
{
	return x->known[i] && x->limit[i] < limits[i].enough;
}

static void text_limits(const struct findings *f, FILE *out)
{
	bool any = false;

	for (size_t i = 0; i < LIMITS; i++) {
		if (!too_low(&f->facts, i))
			continue;
		fputs(any ? "" : "\nlow limits\n", out);
		any = true;
		fprintf(out, "    %s: %llu of %llu\n", limits[i].name, (unsigned long long)f->facts.limit[i],
			(unsigned long long)limits[i].enough);
		put(out, "why", limits[i].why);
		put(out, "fix", limits[i].fix);
	}
}

/* Once more, since the promises are a screen away. */
static void text_end(const struct findings *f, FILE *out)
{
	unsigned n[3] = { 0 };
	const char *needed = "";

	for (const struct layer *l = f->layers; l->name; l = last_of(l) + 1)
		n[kept(l)]++;
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
		if (probes[i].weight == NEEDED && row_of(f, probes[i].id)->state == OSH_PROBE_LACKS)
			needed = "; no sandbox starts here";
	fprintf(out, "\n%u promises kept, %u missing, %u untried%s\n", n[LAYER_LIVES], n[LAYER_MISSING], n[LAYER_UNPROVED],
		needed);
}

void doctor_text(const struct findings *f, FILE *out)
{
	text_machine(f, out);
	text_promises(f, out);
	text_lacks(f, out);
	text_limits(f, out);
	text_end(f, out);
}

static void json_words(struct json *j, const char *key, const char *list, const char *separators)
{
	json_key(j, key);
	json_arr(j);
	while (*(list += strspn(list, separators))) {
		json_str(j, list, strcspn(list, separators));
		list += strcspn(list, separators);
	}
	json_end(j);
}

static void json_machine(const struct findings *f, struct json *j)
{
	const struct facts *x = &f->facts;

	json_kv_str(j, "version", OSH_VERSION);
	json_kv_str(j, "kernel", x->release);
	json_words(j, "security_modules", x->lsm, ",");
	json_key(j, "cgroup");
	json_obj(j);
	json_kv_str(j, "layout", facts_layout(x->layout));
	json_kv_str(j, "mount", x->cgroup[0] ? x->cgroup : NULL);
	json_words(j, "v2", x->v2, " ");
	json_words(j, "v1", x->v1, " ");
	json_end(j);
	json_kv_str(j, "unasked", f->unasked[0] ? f->unasked : NULL);
}

static void json_promises(const struct findings *f, struct json *j)
{
	char fix[FIX_MAX];

	json_key(j, "promises");
	json_arr(j);
	for (const struct layer *l = f->layers; l->name;) {
		const struct layer *last = last_of(l);

		json_obj(j);
		json_kv_str(j, "promise", l->promise);
		json_kv_str(j, "state", kept_words[kept(l)]);
		json_key(j, "layers");
		json_arr(j);
		for (; l <= last; l++) {
			json_obj(j);
			json_kv_str(j, "layer", l->name);
			json_kv_str(j, "state", l->state == LAYER_UNPROVED ? "untried" : layer_word(l->state));
			json_kv_str(j, "note", l->note);
			json_kv_str(j, "fix", fix_of_layer(f, l, fix));
			json_end(j);
		}
		json_end(j);
		json_end(j);
	}
	json_end(j);
}

static void json_features(const struct findings *f, struct json *j)
{
	char fix[FIX_MAX];

	json_key(j, "features");
	json_arr(j);
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		const struct osh_probe_row *r = row_of(f, probes[i].id);

		json_obj(j);
		json_kv_str(j, "name", probes[i].name);
		json_kv_str(j, "what", probes[i].what);
		json_kv_str(j, "weight", weight_words[probes[i].weight]);
		json_kv_str(j, "state", state_words[r->state % ARRAY_SIZE(state_words)]);
		json_kv_str(j, "note", r->note);
		json_kv_str(j, "fix", r->state == OSH_PROBE_LACKS ? fix_of(f, probes[i].id, fix) : NULL);
		json_end(j);
	}
	json_end(j);
}

static void json_programs(const struct findings *f, struct json *j)
{
	char fix[FIX_MAX];

	json_key(j, "programs");
	json_arr(j);
	for (unsigned i = 0; i < ARRAY_SIZE(programs); i++) {
		const struct osh_probe_row *r = row_of(f, OSH_PROBE_HOOK + i);

		json_obj(j);
		json_kv_str(j, "name", programs[i].name);
		json_kv_str(j, "where", programs[i].where);
		json_kv_str(j, "state", state_words[r->state % ARRAY_SIZE(state_words)]);
		json_kv_str(j, "note", r->note);
		json_kv_str(j, "fix", r->state == OSH_PROBE_LACKS ? fix_of(f, OSH_PROBE_HOOK + i, fix) : NULL);
		json_end(j);
	}
	json_end(j);
}

static void json_limits(const struct findings *f, struct json *j)
{
	json_key(j, "limits");
	json_arr(j);
	for (size_t i = 0; i < LIMITS; i++) {
		json_obj(j);
		json_kv_str(j, "name", limits[i].name);
		json_key(j, "value");
		if (f->facts.known[i])
			json_u64(j, f->facts.limit[i]);
		else
			json_nil(j);
		json_kv_u64(j, "enough", limits[i].enough);
		json_kv_str(j, "fix", too_low(&f->facts, i) ? limits[i].fix : NULL);
		json_end(j);
	}
	json_end(j);
}

int doctor_json(const struct findings *f, FILE *out)
{
	struct json j = json_to_file(out);

	json_obj(&j);
	json_machine(f, &j);
	json_kv_bool(&j, "kept", f->kept);
	json_promises(f, &j);
	json_features(f, &j);
	json_programs(f, &j);
	json_limits(f, &j);
	json_end(&j);
	return json_line(&j);
}
