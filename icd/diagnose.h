/* SPDX-License-Identifier: MIT
 *
 * What the driver tells `viaduct doctor`, which loads it without a loader and asks it what it would do
 * for an application. The doctor may be of another version than the driver: both only know words, and
 * the one does not mind what the other does not know.
 *
 * A word (key), what it is about, and a sentence. Words:
 *
 *   driver          its version; the sentence tells protocol and registry
 *   host-pages      whether memory of the application can become device memory: yes or no
 *   reached         the transport, and the sentence is what both ends have in common
 *   device          a device's name, and the sentence is what driver the server has for it
 *   device-memory   a device's name: memory that it and the application can both reach
 *   device-blind    a device's name: there is no such memory
 *   no-device       the server has no devices
 *   "" (empty)      another line of the driver's log
 *
 * and the reasons why there is no connection:
 *
 *   transport-unknown                        VIADUCT_TRANSPORT (about: its value)
 *   node-denied, node-foreign,               virtio-gpu (about: the render node): it may not be opened;
 *   node-version, node-senseless             it is not Viaduct's; its protocol is another one; it is broken
 *   socket-absent, socket-denied,            vtest (about: the socket's path): it is not there; it may not
 *   socket-stale, socket-silent,             be opened; nobody listens; nobody answers;
 *   socket-foreign, socket-version,          it is not Viaduct's; its protocol is another one;
 *   socket-senseless, socket-long,           it breaks off; the path is too long;
 *   socket-owner, socket-error               it is another user's; anything else
 *   in-server, no-context, no-vulkan         the driver is in a server itself; the server did not set up
 *                                            the connection; its own Vulkan does not start
 */
#ifndef VIADUCT_ICD_DIAGNOSE_H
#define VIADUCT_ICD_DIAGNOSE_H

typedef void (*vdc_diagnose_listener)(void *data, const char *word, const char *about,
                                      const char *text);

/* The name and the type of the function that the library exports. It connects, asks the server for its
 * devices, disconnects, and tells `say` on the way. No device is made, and no GPU works. Once for each
 * process. */
#define VDC_DIAGNOSE_SYMBOL "viaduct_diagnose"
typedef void (*vdc_diagnose_function)(vdc_diagnose_listener say, void *data);

#endif
