/* SPDX-License-Identifier: Apache-2.0 */
/* Which programs may run: what may be read may be executed, less what `strict` takes away. */
#include "eval_parts.h"

struct decision eval_exec(const struct policy *p, const char *path, const char *workdir)
{
	const struct eval_connect c = { .binary = path };
	struct decision d = eval_file(p, path, workdir, path, false);

	if (d.verdict != OSH_ALLOW) {
		d.why = OSH_WHY_EXEC_TREE;
		return d;
	}
	if (p->exec.mode == OSH_EXEC_OPEN)
		return d;
	d.rule = "process.exec";
	d.line = p->exec.at.line;
	if (programs_list(&p->exec.allow, &c))
		return d;
	d.verdict = OSH_DENY;
	d.why = OSH_WHY_EXEC_STRICT;
	return d;
}
