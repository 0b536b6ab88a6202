/* SPDX-License-Identifier: MIT */
#include "seal.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include <sodium/crypto_generichash.h>
#include <sodium/crypto_verify_32.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool has_key; /* under the lock, as the key */
static uint8_t the_key[VDS_SEAL_KEY_SIZE];

static bool make_locked(void)
{
    if (!has_key)
        has_key = getrandom(the_key, sizeof(the_key), 0) == (ssize_t)sizeof(the_key);
    return has_key;
}

bool vds_seal_get_key(uint8_t key[VDS_SEAL_KEY_SIZE])
{
    pthread_mutex_lock(&lock);
    const bool made = make_locked();
    memcpy(key, the_key, sizeof(the_key));
    pthread_mutex_unlock(&lock);
    return made;
}

void vds_seal_set_key(const uint8_t key[VDS_SEAL_KEY_SIZE])
{
    pthread_mutex_lock(&lock);
    memcpy(the_key, key, sizeof(the_key));
    has_key = true;
    pthread_mutex_unlock(&lock);
}

/* Sizes stand in front of what they count, so that no byte can pass for one of another part. */
static bool compute(const struct vds_sealed_data *binary, size_t size, uint8_t seal[VDS_SEAL_SIZE])
{
    const uint64_t head[] = {(uint64_t)binary->kind, binary->label_size, size};
    crypto_generichash_state state;
    static_assert(VDS_SEAL_SIZE == crypto_generichash_BYTES, "BLAKE2b of 256 bits");
    pthread_mutex_lock(&lock);
    const bool ready = make_locked() && crypto_generichash_init(&state, the_key, sizeof(the_key),
                                                                VDS_SEAL_SIZE) == 0;
    pthread_mutex_unlock(&lock);
    if (!ready)
        return false;
    crypto_generichash_update(&state, (const uint8_t *)head, sizeof(head));
    if (binary->label_size)
        crypto_generichash_update(&state, binary->label, binary->label_size);
    crypto_generichash_update(&state, binary->data, size);
    return crypto_generichash_final(&state, seal, VDS_SEAL_SIZE) == 0;
}

bool vds_seal(const struct vds_sealed_data *binary, uint8_t seal[VDS_SEAL_SIZE])
{
    return compute(binary, binary->size, seal);
}

bool vds_seal_holds(const struct vds_sealed_data *binary)
{
    uint8_t expected[VDS_SEAL_SIZE];
    if (binary->size < VDS_SEAL_SIZE)
        return false;
    const size_t size = binary->size - VDS_SEAL_SIZE;
    static_assert(VDS_SEAL_SIZE == crypto_verify_32_BYTES, "compared in constant time");
    return compute(binary, size, expected) &&
           crypto_verify_32(expected, (const uint8_t *)binary->data + size) == 0;
}
