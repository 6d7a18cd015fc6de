/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For journald, where oshd's words go there: what was denied, observed or found, and the life of sandboxes, as messages with
 * fields (docs/service.md). The log is the record; this is what an administrator's tools can filter by.
 */
#pragma once

#include "ocsf.h"

void journald_line(const struct asandbox *s, const struct osh_event_named *e, const struct ocsf_context *c);
void journald_finding(const char *sandbox, uint32_t id, uint32_t uid, const char *title, uint64_t count, uint64_t seq);
void journald_provider(const struct osh_msg_audit_provider *m);
