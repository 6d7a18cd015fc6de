/* SPDX-License-Identifier: Apache-2.0 */
/* osh-launch --probe: does what a sandbox's start would do, with the same code, in namespaces that go at once. */
#pragma once

int launch_probe(int fd);		/* writes a row for each trial (osh/probe.h); gives the exit status */
