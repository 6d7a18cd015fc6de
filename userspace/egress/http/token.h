/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OAuth 2.0 tokens (RFC 6749: refresh token, section 6; client credentials, section 4.4). The egress asks the
 * provider's token endpoint itself, over its own pool: same resolver, same guard on addresses, verified TLS.
 */
#pragma once

#include "http/exchange_parts.h"

enum token_state { TOKEN_READY, TOKEN_WAIT, TOKEN_FAILED };

/*
 * Is there a token for this provider that will last? WAIT: one is being asked for; the exchange joins
 * fs->tokens, whose members fs->token_timer judges again. FAILED: the last try failed a moment ago. A provider without refresh is always READY.
 */
enum token_state token_need(struct flows *fs, const char *credential);

/* Of an exchange of our own, where another policy is in force: is its token still wanted? */
bool token_wanted(const struct exchange *x, const struct bundle *b);
bool token_current(const struct exchange *x);	/* and where another set is: has it that credential still? */
