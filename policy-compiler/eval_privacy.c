/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the policy says of texts that a call says to a model. A rule looks from left to right: where something that it looks for
 * begins, the longest such is one; then on from its end. Rules do not hinder each other. A slow reader of patterns that tries
 * every length of a run.
 */
#include <stdlib.h>
#include <string.h>

#include "eval.h"

static const struct token {
	enum osh_content kind;
	const char *pattern;
	size_t least;
	unsigned flags;
	const char *until;
} tokens[] = {
#define KIND(id, word)
#define TOKEN(kind, pattern, least, flags, until) { OSH_CONTENT_##kind, pattern, least, flags, until },
#include "osh/content.def"
#undef KIND
#undef TOKEN
};

struct folded {				/* a text as it is looked at */
	unsigned char *p;
	size_t *from;			/* of the byte: where its character begins in the text as it was, and where it ends */
	size_t *to;
	size_t n;
};

struct span {
	size_t from, to;		/* of the text as it was: whole characters */
	size_t at;			/* where it is found */
	const struct content_rule *rule;
};

/* ---- the text ----------------------------------------------------------------------------- */

static uint32_t character(const unsigned char *p, size_t *n)
{
	*n = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
	if (*n == 1)
		return *p;
	if (*n == 2)
		return (uint32_t)(p[0] & 31) << 6 | (p[1] & 63);
	if (*n == 3)
		return (uint32_t)(p[0] & 15) << 12 | (uint32_t)(p[1] & 63) << 6 | (p[2] & 63);
	return (uint32_t)(p[0] & 7) << 18 | (uint32_t)(p[1] & 63) << 12 | (uint32_t)(p[2] & 63) << 6 | (p[3] & 63);
}

/* What is seen as nothing, by blocks: marks of direction and of variants, joiners, fillers. As one writes so that it is not found. */
static bool unseen(uint32_t c)
{
	switch (c >> 8) {
	case 0x00:
		return c == 0xad;
	case 0x03:
		return c == 0x34f;
	case 0x06:
		return c == 0x61c;
	case 0x11:
		return c == 0x115f || c == 0x1160;
	case 0x17:
		return c == 0x17b4 || c == 0x17b5;
	case 0x18:
		return c >= 0x180b && c <= 0x180f;
	case 0x20:
		return (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f);
	case 0x31:
		return c == 0x3164;
	case 0xfe:
		return c <= 0xfe0f || c == 0xfeff;
	case 0xff:
		return c == 0xffa0 || (c >= 0xfff0 && c <= 0xfff8);
	case 0x1bc:
		return c >= 0x1bca0 && c <= 0x1bca3;
	case 0x1d1:
		return c >= 0x1d173 && c <= 0x1d17a;
	default:
		return c >> 12 == 0xe0;
	}
}

/* Letters of the width of two, and tags: those are not seen, but models read them. 0 = it is none. */
static unsigned char letter_of(uint32_t c)
{
	if (c >= 0xff01 && c <= 0xff5e)
		return (unsigned char)(c - 0xff01 + 0x21);
	return c >= 0xe0020 && c <= 0xe007e ? (unsigned char)(c - 0xe0000) : 0;
}

static bool fold(const struct eval_said *t, struct arena *a, struct folded *f)
{
	f->p = arena_zalloc(a, t->n + 1);
	f->from = arena_zalloc(a, (t->n + 1) * sizeof(size_t));
	f->to = arena_zalloc(a, (t->n + 1) * sizeof(size_t));
	if (!f->p || !f->from || !f->to)
		return false;
	for (size_t i = 0, n; i < t->n; i += n) {
		uint32_t c = character((const unsigned char *)t->p + i, &n);
		unsigned char as = letter_of(c);

		if (!as && unseen(c))
			continue;
		for (size_t k = 0; k < (as ? 1 : n); k++) {
			f->p[f->n] = as ? as : (unsigned char)t->p[i + k];
			f->from[f->n] = i;
			f->to[f->n++] = i + n;
		}
	}
	return true;
}

/* As text: what stands for the character c. */
static size_t spell(uint32_t c, char *to)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 + c / 64);
		to[1] = (char)(0x80 + c % 64);
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 + c / 4096);
		to[1] = (char)(0x80 + c / 64 % 64);
		to[2] = (char)(0x80 + c % 64);
		return 3;
	}
	to[0] = (char)(0xf0 + c / 262144);
	to[1] = (char)(0x80 + c / 4096 % 64);
	to[2] = (char)(0x80 + c / 64 % 64);
	to[3] = (char)(0x80 + c % 64);
	return 4;
}

/* \uXXXX at p; -1 where that is not there. */
static long four(const char *p, const char *end)
{
	char hex[5] = { 0 };

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	memcpy(hex, p + 2, 4);
	return strspn(hex, "0123456789abcdefABCDEF") == 4 ? strtol(hex, NULL, 16) : -1;
}

/* An escape at p, as *n bytes in `as`: bytes that it has there. 0 = it is none. */
static size_t unescape(const char *p, const char *end, char as[4], size_t *n)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	long c = four(p, end), low;
	const char *k;

	if (c >= 0) {
		low = c >= 0xd800 && c < 0xdc00 ? four(p + 6, end) : -1;
		if (low >= 0xdc00 && low < 0xe000) {
			*n = spell((uint32_t)(0x10000 + (c - 0xd800) * 1024 + (low - 0xdc00)), as);
			return 12;
		}
		*n = spell(c >= 0xd800 && c < 0xe000 ? 0xfffd : (uint32_t)c, as);
		return 6;
	}
	k = end - p >= 2 && *p == '\\' && p[1] ? strchr(from, p[1]) : NULL;
	if (!k)
		return 0;
	as[0] = to[k - from];
	*n = 1;
	return 2;
}

/* What makes a terminal show something in another way. A backslash does not: it begins an escape. */
static size_t control(const char *p, const char *end)
{
	const char *at = p + 2;

	if (end - p < 3 || p[0] != 27 || p[1] != '[')
		return 0;
	while (at < end && *at >= ' ' && *at <= '?')
		at++;
	return at < end && *at >= '@' && *at <= '~' && *at != '\\' ? (size_t)(at - p) + 1 : 0;
}

/* The text as JSON in it reads, without colours; NULL = nothing of that is in it, or no memory. */
static struct eval_said *read_again(const struct folded *f, struct arena *a)
{
	const char *p = (const char *)f->p, *end = p + f->n;
	struct eval_said *s = arena_zalloc(a, sizeof(*s));
	char *text = arena_zalloc(a, f->n + 4);
	bool other = false;

	if (!s || !text)
		return NULL;
	s->p = text;
	while (p < end) {
		size_t n = 0, len = control(p, end);

		if (!len)
			len = unescape(p, end, text + s->n, &n);
		other |= len;
		if (!len)
			text[s->n] = *p;
		s->n += len ? n : 1;
		p += len ? len : 1;
	}
	return other ? s : NULL;
}

static bool digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool letter(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool run(unsigned char c)
{
	return letter(c) || digit(c) || c == '_' || c == '-';
}

static bool hex(unsigned char c)
{
	return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Bytes of an escape of JSON that begins at i: texts hold JSON again. 0 = none does. */
static size_t escape(const struct folded *f, size_t i)
{
	if (i + 1 >= f->n || f->p[i] != '\\')
		return 0;
	if (memchr("nrtbf", f->p[i + 1], 5))
		return 2;
	if (f->p[i + 1] != 'u' || i + 6 > f->n)
		return 0;
	for (size_t k = i + 2; k < i + 6; k++)
		if (!hex(f->p[k]))
			return 0;
	return 6;
}

static bool word_begins(const struct folded *f, size_t at)
{
	return !at || !(letter(f->p[at - 1]) || digit(f->p[at - 1])) || (at >= 2 && escape(f, at - 2) == 2) ||
	       (at >= 6 && escape(f, at - 6) == 6);
}

/* ---- patterns ----------------------------------------------------------------------------- */

static bool meets(const char *token, unsigned char c, bool any_case)
{
	unsigned char other = letter(c) ? c ^ 32 : c;
	bool one, two, without = token[0] == '[' && (token[1] == '!' || token[1] == '^');

	if (c <= ' ' && (*token == '?' || without))
		return false;
	(void)pattern_token(token, c, 0, &one);
	if (!any_case)
		return one;
	(void)pattern_token(token, other, 0, &two);
	return without ? one && two : one || two;
}

/* Where the longest match ends that begins at `at`; 0 = none does. */
static size_t longest(const struct folded *f, const char *p, size_t at, bool any_case)
{
	size_t best = 0, n;
	bool hit;

	if (!*p)
		return at;
	if (*p == '*') {
		for (size_t to = at;; to++) {
			size_t end = longest(f, p + 1, to, any_case);

			best = end > best ? end : best;
			if (to >= f->n || !run(f->p[to]))
				return best;
		}
	}
	n = pattern_token(p, 0, 0, &hit);
	return at < f->n && meets(p, f->p[at], any_case) ? longest(f, p + n, at + 1, any_case) : 0;
}

static size_t token_at(const struct folded *f, const struct token *t, size_t at)
{
	size_t end = longest(f, t->pattern, at, false), n = strlen(t->until);
	bool digits = false;

	if (!end || ((t->flags & OSH_TOKEN_WORD) && !word_begins(f, at)))
		return 0;
	while (n && end < f->n && !(end + n <= f->n && !memcmp(f->p + end, t->until, n)))
		end++;
	end = n && end < f->n ? end + n : end;
	for (size_t i = at; i < end; i++)
		digits |= digit(f->p[i]);
	return end - at < t->least || ((t->flags & OSH_TOKEN_DIGIT) && !digits) ? 0 : end;
}

/* ---- e-mail ------------------------------------------------------------------------------- */

static bool before_at(unsigned char c)
{
	return run(c) || c == '.' || c == '%' || c == '+';
}

/* Is what stands from `from` on a name with a dot in it, whose last part is no number? Where it ends, or 0. */
static size_t domain(const struct folded *f, size_t from)
{
	size_t end = from, last = 0;
	bool named = false;

	while (end < f->n && ((run(f->p[end]) && f->p[end] != '_') ||
			      (f->p[end] == '.' && end > from && end + 1 < f->n && run(f->p[end + 1]) && f->p[end + 1] != '_'))) {
		if (f->p[end] == '.') {
			last = end;
			named = false;
		}
		named |= letter(f->p[end]);
		end++;
	}
	return last && named && end - last > 2 ? end : 0;
}

/* Where the one ends that begins at `at`, with nothing of what was found up to `after`; 0 = none does. */
static size_t email(const struct folded *f, size_t at, size_t after)
{
	const unsigned char *sign = memchr(f->p + at, '@', f->n - at);
	size_t i = sign ? (size_t)(sign - f->p) : 0, from = i;

	while (from > after && before_at(f->p[from - 1]))
		from--;
	/* The letter of an escape in front of it is not its own. */
	for (size_t k = 2; k <= 6; k += 4)
		if (from >= 1 && escape(f, from - 1) == k)
			from += k - 1;
	return sign && from == at && from < i ? domain(f, i + 1) : 0;
}

/* ---- rules -------------------------------------------------------------------------------- */

/* The longest at `at`, where the one before it ends at `after`: where it ends, or 0. */
static size_t found_at(const struct folded *f, const struct content_rule *rule, size_t at, size_t after)
{
	size_t best = rule->kinds >> OSH_CONTENT_EMAIL & 1 ? email(f, at, after) : 0, end;

	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
		if (rule->kinds >> tokens[i].kind & 1) {
			end = token_at(f, &tokens[i], at);
			best = end > best ? end : best;
		}
	for EACH (struct pattern, p, &rule->patterns)
		for (uint32_t i = 0; i < p->alts.n; i++) {
			end = longest(f, ((const char *const *)p->alts.v)[i], at, true);
			best = end > best ? end : best;
		}
	return best;
}

/* Each that the rule finds, into `to` where that is not NULL. */
static uint64_t find(const struct folded *f, const struct content_rule *rule, struct arena *a, struct list *to)
{
	uint64_t n = 0;

	for (size_t at = 0, after = 0; at < f->n; at = after > at ? after : at + 1) {
		size_t end = found_at(f, rule, at, after);
		struct span *s;

		if (end <= at)
			continue;
		n++;
		after = end;
		s = to ? list_push(a, to, sizeof(*s)) : NULL;
		if (s)
			*s = (struct span){ f->from[at], f->to[end - 1], at, rule };
	}
	return n;
}

struct judging {
	const struct policy *p;
	const struct eval_said *said;
	struct arena *a;
	struct eval_private *ret;
	uint32_t refused;		/* the first rule that refuses */
};

static bool replaces(const struct judging *j, const struct content_rule *r)
{
	return r->action == OSH_PRIVATE_REDACT && !j->said->fixed;
}

static void more(struct judging *j, const struct content_rule *r, uint64_t times, bool stops)
{
	uint32_t k = (uint32_t)(r - (const struct content_rule *)j->p->inference.privacy.v);

	j->ret->found[k] += times;
	j->ret->local |= times && r->action == OSH_PRIVATE_LOCAL;
	if (times && stops && r->action != OSH_PRIVATE_LOCAL && k < j->refused)
		j->refused = k;
}

/* As JSON in it reads, and JSON in that, what one rule finds beyond `most`: nothing of that is replaced. */
static bool judge_again(struct judging *j, const struct folded *f, const struct content_rule *r, uint64_t most)
{
	const struct eval_said *s = read_again(f, j->a);

	for (int deep = 0; s && deep < OSH_PRIVACY_DEEP; deep++) {
		struct folded g = { 0 };
		uint64_t times;

		if (!fold(s, j->a, &g))
			return false;
		times = find(&g, r, j->a, NULL);
		if (times > most) {
			more(j, r, times - most, true);
			most = times;
		}
		s = read_again(&g, j->a);
	}
	return true;
}

/* Characters of which a byte is in one of the spans become nothing that is looked for. */
static void clear(struct folded *f, const struct list *spans)
{
	for EACH (struct span, s, spans) {
		size_t i = s->at;

		while (i && f->from[i - 1] == s->from)
			i--;
		for (; i < f->n && f->from[i] < s->to; i++)
			f->p[i] = 0;
	}
}

/* What is replaced is gone before it is read again; for rules that replace nothing, nothing is gone. */
static bool judge_text(struct judging *j)
{
	struct folded f = { 0 }, left = { 0 };
	struct list spans = { 0 };

	if (!fold(j->said, j->a, &f) || !fold(j->said, j->a, &left))
		return false;
	for EACH (struct content_rule, r, &j->p->inference.privacy)
		if (replaces(j, r))
			more(j, r, find(&f, r, j->a, &spans), false);
	clear(&left, &spans);
	for EACH (struct content_rule, r, &j->p->inference.privacy) {
		bool gone = replaces(j, r);
		uint64_t times = gone ? 0 : find(&f, r, j->a, NULL);

		more(j, r, times, true);
		if (!judge_again(j, gone ? &left : &f, r, times))
			return false;
	}
	return true;
}

enum osh_reason eval_privacy(const struct policy *p, const struct eval_said *said, size_t n, struct arena *a,
			     struct eval_private *ret)
{
	const struct content_rule *rules = p->inference.privacy.v;
	uint32_t n_rules = p->inference.privacy.n;
	struct judging j = { .p = p, .a = a, .ret = ret, .refused = n_rules };

	*ret = (struct eval_private){ .found = arena_zalloc(a, (n_rules + 1) * sizeof(uint64_t)) };
	if (!ret->found)
		return OSH_WHY_INTERNAL;
	for (j.said = said; j.said < said + n; j.said++)
		if (!judge_text(&j))
			return OSH_WHY_INTERNAL;
	ret->refused = j.refused < n_rules ? &rules[j.refused] : NULL;
	return ret->refused ? OSH_WHY_PRIVATE : OSH_WHY_ALLOWED;
}

/* By where they begin, and then by the order of their rules, which lie one behind the other. */
static int by_place(const void *pa, const void *pb)
{
	const struct span *a = pa, *b = pb;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return a->rule < b->rule ? -1 : a->rule > b->rule;
}

const char *eval_redacted(const struct policy *p, const struct eval_said *said, struct arena *a)
{
	const char *out = arena_text(a, "", 0);
	struct list all = { 0 };
	struct folded f = { 0 };
	const struct span *v;
	size_t at = 0;

	if (!fold(said, a, &f))
		return NULL;
	for EACH (struct content_rule, rule, &p->inference.privacy)
		if (rule->action == OSH_PRIVATE_REDACT)
			(void)find(&f, rule, a, &all);
	if (all.n)
		qsort(all.v, all.n, sizeof(struct span), by_place);
	v = all.v;
	for (uint32_t i = 0; i < all.n && out;) {
		size_t to = v[i].to;
		const char *name = v[i].rule->name;

		out = arena_printf(a, "%s%.*s[redacted: %s]", out, (int)(v[i].from - at), said->p + at, name);
		for (i++; i < all.n && v[i].from < to; i++)
			to = v[i].to > to ? v[i].to : to;
		at = to;
	}
	return out ? arena_printf(a, "%s%.*s", out, (int)(said->n - at), said->p + at) : NULL;
}
