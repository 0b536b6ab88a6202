/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_TOOLS_TOP_PLACE_H
#define VIADUCT_TOOLS_TOP_PLACE_H

#include "top_sample.h"

/* Where a client runs, as /proc tells: "host", "container ID", "guest NAME" of the virtual machine. Printable. */
void top_place(const struct top_client *client, char place[static TOP_TEXT]);
/* The user's name or number. */
void top_user(const struct top_client *client, char user[static TOP_TEXT]);

#endif
