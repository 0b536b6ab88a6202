/* SPDX-License-Identifier: MIT
 *
 * The machine, as far as it matters to either side: what kind of place this is, what a process may use,
 * and the render nodes.
 */
#include "doctor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/environment.h"

/* Beside those of an application: socket, completion page, windows, and what the loader opens. */
#define FILES_NEEDED  128
#define MEMORY_NEEDED (64 << 20)

/* The number behind a name that a line of the file begins with, 0 where there is none. */
static long number_in(const char *path, const char *name)
{
    char line[256];
    long number = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    while (fgets(line, sizeof(line), file))
        if (!strncmp(line, name, strlen(name)))
            number = strtol(line + strlen(name), NULL, 10);
    fclose(file);
    return number;
}

static bool has_line(const char *path, const char *part)
{
    char line[4096];
    bool found = false;
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    while (!found && fgets(line, sizeof(line), file))
        found = strstr(line, part) != NULL;
    fclose(file);
    return found;
}

/* What made this container, or NULL. Those that leave no sign count as none. */
static const char *container(void)
{
    const char *name = vd_getenv("container"); /* what systemd has others say */
    if (name)
        return name;
    static const char *const signs[][2] = {
        {"/run/.containerenv", "podman"},
        {"/.dockerenv", "docker"},
        {"/.flatpak-info", "flatpak"},
        {"/run/host/container-manager", "a container"},
    };
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
        if (access(signs[i][0], F_OK) == 0)
            return signs[i][1];
    return vd_getenv("SNAP") ? "snap" : NULL;
}

void doctor_check_system(struct doctor *doctor)
{
    struct utsname name;
    uname(&name);
    const char *in = container();
    doctor->container = in != NULL;
    doctor_ok(
        doctor, "Linux %s, %s%s%s%s%s%s", name.release, name.machine,
        in ? ", in a container of " : "", in ? in : "",
        has_line("/proc/cpuinfo", "hypervisor") ? ", on a virtual machine" : "",
        number_in("/proc/self/uid_map", "") == 0 && !has_line("/proc/self/uid_map", "4294967295")
            ? ", in a user namespace"
            : "",
        number_in("/proc/self/status", "Seccomp:") == 2 ? ", with filtered system calls" : "");
}

void doctor_check_limits(struct doctor *doctor)
{
    struct rlimit files = {0}, address = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_AS, &address);
    const bool few = files.rlim_cur < FILES_NEEDED, small = address.rlim_cur != RLIM_INFINITY;
    if (few) {
        doctor_fault(doctor, "a process may open only %llu files",
                     (unsigned long long)files.rlim_cur);
        doctor_advise(doctor, "ulimit -n 1024");
    }
    if (small) {
        doctor_note(
            doctor,
            "a process may have only %llu MiB of addresses, and mapped device memory counts",
            (unsigned long long)(address.rlim_cur >> 20));
        doctor_advise(doctor, "ulimit -v unlimited");
    }
    if (!few && !small) {
        doctor_ok(doctor, "a process may open %llu files, and has all addresses",
                  (unsigned long long)files.rlim_cur);
    }
}

/* Memory is shared as files without a name, which the server makes. */
void doctor_check_host_memory(struct doctor *doctor)
{
    signal(SIGXFSZ, SIG_IGN); /* it would come from ftruncate() */
    const int memory = memfd_create("viaduct-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory < 0) {
        doctor_fault(doctor, "no shared memory can be made: memfd_create: %s", strerror(errno));
        doctor_advise(doctor, "let the server's sandbox allow memfd_create()");
    } else if (ftruncate(memory, MEMORY_NEEDED) < 0) {
        doctor_fault(doctor, "no shared memory of %d MiB can be made: %s", MEMORY_NEEDED >> 20,
                     strerror(errno));
        doctor_advise(doctor, "ulimit -f unlimited");
    } else {
        doctor_ok(doctor, "memory that can be shared can be made");
    }
    if (memory >= 0)
        close(memory);
}

/* ---- Render nodes */

static int is_render_node(const struct dirent *entry)
{
    return !strncmp(entry->d_name, "renderD", strlen("renderD"));
}

void doctor_say_denied(struct doctor *doctor, const char *path)
{
    struct stat status = {0};
    stat(path, &status);
    const struct group *group = getgrgid(status.st_gid);
    const struct passwd *user = getpwuid(geteuid());
    char number[32];
    snprintf(number, sizeof(number), "%u", (unsigned)status.st_gid);
    const char *name = group ? group->gr_name : number;
    doctor_fault(doctor, "%s may not be opened by this user (group %s, mode %04o)", path, name,
                 (unsigned)status.st_mode & 07777);
    if (status.st_mode & S_IWGRP)
        doctor_advise(doctor, "sudo usermod -aG %s %s, and log in again", name,
                      user ? user->pw_name : "$USER");
    else
        doctor_advise(doctor, "sudo chmod g+rw %s", path);
}

/* Without opening them: that may wake a GPU. */
void doctor_check_host_nodes(struct doctor *doctor)
{
    struct dirent **nodes;
    const int count = scandir("/dev/dri", &nodes, is_render_node, versionsort);
    int denied = 0;
    for (int i = 0; i < count; i++) {
        char path[sizeof("/dev/dri/") + sizeof(nodes[i]->d_name)];
        snprintf(path, sizeof(path), "/dev/dri/%s", nodes[i]->d_name);
        if (access(path, R_OK | W_OK) < 0) {
            doctor_say_denied(doctor, path);
            denied++;
        }
        free(nodes[i]);
    }
    if (count >= 0)
        free(nodes);
    if (count <= 0)
        doctor_skip(doctor, "there are none; only drivers of GPUs need them");
    else if (!denied)
        doctor_ok(doctor, "%d render node%s may be opened", count, count > 1 ? "s" : "");
}
