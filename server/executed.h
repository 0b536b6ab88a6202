/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_SERVER_EXECUTED_H
#define VIADUCT_SERVER_EXECUTED_H

/* What became of a record. */
enum vds_executed {
    VDS_MALFORMED, /* a line is in the log, and the connection must end */
    VDS_EXECUTED,
    VDS_LEFT, /* it took so long that another thread has the turn now (turn.h) */
};

#endif
