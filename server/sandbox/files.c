/* SPDX-License-Identifier: MIT
 *
 * Which files the inside may open, by Landlock. Nothing can be written, made, or executed.
 *
 * The C library's headers may be older than the kernel, so the numbers of Landlock are repeated here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/environment.h"
#include "server/gpu_choice.h"
#include "server/log.h"
#include "server/shader_cache.h"

#include "layers.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH      1

/* struct landlock_ruleset_attr; older kernels take its beginning. */
struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scoped;
};

/* struct landlock_path_beneath_attr */
struct beneath {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

enum {
    EXECUTE = 1 << 0,
    WRITE_FILE = 1 << 1,
    READ_FILE = 1 << 2,
    READ_FOLDER = 1 << 3,
    /* 4 to 12: to remove, to make */
    VERSION_1 = (1 << 13) - 1,
    REFER = 1 << 13,     /* 2 */
    TRUNCATE = 1 << 14,  /* 3 */
    IOCTL_DEV = 1 << 15, /* 5 */
};
#define TCP_BIND_CONNECT       UINT64_C(3) /* version 4 */
#define ABSTRACT_SOCKET_SIGNAL UINT64_C(3) /* version 6 */

static int version(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
}

bool vds_files_probe(void)
{
    return version() >= 1;
}

/* ---- The list */

/* Libraries, what names drivers, layers and their settings, and what the processor is. */
static const char *const system_files[] = {
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/gnu/store",
    "/nix/store",
    "/run/opengl-driver",
    "/etc/ld.so.cache",
    "/etc/ld-musl-x86_64.path",
    "/etc/vulkan",
    "/usr/share/vulkan",
    "/usr/local/share/vulkan",
    "/etc/drirc",
    "/usr/share/drirc.d",
    "/usr/share/libdrm",
    "/dev/null",
    "/dev/zero",
    "/dev/urandom",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/kernel/mm/transparent_hugepage",
};

/* What drivers read about devices. */
static const char *const render_node_files[] = {
    "/sys/bus",
    "/sys/class/drm",
    "/sys/dev/char",
    "/sys/devices",
};

static const char *const nvidia_files[] = {
    "/etc/nvidia",       "/usr/share/nvidia", "/proc/driver/nvidia", "/proc/devices",
    "/proc/filesystems", "/sys/bus",          "/sys/devices",        "/sys/module/nvidia",
};

/* Where manifests lie. They may be links, and name libraries anywhere. */
static const char *const manifest_folders[] = {
    "/etc/vulkan/icd.d",
    "/etc/vulkan/implicit_layer.d",
    "/etc/vulkan/explicit_layer.d",
    "/usr/local/share/vulkan/icd.d",
    "/usr/local/share/vulkan/implicit_layer.d",
    "/usr/local/share/vulkan/explicit_layer.d",
    "/usr/share/vulkan/icd.d",
    "/usr/share/vulkan/implicit_layer.d",
    "/usr/share/vulkan/explicit_layer.d",
};

/* Of EGL, by which NVIDIA's Vulkan reaches the rest of its driver where there is no X server. */
static const char *const nvidia_manifest_folders[] = {
    "/etc/egl/egl_external_platform.d",
    "/etc/glvnd/egl_vendor.d",
    "/usr/share/egl/egl_external_platform.d",
    "/usr/share/glvnd/egl_vendor.d",
};

/* Of the process itself. NVIDIA's driver makes no instance where it can not read its own maps, and takes
 * its profile of the application from the names. */
static const char *const nvidia_own_files[] = {
    "/proc/self/cmdline", "/proc/self/comm",   "/proc/self/exe",
    "/proc/self/maps",    "/proc/self/status",
};

#define LD_SO_CONF_DEPTH 4 /* files that include each other */
#define LD_SO_CONF_SPACE " \t\r,:="

static void allow(int ruleset, const char *path, uint64_t access)
{
    struct stat status;
    struct beneath rule = {.fd = open(path, O_PATH | O_CLOEXEC)};
    if (rule.fd < 0)
        return;
    /* The right to list is one that only folders can have. */
    if (fstat(rule.fd, &status) == 0 && !S_ISDIR(status.st_mode))
        access &= ~(uint64_t)READ_FOLDER;
    rule.allowed = access;
    if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
        vds_log(VDS_LOG_WARNING, "the sandbox can not allow %s: %m", path);
    close(rule.fd);
}

/* A file of /proc/self. A rule holds for an inode, and /proc makes a new one for a name that it has
 * forgotten: the descriptor, which stays open, keeps it. */
static void allow_own(int ruleset, const char *path)
{
    const int kept = open(path, O_PATH | O_CLOEXEC);
    allow(ruleset, path, READ_FILE);
    (void)kept;
}

/* Devices of `folder` whose names begin so, to use; of render nodes those that may be this GPU's. */
static void allow_devices(int ruleset, const char *folder, const char *prefix, const char *gpu,
                          uint64_t access)
{
    DIR *entries = opendir(folder);
    if (!entries)
        return;
    for (const struct dirent *entry; (entry = readdir(entries));) {
        char path[PATH_MAX];
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
            vds_gpu_may_be_node(gpu, "/sys/class/drm", entry->d_name) &&
            snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) < (int)sizeof(path))
            allow(ruleset, path, access);
    }
    closedir(entries);
}

/* The library that a manifest names, with its neighbours. */
static void allow_library(int ruleset, const char *manifest)
{
    char text[4096], path[2 * PATH_MAX];
    const int fd = open(manifest, O_RDONLY | O_CLOEXEC);
    const ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    text[size < 0 ? 0 : size] = '\0';
    const char *key = strstr(text, "\"library_path\"");
    char *library = key ? strchr(key + strlen("\"library_path\""), '"') : NULL;
    char *end = library ? strchr(library + 1, '"') : NULL;
    const char *slash = strrchr(manifest, '/');
    if (!end || !strchr(library + 1, '/'))
        return; /* found as every library is */
    *end = '\0';
    if (library[1] == '/')
        snprintf(path, sizeof(path), "%s", library + 1);
    else
        snprintf(path, sizeof(path), "%.*s%s", slash ? (int)(slash - manifest + 1) : 0, manifest,
                 library + 1);
    *strrchr(path, '/') = '\0';
    allow(ruleset, path[0] ? path : "/", READ_FILE | READ_FOLDER);
}

/* What a variable names. A manifest may be a link, and libraries lie where it leads to. */
static void allow_list(int ruleset, const char *list)
{
    char path[PATH_MAX], real[PATH_MAX];
    for (size_t length; list && *list; list += length + (list[length] == ':')) {
        length = strcspn(list, ":");
        struct stat status;
        if (length == 0 || length >= sizeof(path))
            continue;
        memcpy(path, list, length);
        path[length] = '\0';
        if (stat(path, &status) < 0)
            continue;
        allow(ruleset, path, READ_FILE | READ_FOLDER);
        if (S_ISDIR(status.st_mode))
            continue;
        allow_library(ruleset, path);
        if (realpath(path, real))
            allow_library(ruleset, real);
    }
}

static void allow_manifests(int ruleset, const char *folder)
{
    DIR *entries = opendir(folder);
    if (!entries)
        return;
    allow(ruleset, folder, READ_FILE | READ_FOLDER);
    for (const struct dirent *entry; (entry = readdir(entries));) {
        char path[PATH_MAX];
        if (entry->d_name[0] != '.' &&
            snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) < (int)sizeof(path))
            allow_list(ruleset, path);
    }
    closedir(entries);
}

static void allow_below(int ruleset, const char *folder, const char *name)
{
    char path[PATH_MAX];
    if (folder && folder[0] == '/' &&
        snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path))
        allow(ruleset, path, READ_FILE | READ_FOLDER);
}

static void allow_included(int ruleset, const char *pattern, int depth);

/* The folders that a file of ld.so.conf(5) names: a GPU's libraries may have one of their own, such as
 * /usr/local/nvidia/lib64 in containers. */
static void allow_configured(int ruleset, const char *file, int depth)
{
    char line[PATH_MAX];
    FILE *lines = depth < LD_SO_CONF_DEPTH ? fopen(file, "re") : NULL;
    if (!lines)
        return;
    while (fgets(line, sizeof(line), lines)) {
        line[strcspn(line, "#\n")] = '\0';
        char *save = NULL, *word = strtok_r(line, LD_SO_CONF_SPACE, &save);
        if (word && strcmp(word, "include") == 0) {
            while ((word = strtok_r(NULL, LD_SO_CONF_SPACE, &save)))
                allow_included(ruleset, word, depth);
            continue;
        }
        for (; word; word = strtok_r(NULL, LD_SO_CONF_SPACE, &save))
            if (word[0] == '/')
                allow(ruleset, word, READ_FILE | READ_FOLDER);
    }
    fclose(lines);
}

/* A pattern, which is relative to /etc unless it is absolute. */
static void allow_included(int ruleset, const char *pattern, int depth)
{
    char path[PATH_MAX];
    glob_t found;
    if (snprintf(path, sizeof(path), "%s%s", pattern[0] == '/' ? "" : "/etc/", pattern) >=
            (int)sizeof(path) ||
        glob(path, GLOB_NOSORT, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        allow_configured(ruleset, found.gl_pathv[i], depth + 1);
    globfree(&found);
}

static void allow_drivers(int ruleset, const char *gpu, uint64_t device)
{
    const uint64_t readable = READ_FILE | READ_FOLDER;
    const unsigned hardware = vds_sandbox_hardware();
    for (size_t i = 0; i < sizeof(system_files) / sizeof(system_files[0]); i++)
        allow(ruleset, system_files[i], readable);
    for (size_t i = 0; i < sizeof(manifest_folders) / sizeof(manifest_folders[0]); i++)
        allow_manifests(ruleset, manifest_folders[i]);
    allow_configured(ruleset, "/etc/ld.so.conf", 0);
    /* Lists of files or folders that a driver or layer may be in. */
    allow_list(ruleset, vd_getenv("VK_DRIVER_FILES"));
    allow_list(ruleset, vd_getenv("VK_ICD_FILENAMES"));
    allow_list(ruleset, vd_getenv("VK_ADD_DRIVER_FILES"));
    allow_list(ruleset, vd_getenv("VK_LAYER_PATH"));
    allow_list(ruleset, vd_getenv("VK_ADD_LAYER_PATH"));
    allow_list(ruleset, vd_getenv("LD_LIBRARY_PATH"));
    allow_list(ruleset, vd_getenv("DRIRC_CONFIGDIR"));
    allow_below(ruleset, vd_getenv("HOME"), ".local/share/vulkan");
    allow_below(ruleset, vd_getenv("HOME"), ".drirc");
    allow_below(ruleset, vd_getenv("XDG_DATA_HOME"), "vulkan");
    if (hardware & VDS_HARDWARE_RENDER_NODE) {
        for (size_t i = 0; i < sizeof(render_node_files) / sizeof(render_node_files[0]); i++)
            allow(ruleset, render_node_files[i], readable);
        allow(ruleset, "/dev/dri", READ_FOLDER);
        allow_devices(ruleset, "/dev/dri", "renderD", gpu, device);
    }
    if (hardware & VDS_HARDWARE_NVIDIA) {
        for (size_t i = 0; i < sizeof(nvidia_files) / sizeof(nvidia_files[0]); i++)
            allow(ruleset, nvidia_files[i], readable);
        for (size_t i = 0; i < sizeof(nvidia_manifest_folders) / sizeof(nvidia_manifest_folders[0]);
             i++)
            allow_manifests(ruleset, nvidia_manifest_folders[i]);
        for (size_t i = 0; i < sizeof(nvidia_own_files) / sizeof(nvidia_own_files[0]); i++)
            allow_own(ruleset, nvidia_own_files[i]);
        allow_devices(ruleset, "/dev", "nvidia", NULL, device | READ_FOLDER);
    }
}

/* ---- Who needs what */

static bool is_software(const char *manifest)
{
    static const char *const libraries[] = {"libvulkan_lvp", "libvk_swiftshader"};
    char text[4096];
    FILE *file = fopen(manifest, "re");
    if (!file)
        return false;
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
        if (strstr(text, libraries[i]))
            return true;
    return false;
}

/* Whether the environment asks for drivers of the CPU alone. */
static bool only_software(void)
{
    const char *list = vd_getenv("VK_DRIVER_FILES");
    if (!list)
        list = vd_getenv("VK_ICD_FILENAMES");
    char path[PATH_MAX];
    bool any = false;
    for (size_t length; list && *list; list += length + (list[length] == ':')) {
        length = strcspn(list, ":");
        if (length == 0)
            continue;
        if (length >= sizeof(path))
            return false;
        memcpy(path, list, length);
        path[length] = '\0';
        if (!is_software(path))
            return false;
        any = true;
    }
    return any;
}

unsigned vds_sandbox_hardware(void)
{
    static int known = -1;
    if (known < 0) {
        known = 0;
        if (!only_software()) {
            known |= access("/dev/dri", F_OK) == 0 ? VDS_HARDWARE_RENDER_NODE : 0;
            known |= access("/dev/nvidiactl", F_OK) == 0 ? VDS_HARDWARE_NVIDIA : 0;
        }
    }
    return (unsigned)known;
}

int vds_files_prepare(enum vds_sandbox_kind kind, const char *gpu)
{
    const int known = version();
    if (known < 1)
        return -1;
    struct ruleset handled = {.files = VERSION_1};
    uint64_t device = READ_FILE | WRITE_FILE;
    if (known >= 2)
        handled.files |= REFER;
    if (known >= 3)
        handled.files |= TRUNCATE;
    if (known >= 4)
        handled.network = TCP_BIND_CONNECT;
    if (known >= 5) {
        handled.files |= IOCTL_DEV;
        device |= IOCTL_DEV;
    }
    if (known >= 6)
        handled.scoped = ABSTRACT_SOCKET_SIGNAL;
    const size_t size = known >= 6 ? sizeof(handled) : known >= 4 ? 16 : 8;
    const int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, size, 0);
    char path[PATH_MAX];
    if (ruleset < 0)
        return -1;
    switch (kind) {
    case VDS_SANDBOX_WORKER:
        allow_drivers(ruleset, gpu, device);
        if (vds_shader_cache_to_read())
            allow(ruleset, vds_shader_cache_to_read(), READ_FILE | READ_FOLDER);
        break;
    case VDS_SANDBOX_COMPILER:
        allow_drivers(ruleset, gpu, device);
        if (vds_shader_cache_to_write(path))
            allow(ruleset, path, handled.files & ~(uint64_t)(EXECUTE | IOCTL_DEV));
        break;
    case VDS_SANDBOX_DEVICE:
        break;
    }
    return ruleset;
}

bool vds_files_restrict(int ruleset)
{
    if (ruleset < 0)
        return false;
    const bool restricted = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    const int error = errno;
    close(ruleset);
    errno = error;
    return restricted;
}
