/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/environment.h"

static const struct {
    const char *word;
    unsigned option;
} words[] = {
    {"direct", VDC_WSI_DIRECT},
    {"copy", VDC_WSI_COPY},
    {"noshm", VDC_WSI_NO_SHM},
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned options;

static void read_options(void)
{
    const char *list = vd_getenv("VIADUCT_WSI");
    while (list && *list) {
        const size_t length = strcspn(list, ",");
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            if (strlen(words[i].word) == length && memcmp(words[i].word, list, length) == 0)
                options |= words[i].option;
        list += length;
        list += *list == ',';
    }
}

unsigned vdc_wsi_options(void)
{
    pthread_once(&once, read_options);
    return options;
}
