/* SPDX-License-Identifier: MIT
 *
 * Programs of several processes, which speak by sockets.
 */
#ifndef TESTS_PROCESSES_H
#define TESTS_PROCESSES_H

#include <stddef.h>
#include <sys/types.h>

/* How many descriptors are open. */
int count_descriptors(void);
/* A message to another process, with a descriptor unless it is negative, which the receiver gets. */
void tell(int socket, const void *message, size_t size, int fd);
int hear(int socket, void *message, size_t size);
/* The same where all that is said is how far one is; it must be this far. */
void say(int socket, int step, int fd);
int listen_for(int socket, int step);
/* Starts another process, which must be before the first instance: the child has one of its own. Once
 * it is told something, and not if this one ends before, it calls run with its end of *socket, and
 * ends when that returns. */
pid_t other_process(int *socket, void (*run)(int socket));

#endif
