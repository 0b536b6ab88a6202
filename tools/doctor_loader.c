/* SPDX-License-Identifier: MIT
 *
 * The Vulkan loader and what it finds, by its own log; Viaduct's manifest, and the library that it
 * names, by the dynamic linker.
 */
#include "doctor.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vulkan/vulkan_core.h>

#include "common/environment.h"

#include "manifest.h"
#include "places.h"

#define LOADER_SECONDS 20
#define LOADER         "libvulkan.so.1"

/* Loaders know VK_DRIVER_FILES and VK_ADD_DRIVER_FILES since this version. */
#define DRIVER_FILES_VERSION VK_MAKE_API_VERSION(0, 1, 3, 207)

/* ---- The loader, in a child */

static void ask_loader(void *data)
{
    (void)data;
    Dl_info where;
    /* As on the server: Viaduct's driver is only looked for. */
    setenv("VIADUCT_IN_SERVER", "1", 1);
    setenv("VK_LOADER_DEBUG", "error,warn,info,driver", 1);
    void *loader = dlopen(LOADER, RTLD_NOW | RTLD_LOCAL);
    if (!loader) {
        doctor_tell(NULL, "no-loader", "", dlerror());
        return;
    }
    const PFN_vkGetInstanceProcAddr get =
        (PFN_vkGetInstanceProcAddr)dlsym(loader, "vkGetInstanceProcAddr");
    if (!get || !dladdr((void *)get, &where)) {
        doctor_tell(NULL, "no-loader", "", LOADER " is no Vulkan loader");
        return;
    }
    const PFN_vkEnumerateInstanceVersion get_version =
        (PFN_vkEnumerateInstanceVersion)get(NULL, "vkEnumerateInstanceVersion");
    uint32_t version = VK_API_VERSION_1_0;
    if (get_version)
        get_version(&version);
    char number[16];
    snprintf(number, sizeof(number), "%u", version);
    doctor_tell(NULL, "loader", number, where.dli_fname);
    const PFN_vkEnumerateInstanceExtensionProperties list =
        (PFN_vkEnumerateInstanceExtensionProperties)get(NULL,
                                                        "vkEnumerateInstanceExtensionProperties");
    uint32_t count = 0;
    if (list)
        list(NULL, &count, NULL);
}

/* The path behind these words in a line of the loader's log. False: it is another line. */
static bool path_behind(const char *text, const char *words, char path[static PATH_MAX])
{
    const char *at = strstr(text, words);
    if (!at)
        return false;
    at += strlen(words);
    snprintf(path, PATH_MAX, "%.*s", (int)strcspn(at, ","), at);
    return true;
}

/* The next manifest that the loader has read, beginning with the finding *at; each one once, for a
 * loader reads them again and again. */
static bool next_manifest(const struct doctor_findings *loader, size_t *at,
                          char path[static PATH_MAX])
{
    static const char words[] = "Found ICD manifest file ";
    char earlier[PATH_MAX];
    while (*at < loader->count) {
        const size_t here = (*at)++;
        bool known = false;
        if (!path_behind(loader->list[here].text, words, path))
            continue;
        for (size_t i = 0; i < here && !known; i++)
            known = path_behind(loader->list[i].text, words, earlier) && !strcmp(earlier, path);
        if (!known)
            return true;
    }
    return false;
}

static bool is_ours(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strstr(slash ? slash : path, "viaduct") != NULL;
}

void doctor_check_loader(struct doctor *doctor)
{
    if (!doctor_in_child(ask_loader, NULL, LOADER_SECONDS, &doctor->loader)) {
        doctor_fault(doctor, "no process can be started: %s", strerror(errno));
        return;
    }
    const struct doctor_finding *none = doctor_find(&doctor->loader, "no-loader");
    const struct doctor_finding *loader = doctor_find(&doctor->loader, "loader");
    if (none) {
        doctor_fault(doctor, "there is no usable Vulkan loader: %s", none->text);
        doctor_advise(doctor,
                      "install the loader: libvulkan1 (Debian, Ubuntu), vulkan-loader (Fedora, "
                      "Alpine), vulkan-icd-loader (Arch)");
        return;
    }
    if (!loader || !doctor->loader.ended) {
        doctor_fault(doctor, "the Vulkan loader or a driver that it loads %s", doctor->loader.end);
        doctor_advise(doctor,
                      "VK_DRIVER_FILES=/path/to/viaduct_icd." VIADUCT_ARCH ".json leaves only "
                      "Viaduct's driver");
        if (!loader)
            return;
    }
    doctor->loader_found = true;
    doctor->loader_version = (uint32_t)strtoul(loader->about, NULL, 10);
    const uint32_t version = doctor->loader_version;
    if (version < VK_API_VERSION_1_1) {
        doctor_fault(doctor, "%s is too old: it knows only Vulkan 1.0", loader->text);
        doctor_advise(doctor, "install a loader of 2018 or later");
        return;
    }
    size_t drivers = 0, at = 0;
    char path[PATH_MAX];
    while (next_manifest(&doctor->loader, &at, path))
        drivers++;
    doctor_ok(doctor, "%s, version %u.%u.%u, finds %zu driver manifest%s", loader->text,
              VK_API_VERSION_MAJOR(version), VK_API_VERSION_MINOR(version),
              VK_API_VERSION_PATCH(version), drivers, drivers == 1 ? "" : "s");
}

/* ---- The manifest */

/* The variable that chooses which manifests the loader sees, NULL: none. */
static const char *choosing_variable(const struct doctor *doctor, const char **value)
{
    static const char *const names[] = {"VK_DRIVER_FILES", "VK_ICD_FILENAMES"};
    /* The first one counts, but an old loader does not know it. */
    for (size_t i = doctor->loader_version < DRIVER_FILES_VERSION; i < 2; i++) {
        *value = i == 0 ? vd_getenv("VK_DRIVER_FILES") : vd_getenv("VK_ICD_FILENAMES");
        if (*value)
            return names[i];
    }
    return NULL;
}

/* Puts a part of a list, whose parts are separated by colons, to path. False: there are no more. */
static bool next_of(const char **list, char path[static PATH_MAX])
{
    *list += strspn(*list, ":");
    const size_t length = strcspn(*list, ":");
    snprintf(path, PATH_MAX, "%.*s", (int)length, *list);
    *list += length;
    return length > 0;
}

/* A file in one of the folders where this loader looks, which is Viaduct's for another architecture. */
static bool has_other_architecture(const struct doctor *doctor, char path[static PATH_MAX])
{
    for (size_t i = 0; i < doctor->loader.count; i++) {
        const char *text = doctor->loader.list[i].text;
        const char *name = strstr(text, "/viaduct_icd.");
        if (!name || strstr(text, PLACES_MANIFEST) || !strstr(name, ".json"))
            continue;
        const char *start = strchr(text, '/');
        snprintf(path, PATH_MAX, "%.*s", (int)strcspn(start, " ,"), start);
        return true;
    }
    return false;
}

static const struct doctor_finding *find_error(const struct doctor *doctor, const char *path)
{
    for (size_t i = 0; i < doctor->loader.count; i++) {
        const struct doctor_finding *finding = &doctor->loader.list[i];
        if (strstr(finding->text, "ERROR") && strstr(finding->text, path))
            return finding;
    }
    return NULL;
}

/* The line that says which driver's manifest was passed over, because variables want that. */
static bool is_disabled(const struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->loader.count; i++) {
        const char *text = doctor->loader.list[i].text;
        if (strstr(text, "viaduct") && (strstr(text, "disabled") || strstr(text, "not selected")))
            return true;
    }
    return false;
}

static void explain_missing(struct doctor *doctor)
{
    char path[PATH_MAX], ours[PATH_MAX];
    const char *value;
    const char *variable = choosing_variable(doctor, &value);
    const bool installed = place_of_manifest(ours);
    if (variable) {
        const char *list = value;
        while (next_of(&list, path)) {
            struct stat status;
            if (stat(path, &status) < 0) {
                doctor_fault(doctor, "%s names %s: %s", variable, path, strerror(errno));
                goto advise_variable;
            }
            if (is_ours(path) && access(path, R_OK) < 0) {
                doctor_fault(doctor, "%s may not be read by this user", path);
                doctor_advise(doctor, "chmod a+r %s", path);
                return;
            }
            if (find_error(doctor, path) && is_ours(path)) {
                doctor_fault(doctor, "the loader cannot read the manifest %s: it is no valid JSON",
                             path);
                doctor_advise(doctor, "install Viaduct's driver again");
                return;
            }
        }
        doctor_fault(doctor, "%s lets the loader see other drivers only: %s", variable, value);
        goto advise_variable;
    }
    for (size_t i = 0; i < doctor->loader.count; i++) {
        const char *text = doctor->loader.list[i].text;
        const char *start = strchr(text, '/');
        if (strstr(text, "ERROR") && start && strstr(text, PLACES_MANIFEST)) {
            snprintf(path, sizeof(path), "%.*s", (int)strcspn(start, " ,"), start);
            if (access(path, R_OK) < 0) {
                doctor_fault(doctor, "%s may not be read by this user", path);
                doctor_advise(doctor, "chmod a+r %s", path);
            } else {
                doctor_fault(doctor, "the loader cannot read the manifest %s: it is no valid JSON",
                             path);
                doctor_advise(doctor, "install Viaduct's driver again");
            }
            return;
        }
    }
    const char *add = vd_getenv("VK_ADD_DRIVER_FILES");
    if (add && doctor->loader_version < DRIVER_FILES_VERSION) {
        doctor_fault(doctor, "this loader is too old to know VK_ADD_DRIVER_FILES");
        doctor_advise(doctor, "export VK_ICD_FILENAMES=%s", add);
        return;
    }
    if (add) {
        doctor_fault(doctor, "VK_ADD_DRIVER_FILES names no manifest of Viaduct: %s", add);
        goto advise_variable;
    }
    if (has_other_architecture(doctor, path)) {
        doctor_fault(doctor, "there is only the driver of another architecture: %s", path);
        doctor_advise(doctor, "install Viaduct's driver for " VIADUCT_ARCH);
        return;
    }
    doctor_fault(doctor, "the loader finds no manifest of Viaduct");
    if (installed)
        doctor_advise(doctor, "export VK_ADD_DRIVER_FILES=%s", ours);
    else
        doctor_advise(doctor, "install Viaduct's driver, or name it: export "
                              "VK_ADD_DRIVER_FILES=/path/to/" PLACES_MANIFEST);
    return;

advise_variable:
    if (installed)
        doctor_advise(doctor, "export %s=%s", variable ? variable : "VK_ADD_DRIVER_FILES", ours);
    else
        doctor_advise(doctor, "unset %s", variable ? variable : "VK_ADD_DRIVER_FILES");
}

void doctor_check_manifest(struct doctor *doctor)
{
    char path[PATH_MAX], library[PATH_MAX];
    if (!doctor->loader_found) {
        doctor_skip(doctor, "not looked for without a loader");
        return;
    }
    size_t others = 0, at = 0;
    while (next_manifest(&doctor->loader, &at, path)) {
        const bool readable = manifest_library(path, library);
        if ((readable && is_ours(library)) || is_ours(path)) {
            if (!doctor->manifest[0])
                strcpy(doctor->manifest, path);
        } else {
            others++;
        }
    }
    if (!doctor->manifest[0] && !doctor->loader.ended) {
        doctor_skip(doctor, "the loader did not get so far");
    } else if (!doctor->manifest[0]) {
        explain_missing(doctor);
        /* The rest is looked at as if the advice had been followed. */
        if (!place_of_manifest(doctor->manifest))
            doctor->manifest[0] = '\0';
    } else if (is_disabled(doctor)) {
        doctor_fault(doctor, "a variable switches Viaduct's driver off (%s)", doctor->manifest);
        doctor_advise(doctor, "unset VK_LOADER_DRIVERS_DISABLE VK_LOADER_DRIVERS_SELECT");
    } else if (others) {
        doctor_ok(doctor, "%s; applications also see %zu other driver%s", doctor->manifest, others,
                  others > 1 ? "s" : "");
    } else {
        doctor_ok(doctor, "%s, and no other driver", doctor->manifest);
    }
}

/* ---- The library */

/* This program's own kind of machine is an application's. */
static bool is_foreign(const unsigned char *header, const unsigned char *own, const char **what)
{
    *what = header[EI_CLASS] == ELFCLASS32 ? "32-bit" : "64-bit";
    if (header[EI_CLASS] != own[EI_CLASS])
        return true;
    *what = "another architecture's";
    return memcmp(header + offsetof(Elf64_Ehdr, e_machine), own + offsetof(Elf64_Ehdr, e_machine),
                  2) != 0;
}

static ssize_t read_header(const char *path, unsigned char header[static sizeof(Elf64_Ehdr)])
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    const ssize_t size = read(fd, header, sizeof(Elf64_Ehdr));
    close(fd);
    return size;
}

void doctor_check_library(struct doctor *doctor)
{
    unsigned char header[sizeof(Elf64_Ehdr)] = {0}, own[sizeof(Elf64_Ehdr)] = {0};
    const char *what;
    if (!doctor->manifest[0]) {
        doctor_skip(doctor, "not looked for without a manifest");
        return;
    }
    if (!manifest_library(doctor->manifest, doctor->library)) {
        doctor->library[0] = '\0';
        doctor_fault(doctor, "the manifest %s names no library", doctor->manifest);
        doctor_advise(doctor, "install Viaduct's driver again");
        return;
    }
    if (!strchr(doctor->library, '/')) {
        doctor_ok(doctor, "%s, wherever the dynamic linker finds it", doctor->library);
        return;
    }
    const ssize_t size = read_header(doctor->library, header);
    if (size < 0) {
        doctor_fault(doctor, "the manifest names %s: %s", doctor->library, strerror(errno));
        if (errno == EACCES)
            doctor_advise(doctor, "chmod a+r %s", doctor->library);
        else
            doctor_advise(doctor, "install Viaduct's driver again, or mount the library there");
    } else if (size < (ssize_t)sizeof(header) || memcmp(header, ELFMAG, SELFMAG) != 0) {
        doctor_fault(doctor, "%s is no library", doctor->library);
        doctor_advise(doctor, "install Viaduct's driver again");
    } else if (read_header("/proc/self/exe", own) > 0 && is_foreign(header, own, &what)) {
        doctor_fault(doctor, "%s is %s, applications here are not", doctor->library, what);
        doctor_advise(doctor, "install Viaduct's driver for " VIADUCT_ARCH);
    } else {
        doctor_ok(doctor, "%s", doctor->library);
        return;
    }
    doctor->library[0] = '\0';
}
