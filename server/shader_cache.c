/* SPDX-License-Identifier: MIT */
#include "shader_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/driver_environment.h"
#include "common/environment.h"
#include "common/own_folder.h"

#include "log.h"

/* Another number when what lies there changes its meaning, as the numbers of VDS_SHADER_CACHE_WRITTEN and
 * VDS_SHADER_CACHE_INDEX do: the links name them. */
#define VERSION "v1"

/* Mesa's variable, which tells children of the cache as well. */
#define FOLDER_VARIABLE "MESA_SHADER_CACHE_DIR"

/* Mesa's name of the file that it writes, without the ending; its index has "_idx" more. */
#define WRITTEN "foz_cache"
/* The name of what workers read. */
#define READ "server"

/* In the workers' folder: a file without contents that is as long as Mesa's file called "index", by which its
 * other kinds of caches find entries. Where that is not so long already, Mesa makes it so, and would take memory
 * for all of it. It is there once there is something to read. */
#define INDEX_LENGTH ".index"

/* In the version's folder: whichever compiler has locked this file is the only one there. */
#define LOCK "lock"

/* What a file or link is called until it is whole. */
#define NEW ".new"

/* What Mesa would ask besides about caches that are not ours to choose. */
static const char *const ignored[] = {
    "MESA_DISK_CACHE_COMBINE_RW_WITH_RO_FOZ",
    "MESA_DISK_CACHE_DATABASE",
    "MESA_DISK_CACHE_DATABASE_EVICTION_SCORE_2X_PERIOD",
    "MESA_DISK_CACHE_DATABASE_NUM_PARTS",
    "MESA_DISK_CACHE_MULTI_FILE",
    "MESA_DISK_CACHE_READ_ONLY_FOZ_DBS_DYNAMIC_LIST",
    "MESA_GLSL_CACHE_DIR",
    "MESA_GLSL_CACHE_MAX_SIZE",
    "MESA_SHADER_CACHE_MAX_SIZE",
    "MESA_SHADER_CACHE_SHOW_STATS",
};

/* What is so until there is something to read. */
static void disable(void)
{
    unsetenv(FOLDER_VARIABLE);
    setenv("MESA_SHADER_CACHE_DISABLE", "true", 1);
    setenv("MESA_GLSL_CACHE_DISABLE", "true", 1); /* its name before Mesa 22 */
}

/* Puts three parts of a path together. False with errno: they are too long. */
static bool join(char path[static PATH_MAX], const char *first, const char *second,
                 const char *third)
{
    errno = ENAMETOOLONG;
    return snprintf(path, PATH_MAX, "%s%s%s", first, second, third) < PATH_MAX;
}

/* ---- The listener */

/* The user's folder for caches, or the service's. False with errno. */
static bool default_folder(char path[static PATH_MAX])
{
    const char *given[] = {vd_getenv("CACHE_DIRECTORY"), vd_getenv("XDG_CACHE_HOME")};
    const char *home = vd_getenv("HOME");
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
        if (given[i] && given[i][0] == '/')
            return join(path, given[i], "/viaduct", "");
    if (home && home[0] == '/')
        return join(path, home, "/.cache/viaduct", "");
    errno = ENOENT;
    return false;
}

/* Fills `path`, the workers' folder. False: there can be none, and errno says why. */
static bool prepare(const char *folder, char path[static PATH_MAX])
{
    char wanted[PATH_MAX], root[PATH_MAX];
    if (!folder && !default_folder(wanted))
        return false;
    if (!vd_make_own_folder(folder ? folder : wanted, root))
        return false;
    const char *const parts[] = {"", "/server", "/workers"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!join(path, root, "/" VERSION, parts[i]) || (mkdir(path, 0700) < 0 && errno != EEXIST))
            return false;
    return true;
}

bool vds_shader_cache_begin(const char *folder, bool confined)
{
    char path[PATH_MAX];
    disable();
    setenv("__GL_SHADER_DISK_CACHE", "0", 1); /* NVIDIA */
    setenv("CUDA_CACHE_DISABLE", "1", 1);     /* which its ray tracing brings with it */
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        unsetenv(ignored[i]);
    /* What a driver compiles when it is told to work in another way may have the same keys: driver_environment.c. */
    const bool wanted =
        confined && !(folder && strcmp(folder, "-") == 0) && !vd_has_driver_variables();
    if (wanted && prepare(folder, path)) {
        setenv(FOLDER_VARIABLE, path, 1);
        setenv("MESA_DISK_CACHE_SINGLE_FILE", "true", 1);
        setenv("MESA_DISK_CACHE_READ_ONLY_FOZ_DBS", READ, 1);
        unsetenv("MESA_SHADER_CACHE_DISABLE");
        unsetenv("MESA_GLSL_CACHE_DISABLE");
        return true;
    }
    if (wanted)
        vds_log(folder ? VDS_LOG_WARNING : VDS_LOG_DEBUG, "no cache of shaders: %s%s%s",
                strerror(errno), folder ? ": " : "", folder ? folder : "");
    return false;
}

/* ---- Everybody */

const char *vds_shader_cache_to_read(void)
{
    return vd_getenv(FOLDER_VARIABLE);
}

/* What is called so in the version's folder, for the workers and the compiler. False with errno. */
static bool path_of(const char *name, char path[static PATH_MAX])
{
    const char *one = vd_getenv(FOLDER_VARIABLE);
    errno = ENOENT;
    return one && join(path, one, "/../", name);
}

bool vds_shader_cache_to_write(char *path)
{
    return path_of("", path);
}

/* ---- A worker */

/* Memory at this number, of this length, which stays so, as what it begins with does (NULL: nothing, but zeros
 * that may change). */
static bool open_memory(int number, const char *name, const char *contents, off_t length)
{
    const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const unsigned fixed = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
    const bool ok = fd >= 0 && ftruncate(fd, length) == 0 &&
                    (!contents || pwrite(fd, contents, (size_t)length, 0) == length) &&
                    fcntl(fd, F_ADD_SEALS, contents ? fixed | F_SEAL_WRITE : fixed) == 0 &&
                    (fd == number || dup3(fd, number, O_CLOEXEC) == number);
    if (fd >= 0 && fd != number)
        close(fd);
    return ok;
}

void vds_shader_cache_open(void)
{
    /* How Mesa's file and the file's index begin: a cache without entries. Nothing can be added to it, so that a
     * client's shaders take no memory here. */
    static const char empty[16] = "\x81"
                                  "FOSSILIZEDB\0\0\0\6";
    const char *folder = vds_shader_cache_to_read();
    char length[PATH_MAX];
    struct stat status;
    if (!folder)
        return;
    if (!join(length, folder, "/", INDEX_LENGTH) || stat(length, &status) < 0 ||
        !open_memory(VDS_SHADER_CACHE_WRITTEN, "shader-cache", empty, sizeof(empty)) ||
        !open_memory(VDS_SHADER_CACHE_INDEX, "shader-cache-index", NULL, status.st_size))
        disable(); /* else Mesa would complain */
}

/* ---- The compiler */

bool vds_shader_cache_compile(void)
{
    char path[PATH_MAX];
    if (!path_of(LOCK, path))
        return false;
    /* Until this process ends. Not the folder itself: NFS locks only what is open to write. */
    const int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0 || flock(lock, LOCK_EX) < 0 || !path_of("server", path))
        return false;
    unsetenv("MESA_DISK_CACHE_READ_ONLY_FOZ_DBS");
    return setenv(FOLDER_VARIABLE, path, 1) == 0;
}

/* Where a folder of the compiler's is, and the workers' that is like it. */
struct pair {
    int from, to;
};

/* In place of what is called `name`, in one step. */
static bool replace(int folder, const char *name)
{
    return renameat(folder, NEW, folder, name) == 0;
}

/* A whole copy or none. */
static bool copy_file(const struct pair *folders, const char *from, const char *to)
{
    unlinkat(folders->to, NEW, 0);
    const int in = openat(folders->from, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const int out = openat(folders->to, NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    struct stat status;
    bool ok = in >= 0 && out >= 0 && fstat(in, &status) == 0;
    for (off_t at = 0; ok && at < status.st_size;)
        ok = sendfile(out, in, &at, (size_t)(status.st_size - at)) > 0;
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return ok && replace(folders->to, to);
}

/* By contents: a machine that lost its power may have the length alone. */
static bool is_copy(const struct pair *folders, const char *from, const char *to)
{
    char first[4096], second[sizeof(first)];
    struct stat status;
    const int in = openat(folders->from, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const int out = openat(folders->to, to, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool same = in >= 0 && out >= 0 && fstat(out, &status) == 0 && S_ISREG(status.st_mode) &&
                (status.st_mode & 07777) == 0400;
    for (ssize_t size = 1; same && size > 0;) {
        size = read(in, first, sizeof(first));
        same = size >= 0 && read(out, second, sizeof(second)) == size &&
               memcmp(first, second, (size_t)size) == 0;
    }
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return same;
}

/* What Mesa writes to, and the worker's descriptor that it gets for it. */
static const struct descriptor_link {
    const char *name;
    int number;
} links[] = {
    {WRITTEN ".foz", VDS_SHADER_CACHE_WRITTEN},
    {WRITTEN "_idx.foz", VDS_SHADER_CACHE_WRITTEN},
    {"index", VDS_SHADER_CACHE_INDEX},
};

#define LINK_COUNT  (sizeof(links) / sizeof(links[0]))
#define TARGET_SIZE 32

static void name_target(const struct descriptor_link *link, char target[static TARGET_SIZE])
{
    snprintf(target, TARGET_SIZE, "/proc/self/fd/%d", link->number);
}

static bool make_link(int folder, const struct descriptor_link *link)
{
    char target[TARGET_SIZE];
    name_target(link, target);
    unlinkat(folder, NEW, 0);
    return symlinkat(target, folder, NEW) == 0 && replace(folder, link->name);
}

static bool is_link(int folder, const struct descriptor_link *link)
{
    char wanted[TARGET_SIZE], target[TARGET_SIZE] = "";
    name_target(link, wanted);
    return readlinkat(folder, link->name, target, sizeof(target) - 1) >= 0 &&
           strcmp(target, wanted) == 0;
}

/* Of all devices alike, for it is one of Mesa. */
static bool note_index_length(const struct pair *folders, int workers)
{
    struct stat status;
    if (fstatat(folders->from, "index", &status, 0) < 0)
        status.st_size = 0; /* a Mesa that has none asks for none */
    unlinkat(workers, NEW, 0);
    const int fd = openat(workers, NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    if (fd < 0)
        return false;
    const bool noted = ftruncate(fd, status.st_size) == 0;
    close(fd);
    return noted && replace(workers, INDEX_LENGTH);
}

static bool is_known(const struct pair *folders)
{
    bool known = is_copy(folders, WRITTEN ".foz", READ ".foz") &&
                 is_copy(folders, WRITTEN "_idx.foz", READ "_idx.foz");
    for (size_t i = 0; i < LINK_COUNT; i++)
        known = known && is_link(folders->to, &links[i]);
    return known;
}

/* The links first: without them Mesa would complain. Then the entries before their index: a worker that begins
 * between the two finds what the old index says. */
static bool publish_device(const struct pair *folders)
{
    bool ok = true;
    for (size_t i = 0; i < LINK_COUNT; i++)
        ok = ok && make_link(folders->to, &links[i]);
    return ok && copy_file(folders, WRITTEN ".foz", READ ".foz") &&
           copy_file(folders, WRITTEN "_idx.foz", READ "_idx.foz");
}

static int open_folder(int in, const char *name)
{
    return openat(in, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* Mesa's folders are those of a kind of cache, of a version of the driver, and of a device. */
#define DEPTH 3

/* As vds_shader_cache_publish, for what is in these folders, which it closes. */
static int publish(struct pair folders, int workers, int depth)
{
    int count = -1;
    DIR *entries = folders.from >= 0 && folders.to >= 0 ? fdopendir(folders.from) : NULL;
    if (!entries) {
        if (folders.from >= 0)
            close(folders.from);
    } else if (faccessat(folders.from, WRITTEN ".foz", F_OK, 0) == 0) {
        count = is_known(&folders) ? 0 : publish_device(&folders) ? 1 : -1;
        if (count >= 0 && !note_index_length(&folders, workers))
            count = -1;
    } else {
        count = 0;
        for (const struct dirent *entry; count >= 0 && depth && (entry = readdir(entries));) {
            if (entry->d_name[0] == '.')
                continue;
            const int from = open_folder(folders.from, entry->d_name);
            if (from < 0)
                continue; /* no folder */
            const bool made = mkdirat(folders.to, entry->d_name, 0700) == 0 || errno == EEXIST;
            const int to = made ? open_folder(folders.to, entry->d_name) : -1;
            const int below = publish((struct pair){.from = from, .to = to}, workers, depth - 1);
            count = below < 0 ? -1 : count + below;
        }
    }
    const int error = errno;
    if (entries)
        closedir(entries);
    if (folders.to >= 0)
        close(folders.to);
    errno = error;
    return count;
}

int vds_shader_cache_publish(void)
{
    char server[PATH_MAX], workers[PATH_MAX];
    if (!path_of("server", server) || !path_of("workers", workers))
        return -1;
    const int to = open_folder(AT_FDCWD, workers);
    const int count =
        publish((struct pair){.from = open_folder(AT_FDCWD, server), .to = dup(to)}, to, DEPTH);
    const int error = errno;
    if (to >= 0)
        close(to);
    errno = error;
    return count;
}
