/* SPDX-License-Identifier: Apache-2.0 */
/* The handshake before the first message. It proves nothing: who calls is what the kernel recorded. */
#pragma once

/* As the server. 0, or -errno: the far end is none that we talk to. Reads not one byte too many. */
int sasl_serve(int fd);

/* As oshd's client. */
int sasl_ask(int fd);
