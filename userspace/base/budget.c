/* SPDX-License-Identifier: Apache-2.0 */
#include "budget.h"

#include <stdio.h>
#include <string.h>

void budget_amount(char *to, size_t room, enum osh_count what, uint64_t v)
{
	char text[32];
	size_t n;

	if (what != OSH_COUNT_MONEY) {
		snprintf(to, room, "%llu", (unsigned long long)v);
		return;
	}
	n = (size_t)snprintf(text, sizeof(text), "%llu.%06llu", (unsigned long long)(v / 1000000), (unsigned long long)(v % 1000000));
	while (text[n - 1] == '0')
		n--;
	snprintf(to, room, "%.*s", (int)(text[n - 1] == '.' ? n - 1 : n), text);
}

void budget_text(char *to, size_t room, const struct bundle *b, const struct osh_b_budget *l)
{
	static const char *const whats[OSH_COUNTS] = { "requests", "tokens", "of money" };
	static const char *const pers[OSH_WINDOWS] = { "minute", "day" };
	char amount[32];

	budget_amount(amount, sizeof(amount), (enum osh_count)l->what, l->most);
	snprintf(to, room, "%s %s a %s of %s%s%s", amount, whats[l->what], pers[l->per],
		 l->user ? "all sandboxes of the user" : "this sandbox", l->route ? ", route " : "",
		 l->route ? bundle_str(b, b->routes[l->route - 1].name) : "");
}
