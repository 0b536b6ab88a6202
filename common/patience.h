/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_COMMON_PATIENCE_H
#define VIADUCT_COMMON_PATIENCE_H

#ifndef __has_feature
#define __has_feature(name) 0 /* gcc says what it does with macros */
#endif

/* By how much the time to end grows under a sanitizer: everything is slower then, and the process
 * looks for leaks last. A deadline that cuts this short would hide what it finds. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define VD_PATIENCE 5
#else
#define VD_PATIENCE 1
#endif

#endif
