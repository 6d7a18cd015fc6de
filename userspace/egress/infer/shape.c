/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "infer/infer.h"

static const struct {
	const char *text, *method, *path;
	enum osh_model_in model;
} shapes[OSH_SHAPES] = {
	[OSH_SHAPE_NOT] = { "", "", "", OSH_MODEL_NONE },
#define SHAPE(id, text, method, path, apis, model, counted) \
	[OSH_SHAPE_##id] = { text, method, path, OSH_MODEL_##model },
#include "osh/shapes.def"
#undef SHAPE
};

enum osh_model_in shape_model(enum osh_shape shape)
{
	return shapes[shape].model;
}

const char *shape_text(enum osh_shape shape)
{
	return shapes[shape].text;
}

/* The part of the path that a star of the row stands for. */
static bool meets(const char *row, const char *path, struct slice *model)
{
	size_t head = strcspn(row, "*"), n = strlen(path);
	const char *tail = row + head;
	size_t stars = strspn(tail, "*");

	*model = (struct slice){ NULL, 0 };
	if (!stars)
		return strcmp(row, path) == 0;
	tail += stars;
	if (n <= head + strlen(tail) || memcmp(row, path, head) != 0 || strcmp(path + n - strlen(tail), tail) != 0)
		return false;
	*model = (struct slice){ path + head, n - head - strlen(tail) };
	return stars > 1 || !memchr(model->p, '/', model->n);
}

enum osh_shape shape_of(const char *method, const char *path, struct slice *model)
{
	for (unsigned i = OSH_SHAPE_NOT + 1; i < OSH_SHAPES; i++)
		if (!strcmp(method, shapes[i].method) && meets(shapes[i].path, path, model))
			return (enum osh_shape)i;
	*model = (struct slice){ NULL, 0 };
	return OSH_SHAPE_NOT;
}

/* As it may stand in a path; '/' stays where the row takes the rest. */
static size_t escape(char *out, size_t room, const char *model, bool rest)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
	size_t n = 0;

	for (; *model && n + 4 < room; model++)
		if (strchr(plain, *model) || (rest && *model == '/'))
			out[n++] = *model;
		else
			n += (size_t)snprintf(out + n, room - n, "%%%02X", (unsigned char)*model);
	return *model ? room : n;
}

bool shape_path(enum osh_shape shape, const char *path, const char *model, const char *before, char *out, size_t room)
{
	const char *row = shapes[shape].path;
	size_t head = strcspn(row, "*"), stars = strspn(row + head, "*");
	int n;

	if (!stars || !*model) {
		n = snprintf(out, room, "%s%s", before, path);
		return n > 0 && (size_t)n < room;
	}
	n = snprintf(out, room, "%s%.*s", before, (int)head, row);
	if (n < 0 || (size_t)n >= room)
		return false;
	n += (int)escape(out + n, room - (size_t)n, model, stars > 1);
	if ((size_t)n >= room)
		return false;
	return (size_t)n + (size_t)snprintf(out + n, room - (size_t)n, "%s", row + head + stars) < room;
}
