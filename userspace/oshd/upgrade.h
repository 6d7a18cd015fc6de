/* SPDX-License-Identifier: Apache-2.0 */
/* A former oshd's kernel objects: used as they are, or, where its programs were another build's, with ours (docs/upgrade.md). */
#pragma once

#include "daemon.h"

int upgrade_adopt(struct daemon *d, struct err *e);	/* -ENOENT: there is nothing whole to adopt */
void upgrade_sandboxes(struct daemon *d);		/* once they are adopted */
