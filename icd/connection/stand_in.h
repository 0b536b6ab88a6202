/* SPDX-License-Identifier: MIT
 *
 * Signals are for the threads of the application; ours block them all. But where the application's
 * threads have ended and ours keep the process alive, somebody has to take the one that is to end it. A
 * stand-in takes the place of the process's first thread, once that has ended, with the signals that
 * it did not block.
 */
#ifndef VIADUCT_ICD_CONNECTION_STAND_IN_H
#define VIADUCT_ICD_CONNECTION_STAND_IN_H

/* Around the life of a thread of ours that keeps the process alive; the first call from the thread
 * that starts it. Thread-safe. */
void vdc_stand_in_begin(void);
/* Not in a forked child. */
void vdc_stand_in_end(void);

#endif
