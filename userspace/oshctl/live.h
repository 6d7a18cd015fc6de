/* SPDX-License-Identifier: Apache-2.0 */
/* Names that a resident oshd knows; none where none listens. */
#pragma once

typedef void live_name(void *data, const char *name, const char *about);

void live_sandboxes(const char *socket, live_name *each, void *data);
void live_volumes(const char *socket, live_name *each, void *data);
void live_providers(const char *socket, live_name *each, void *data);
