/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_TRANSPORT_VTEST_HANDSHAKE_H
#define VIADUCT_ICD_TRANSPORT_VTEST_HANDSHAKE_H

#include <stdbool.h>

#include "protocol/record.h"

#include "vtest_socket.h"

/* Finds the server's socket, connects it and comes to terms with the server, which is given some
 * seconds. The socket is the caller's then, without a deadline. False, with a line in the log: there
 * is no server that this driver can use. */
bool vdc_vtest_handshake(struct vdc_vtest_socket *wire, struct vd_capset *capset);

#endif
