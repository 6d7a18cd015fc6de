/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of the control API that oshctl and oshd must agree on: org.osh.Manager1, spoken peer to peer
 * on the private socket (no bus daemon, no destination).
 */
#pragma once

#define MANAGER_SOCKET "/run/osh/bus"
#define MANAGER_PATH "/org/osh/Manager1"
#define MANAGER_INTERFACE "org.osh.Manager1"
#define MANAGER_ERROR "org.osh.Error."	/* prefix of every error name; the message is for a person */

/*
 * Run(s name, h bundle, h control, h workdir, a{sv} options) -> (s name, u id)
 * name: "" = choose one. bundle: sealed memfd. control: osh-init's end of a seqpacket pair.
 * workdir: O_PATH, opened by the caller.
 */
#define MANAGER_RUN "Run"
#define MANAGER_RUN_IN "shhha{sv}"
#define MANAGER_RUN_OUT "su"

#define MANAGER_OPT_WORKDIR "workdir"	/* s: absolute path of the workdir as the caller names it */
#define MANAGER_OPT_LOG "log"		/* h: append only */
#define MANAGER_OPT_SUMMARY "summary"	/* h: pipe; the denial summary is written there at the end */
#define MANAGER_OPT_HOSTS "upstream-hosts"	/* h: read only */
#define MANAGER_OPT_CA "upstream-ca"	/* h: read only */
#define MANAGER_OPT_CREDS "credentials"	/* h: sealed memfd, see osh/creds.h */

/*
 * PolicySet(s name, h bundle, a{sv} options) -> (u generation)
 * bundle: sealed memfd. Answered when kernel and egress run the new generation. No option is known yet.
 */
#define MANAGER_POLICY_SET "PolicySet"
#define MANAGER_POLICY_SET_OUT "u"

/* How oshctl starts an oshd of its own; the bus is descriptor 3. */
#define MANAGER_EMBEDDED "--embedded"
#define MANAGER_BUS_FD "--bus-fd"
