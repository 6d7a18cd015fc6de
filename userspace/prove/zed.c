/* SPDX-License-Identifier: Apache-2.0 */
#include "zed.h"

#include <stdio.h>
#include <string.h>
#include <stdlib.h>

#include "prove.h"

/* Of one question, in Z3's own count of work: the same everywhere, unlike seconds. */
#define WORK 40000000
#define MODELS 32

static void gave_up(Z3_context c, Z3_error_code code)
{
	fprintf(stderr, "osh-prove: the solver gave up: %s\n", Z3_get_error_msg(c, code));
	_Exit(PROVE_GAVE_UP);
}

static void make(struct zed *z)
{
	Z3_config config = Z3_mk_config();
	Z3_params params;

	z->c = Z3_mk_context(config);
	Z3_del_config(config);
	Z3_set_error_handler(z->c, gave_up);
	z->s = Z3_mk_simple_solver(z->c);	/* keeps what it learnt between questions */
	Z3_solver_inc_ref(z->c, z->s);
	params = Z3_mk_params(z->c);
	Z3_params_inc_ref(z->c, params);
	Z3_params_set_uint(z->c, params, Z3_mk_string_symbol(z->c, "rlimit"), WORK);
	/* No signal handlers and no thread of a timer: neither is among the calls that are left. */
	Z3_params_set_bool(z->c, params, Z3_mk_string_symbol(z->c, "ctrl_c"), false);
	Z3_solver_set_params(z->c, z->s, params);
	Z3_params_dec_ref(z->c, params);
}

/*
 * To make a context takes longer than most models do, so one is used again; not for ever, since it keeps each term
 * that was ever made in it.
 */
static struct {
	struct zed z;
	unsigned left;			/* models that it is still good for; 0 = there is none */
	bool busy;
} spare;

void zed_open(struct zed *z, struct arena *a)
{
	*z = (struct zed){ .a = a };
	if (!spare.left) {
		make(z);
		spare.z = *z;
		spare.left = MODELS;
	} else if (spare.busy) {
		make(z);
		return;
	}
	z->c = spare.z.c;
	z->s = spare.z.s;
	spare.busy = true;
	Z3_solver_push(z->c, z->s);
}

void zed_warm(void)
{
	struct arena a = { 0 };
	struct zed z;

	zed_open(&z, &a);
	z_assert(&z, z_bool(&z, "warm"));
	(void)Z3_solver_check(z.c, z.s);
	zed_close(&z);
	arena_done(&a);
}

void zed_close(struct zed *z)
{
	if (spare.left && z->c == spare.z.c) {
		Z3_solver_pop(z->c, z->s, 1);
		spare.busy = false;
		if (--spare.left)
			return;
	}
	Z3_solver_dec_ref(z->c, z->s);
	Z3_del_context(z->c);
}

Z3_ast z_true(struct zed *z)
{
	return Z3_mk_true(z->c);
}

Z3_ast z_false(struct zed *z)
{
	return Z3_mk_false(z->c);
}

Z3_ast z_not(struct zed *z, Z3_ast a)
{
	return Z3_mk_not(z->c, a);
}

Z3_ast z_and(struct zed *z, Z3_ast a, Z3_ast b)
{
	return Z3_mk_and(z->c, 2, (Z3_ast[]){ a, b });
}

Z3_ast z_or(struct zed *z, Z3_ast a, Z3_ast b)
{
	return Z3_mk_or(z->c, 2, (Z3_ast[]){ a, b });
}

Z3_ast z_imply(struct zed *z, Z3_ast a, Z3_ast b)
{
	return Z3_mk_implies(z->c, a, b);
}

Z3_ast z_ite(struct zed *z, Z3_ast c, Z3_ast t, Z3_ast e)
{
	return Z3_mk_ite(z->c, c, t, e);
}

Z3_ast z_bool(struct zed *z, const char *name)
{
	return Z3_mk_fresh_const(z->c, name, Z3_mk_bool_sort(z->c));
}

Z3_ast z_bits(struct zed *z, const char *name, unsigned bits)
{
	return Z3_mk_fresh_const(z->c, name, Z3_mk_bv_sort(z->c, bits));
}

Z3_ast z_is(struct zed *z, Z3_ast bits, uint64_t value)
{
	return Z3_mk_eq(z->c, bits, Z3_mk_unsigned_int64(z->c, value, Z3_get_sort(z->c, bits)));
}

Z3_ast z_within(struct zed *z, Z3_ast bits, uint64_t from, uint64_t to)
{
	Z3_sort sort = Z3_get_sort(z->c, bits);
	Z3_ast least;

	if (to <= from + 1)
		return to > from ? z_is(z, bits, from) : z_false(z);
	least = from ? Z3_mk_bvuge(z->c, bits, Z3_mk_unsigned_int64(z->c, from, sort)) : z_true(z);
	return z_and(z, least, Z3_mk_bvult(z->c, bits, Z3_mk_unsigned_int64(z->c, to, sort)));
}

void z_assert(struct zed *z, Z3_ast a)
{
	Z3_solver_assert(z->c, z->s, a);
}

void terms_add(struct terms *t, Z3_ast a)
{
	Z3_ast *slot = list_push(t->z->a, &t->v, sizeof(*slot));

	if (!slot)
		_Exit(PROVE_GAVE_UP);
	*slot = a;
}

Z3_ast terms_or(const struct terms *t)
{
	return t->v.n ? Z3_mk_or(t->z->c, t->v.n, t->v.v) : z_false(t->z);
}

Z3_ast terms_and(const struct terms *t)
{
	return t->v.n ? Z3_mk_and(t->z->c, t->v.n, t->v.v) : z_true(t->z);
}

static Z3_ast of_model(struct zed *z, Z3_model m, Z3_ast a)
{
	Z3_ast v = NULL;

	if (!Z3_model_eval(z->c, m, a, true, &v))
		_Exit(PROVE_GAVE_UP);
	return v;
}

bool z_value(struct zed *z, Z3_model m, Z3_ast a)
{
	return Z3_get_bool_value(z->c, of_model(z, m, a)) == Z3_L_TRUE;
}

uint64_t z_number(struct zed *z, Z3_model m, Z3_ast a)
{
	uint64_t v = 0;

	(void)Z3_get_numeral_uint64(z->c, of_model(z, m, a), &v);
	return v;
}
