/* SPDX-License-Identifier: MIT
 *
 * Descriptors that are handed to a driver. One that takes a descriptor owns it; one that fails should
 * leave it to its caller, but some have closed it by then, and closing it again closes whatever another
 * thread has been given meanwhile under the same number.
 */
#ifndef VIADUCT_SERVER_FD_H
#define VIADUCT_SERVER_FD_H

/* A duplicate for the driver, under a number so large that nobody is given it by chance; -1: none can be
 * made. `fd` stays the caller's. */
int vds_fd_lend(int fd);
/* The driver has not taken it: it is closed unless the driver has done that. By the thread that has lent
 * it, before that lends another one. */
void vds_fd_returned(int lent);

#endif
