/* SPDX-License-Identifier: Apache-2.0 */
/* Words for the numbers of the ABI. Unknown numbers give "?", never NULL. */
#pragma once

const char *reason_text(unsigned why);		/* OSH_WHY_*: sentence for people */
const char *reason_id(unsigned why);		/* "NAME_UNKNOWN": stable word for tools */
const char *event_text(unsigned kind);		/* OSH_EV_*: "connect" */
unsigned event_class(unsigned kind);		/* OCSF class_uid */
const char *op_text(unsigned op);	/* what an event TASK is about: its aux */
const char *taint_name(unsigned tainted);	/* value of osh_task.tainted: the variable, "" for 0 */

#define DEVICE_TEXT 24
void device_text(unsigned aux, char ret[DEVICE_TEXT]);	/* of an event DEVICE: "c 195:0" */

#define RIGHTS_TEXT 288			/* of all of them */
void rights_text(unsigned aux, char ret[RIGHTS_TEXT]);	/* of an event LANDLOCK: "read file, execute" */
