/* SPDX-License-Identifier: MIT
 *
 * A child process for what may crash or hang: loaders, drivers, programs of others. What it finds
 * comes back as lines.
 */
#ifndef VIADUCT_TOOLS_DOCTOR_CHILD_H
#define VIADUCT_TOOLS_DOCTOR_CHILD_H

#include <stdbool.h>
#include <stddef.h>

struct doctor_finding {
    const char *word, *about, *text;
};

struct doctor_findings {
    char *bytes; /* that the findings point into */
    struct doctor_finding *list;
    size_t count;
    bool ended;   /* by itself, in time, with status 0 */
    char end[64]; /* how it ended, for a sentence: "does not answer", "was killed by ..." */
};

/* Runs function(data) in a child, for this time at most. It says what it finds with doctor_tell();
 * what it, or a library, prints to stdout or stderr becomes findings whose word is "". The findings
 * are there also if it crashes. False, with no findings: no child could be made. */
bool doctor_in_child(void (*function)(void *data), void *data, unsigned seconds,
                     struct doctor_findings *findings);
void doctor_findings_finish(struct doctor_findings *findings);

/* In the child. May be called as a vdc_diagnose_listener. */
void doctor_tell(void *unused, const char *word, const char *about, const char *text);

/* The first finding of this word, or NULL. */
const struct doctor_finding *doctor_find(const struct doctor_findings *findings, const char *word);

#endif
