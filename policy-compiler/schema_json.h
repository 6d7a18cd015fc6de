/* SPDX-License-Identifier: Apache-2.0 */
/* The language as JSON Schema (draft 2020-12), from the tables that the reader walks. */
#pragma once

#include "json.h"

void schema_json(struct json *j);
