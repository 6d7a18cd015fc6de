/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Calls of models: whose APIs there are, and what calls they know. Compiler and egress share this, and no code. */
#pragma once

#include <stdint.h>

#define OSH_INFERENCE_HOST "inference.local"
#define OSH_INFERENCE_PORT 443
#define OSH_INFERENCE_ROUTES 64		/* of one policy */
#define OSH_INFERENCE_ALIASES 256
#define OSH_MODEL_LEN 200		/* bytes of a model's name */
#define OSH_ROUTE_NAME 64		/* bytes of a route's name, NUL included */

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

enum osh_shape {
	OSH_SHAPE_NOT,
#define SHAPE(id, text, method, path, apis, model) OSH_SHAPE_##id,
#include "osh/shapes.def"
#undef SHAPE
	OSH_SHAPES
};

struct osh_shape_row {
	const char *text, *method, *path;
	uint32_t apis;			/* enum osh_api, mask */
	enum osh_model_in model;
};
