/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Calls of models: whose APIs there are, and what calls they know. Compiler and egress share this, and no code. */
#pragma once

#include <stdint.h>

#define OSH_INFERENCE_HOST "inference.local"
#define OSH_INFERENCE_PORT 443
#define OSH_SANDBOX_ZONE ".sandbox.local"	/* NAME.sandbox.local is a sandbox, for a route; nobody resolves it */
#define OSH_INFERENCE_ROUTES 64		/* of one policy */
#define OSH_INFERENCE_ALIASES 256
#define OSH_INFERENCE_WEIGHT 100	/* most of one route */
#define OSH_MODEL_LEN 200		/* bytes of a model's name */
#define OSH_INFERENCE_LIMITS 32		/* of one policy: a call is counted against a mask of them */
#define OSH_INFERENCE_PRICES 256
#define OSH_COUNT_MOST 1000000000000000ull	/* the largest limit: of calls, of tokens, of millionths of money */
#define OSH_PRICE_MOST 1000000000000ull	/* likewise, millionths for a million tokens */
#define OSH_ROUTE_NAME 64		/* bytes of a route's name, NUL included */
#define OSH_PRIVACY_RULES 32		/* of one policy */
#define OSH_PRIVACY_SHAPES 64		/* that one rule looks for: its kinds' and its own patterns */
#define OSH_PRIVACY_SPANS (1u << 18)	/* that are replaced in one call */
#define OSH_PRIVACY_DEEP 3		/* a text is looked at as JSON in it reads, so often in each other */

enum osh_api {				/* mask */
	OSH_API_OPENAI = 1,
	OSH_API_ANTHROPIC = 2,
	OSH_API_BEDROCK = 4,
	OSH_API_OLLAMA = 8,
	OSH_API_LLAMA = 16,
	OSH_APIS = 31,
	OSH_API_LIKE_OPENAI = OSH_API_OPENAI | OSH_API_OLLAMA | OSH_API_LLAMA,
};

enum osh_model_in { OSH_MODEL_NONE, OSH_MODEL_BODY, OSH_MODEL_OPTIONAL, OSH_MODEL_PATH };

/* What is limited, and for how long (oshd/count.c). */
enum osh_count { OSH_COUNT_REQUESTS, OSH_COUNT_TOKENS, OSH_COUNT_MONEY, OSH_COUNTS };
enum osh_window { OSH_WINDOW_MINUTE, OSH_WINDOW_DAY, OSH_WINDOWS };
enum osh_price { OSH_PRICE_INPUT, OSH_PRICE_OUTPUT, OSH_PRICE_CACHED, OSH_PRICE_STORED, OSH_PRICES };

enum osh_counted {			/* by limits, as shapes.def has it */
	OSH_COUNTED_NOT,
	OSH_COUNTED_CALL,		/* among the calls; it costs no tokens */
	OSH_COUNTED_TOKENS,
};

/* What `inference.privacy` looks for in what is said to a model, and what comes of it. */
enum osh_content {
#define KIND(id, word) OSH_CONTENT_##id,
#define TOKEN(kind, pattern, least, flags, until)
#include "osh/content.def"
#undef KIND
#undef TOKEN
	OSH_CONTENTS
};
enum osh_private { OSH_PRIVATE_REFUSE, OSH_PRIVATE_REDACT, OSH_PRIVATE_LOCAL, OSH_PRIVATES };

#define OSH_TOKEN_WORD 1u
#define OSH_TOKEN_DIGIT 2u
#define OSH_CAPITALS_4 "[A-Z0-9][A-Z0-9][A-Z0-9][A-Z0-9]"
#define OSH_CAPITALS_16 OSH_CAPITALS_4 OSH_CAPITALS_4 OSH_CAPITALS_4 OSH_CAPITALS_4

enum osh_shape {
	OSH_SHAPE_NOT,
#define SHAPE(id, text, method, path, apis, model, counted) OSH_SHAPE_##id,
#include "osh/shapes.def"
#undef SHAPE
	OSH_SHAPES
};

struct osh_shape_row {
	const char *text, *method, *path;
	uint32_t apis;			/* enum osh_api, mask */
	enum osh_model_in model;
};
