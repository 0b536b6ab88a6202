/* SPDX-License-Identifier: MIT */
#include "seeds.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);

static const char *folder;
static unsigned count;

void write_seed(const void *bytes, size_t size)
{
    char name[4096];
    snprintf(name, sizeof(name), "%s/seed-%u", folder, count++);
    FILE *file = fopen(name, "w");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        perror(name);
        exit(EXIT_FAILURE);
    }
}

void write_variants(const void *bytes, size_t size, size_t from)
{
    static const uint32_t changes[] = {1, UINT32_MAX};
    uint8_t *changed = malloc(size);
    if (!changed)
        abort();
    memcpy(changed, bytes, size);
    write_seed(changed, size);
    for (size_t at = from; at + sizeof(uint32_t) <= size; at += sizeof(uint32_t)) {
        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
            uint32_t word;
            memcpy(&word, changed + at, sizeof(word));
            word ^= changes[i];
            memcpy(changed + at, &word, sizeof(word));
            write_seed(changed, size);
            word ^= changes[i];
            memcpy(changed + at, &word, sizeof(word));
        }
    }
    free(changed);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    signal(SIGPIPE, SIG_IGN); /* as the listener has it, for all of its processes */
    if (*argc != 3 || strcmp((*argv)[1], "--seeds") != 0)
        return 0;
    folder = (*argv)[2];
    make_seeds();
    exit(EXIT_SUCCESS);
}
