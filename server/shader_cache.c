/* SPDX-License-Identifier: MIT */
#include "shader_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/environment.h"
#include "common/own_folder.h"

#include "log.h"

/* Another number when what lies there changes its meaning. */
#define VERSION "v1"

/* Mesa's variable, which tells children of the cache as well. */
#define FOLDER_VARIABLE "MESA_SHADER_CACHE_DIR"

/* Mesa's name of the file that it writes, without the ending; its index has "_idx" more. */
#define WRITTEN "foz_cache"
/* The name of what workers read. */
#define READ "server"

/* In the workers' folder: a file without contents that is as long as Mesa's file called "index", by which its
 * other kinds of caches find entries. Where that is not so long already, Mesa makes it so, and takes memory for
 * all of it. */
#define INDEX_LENGTH ".index"

/* What is so until there is something to read. */
static void disable(void)
{
    unsetenv(FOLDER_VARIABLE);
    setenv("MESA_SHADER_CACHE_DISABLE", "true", 1);
    setenv("MESA_GLSL_CACHE_DISABLE", "true", 1); /* its name before Mesa 22 */
}

/* ---- The listener */

/* The user's folder for caches, or the service's. */
static bool default_folder(char *path, size_t size)
{
    const char *given[] = {vd_getenv("CACHE_DIRECTORY"), vd_getenv("XDG_CACHE_HOME")};
    const char *home = vd_getenv("HOME");
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
        if (given[i] && given[i][0] == '/')
            return snprintf(path, size, "%s/viaduct", given[i]) < (int)size;
    return home && home[0] == '/' && snprintf(path, size, "%s/.cache/viaduct", home) < (int)size;
}

static bool make_folder(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* With those above it, as far as that is possible. False with errno. */
static bool make_folders(char *path)
{
    for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    return make_folder(path);
}

/* Fills `path`, the workers' folder. False: there can be none, and errno says why. */
static bool prepare(const char *folder, char *path, size_t size)
{
    char root[PATH_MAX];
    errno = ENOENT;
    if (folder ? snprintf(root, sizeof(root), "%s", folder) >= (int)sizeof(root)
               : !default_folder(root, sizeof(root)))
        return false;
    if (!make_folders(root) || !vd_own_folder(root))
        return false;
    const char *const parts[] = {"", "/server", "/workers"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (snprintf(path, size, "%s/" VERSION "%s", root, parts[i]) >= (int)size ||
            !make_folder(path))
            return false;
    return true;
}

bool vds_shader_cache_begin(const char *folder, bool confined)
{
    char path[PATH_MAX];
    disable();
    setenv("__GL_SHADER_DISK_CACHE", "0", 1); /* NVIDIA */
    setenv("CUDA_CACHE_DISABLE", "1", 1);     /* which its ray tracing brings with it */
    unsetenv("MESA_DISK_CACHE_READ_ONLY_FOZ_DBS_DYNAMIC_LIST");
    const bool wanted = confined && !(folder && strcmp(folder, "-") == 0);
    if (wanted && prepare(folder, path, sizeof(path))) {
        setenv(FOLDER_VARIABLE, path, 1);
        setenv("MESA_DISK_CACHE_SINGLE_FILE", "true", 1);
        setenv("MESA_DISK_CACHE_READ_ONLY_FOZ_DBS", READ, 1);
        unsetenv("MESA_SHADER_CACHE_DISABLE");
        unsetenv("MESA_GLSL_CACHE_DISABLE");
        return true;
    }
    if (wanted)
        vds_log(folder ? VDS_LOG_WARNING : VDS_LOG_DEBUG, "no cache of shaders: %s%s%s",
                folder ? folder : "", folder ? ": " : "", strerror(errno));
    return false;
}

/* ---- Everybody */

const char *vds_shader_cache_to_read(void)
{
    return vd_getenv(FOLDER_VARIABLE);
}

bool vds_shader_cache_to_write(char *path, unsigned size)
{
    const char *workers = vds_shader_cache_to_read();
    return workers && snprintf(path, size, "%s/..", workers) < (int)size;
}

/* ---- A worker */

/* Whether a compiler has been there. */
static bool has_folder(const char *path)
{
    DIR *entries = opendir(path);
    bool found = false;
    for (const struct dirent *entry; entries && !found && (entry = readdir(entries));)
        found = entry->d_name[0] != '.';
    if (entries)
        closedir(entries);
    return found;
}

/* A descriptor of memory at this number. Without one, Mesa finds no file, and does without a cache. */
static int open_memory(int number, const char *name)
{
    const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || fd == number)
        return fd;
    const int at = dup3(fd, number, O_CLOEXEC);
    close(fd);
    return at;
}

void vds_shader_cache_open(void)
{
    /* How Mesa's file and the file's index begin: a cache without entries. */
    static const char empty[16] = "\x81"
                                  "FOSSILIZEDB\0\0\0\6";
    const char *folder = vds_shader_cache_to_read();
    if (!folder)
        return;
    if (!has_folder(folder)) {
        disable(); /* else Mesa would complain */
        return;
    }
    /* Nothing can be added to it, so that a client's shaders take no memory here. */
    const int written = open_memory(VDS_SHADER_CACHE_WRITTEN, "shader-cache");
    if (written >= 0 && write(written, empty, sizeof(empty)) == sizeof(empty))
        fcntl(written, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
    char length[PATH_MAX];
    struct stat status;
    const int index = open_memory(VDS_SHADER_CACHE_INDEX, "shader-cache-index");
    if (index >= 0 &&
        snprintf(length, sizeof(length), "%s/" INDEX_LENGTH, folder) < (int)sizeof(length) &&
        stat(length, &status) == 0 && ftruncate(index, status.st_size) < 0)
        close(index);
}

/* ---- The compiler */

bool vds_shader_cache_compile(void)
{
    char path[PATH_MAX];
    const char *workers = vds_shader_cache_to_read();
    if (!workers || snprintf(path, sizeof(path), "%s/../server", workers) >= (int)sizeof(path))
        return false;
    unsetenv("MESA_DISK_CACHE_READ_ONLY_FOZ_DBS");
    return setenv("MESA_SHADER_CACHE_DIR", path, 1) == 0;
}

/* Where a folder of the compiler's is, and the workers' that is like it. */
struct pair {
    int from, to;
};

/* A whole copy or none. */
static bool copy_file(const struct pair *folders, const char *from, const char *to)
{
    unlinkat(folders->to, "new", 0);
    const int in = openat(folders->from, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const int out = openat(folders->to, "new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct stat status;
    bool ok = in >= 0 && out >= 0 && fstat(in, &status) == 0;
    for (off_t at = 0; ok && at < status.st_size;)
        ok = sendfile(out, in, &at, (size_t)(status.st_size - at)) > 0;
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return ok && renameat(folders->to, "new", folders->to, to) == 0;
}

static bool link_descriptor(const struct pair *folders, const char *name, int number)
{
    char target[32];
    snprintf(target, sizeof(target), "/proc/self/fd/%d", number);
    return symlinkat(target, folders->to, name) == 0 || errno == EEXIST;
}

/* Of all devices alike, for it is one of Mesa. */
static void note_index_length(const struct pair *folders, int workers)
{
    struct stat status;
    const int fd = openat(workers, INDEX_LENGTH, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    const bool noted =
        fstatat(folders->from, "index", &status, 0) == 0 && ftruncate(fd, status.st_size) == 0;
    (void)noted; /* else it takes memory */
    close(fd);
}

/* Mesa only adds to its files. */
static bool is_known(const struct pair *folders)
{
    struct stat from, to;
    return fstatat(folders->from, WRITTEN "_idx.foz", &from, 0) == 0 &&
           fstatat(folders->to, READ "_idx.foz", &to, 0) == 0 && from.st_size == to.st_size;
}

/* The entries before their index: a worker that begins between the two finds what the old index says. */
static bool publish_device(const struct pair *folders)
{
    return copy_file(folders, WRITTEN ".foz", READ ".foz") &&
           copy_file(folders, WRITTEN "_idx.foz", READ "_idx.foz") &&
           link_descriptor(folders, WRITTEN ".foz", VDS_SHADER_CACHE_WRITTEN) &&
           link_descriptor(folders, WRITTEN "_idx.foz", VDS_SHADER_CACHE_WRITTEN) &&
           link_descriptor(folders, "index", VDS_SHADER_CACHE_INDEX);
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
        note_index_length(&folders, workers);
        count = is_known(&folders) ? 0 : publish_device(&folders) ? 1 : -1;
    } else {
        count = 0;
        for (const struct dirent *entry; count >= 0 && depth && (entry = readdir(entries));) {
            if (entry->d_name[0] == '.')
                continue;
            const int from = open_folder(folders.from, entry->d_name);
            if (from < 0)
                continue; /* no folder */
            mkdirat(folders.to, entry->d_name, 0700);
            const int below =
                publish((struct pair){.from = from, .to = open_folder(folders.to, entry->d_name)},
                        workers, depth - 1);
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
    char workers[PATH_MAX];
    const char *server = vds_shader_cache_to_read();
    if (!server ||
        snprintf(workers, sizeof(workers), "%s/../workers", server) >= (int)sizeof(workers)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    const int to = open_folder(AT_FDCWD, workers);
    const int count =
        publish((struct pair){.from = open_folder(AT_FDCWD, server), .to = dup(to)}, to, DEPTH);
    const int error = errno;
    if (to >= 0)
        close(to);
    errno = error;
    return count;
}
