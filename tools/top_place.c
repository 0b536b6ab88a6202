/* SPDX-License-Identifier: MIT */
#include "top_place.h"

#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

/* Reads a file of /proc/PID, whose end a null byte marks. Returns the size, 0: there is none. */
static size_t read_proc(uint64_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%llu/%s", (unsigned long long)pid, name);
    FILE *file = fopen(path, "re");
    const size_t used = file ? fread(text, 1, size - 1, file) : 0;
    if (file)
        fclose(file);
    text[used] = '\0';
    return used;
}

/* What may stand in a name; the process chooses some of them. */
static size_t name_length(const char *name)
{
    size_t length = 0;
    while (isalnum((unsigned char)name[length]) || (name[length] && strchr("-_.@", name[length])))
        length++;
    return length;
}

/* ---- Virtual machines */

/* The name in QEMU's `-name NAME`, `-name guest=NAME,...`. False: it has none. */
static bool find_guest_name(const struct top_client *client, char name[static TOP_TEXT])
{
    static char arguments[65536];
    const size_t size = read_proc(client->pid, "cmdline", arguments, sizeof(arguments));
    for (const char *at = arguments; at < arguments + size; at += strlen(at) + 1) {
        if (strcmp(at, "-name") != 0 && strcmp(at, "--name") != 0)
            continue;
        at += strlen(at) + 1;
        if (strncmp(at, "guest=", strlen("guest=")) == 0)
            at += strlen("guest=");
        snprintf(name, TOP_TEXT, "%.*s", (int)name_length(at), at);
        return name[0] != '\0';
    }
    return false;
}

/* ---- Containers */

/* Ends before `end`, if it ends so. */
static size_t without(const char *text, size_t length, const char *end)
{
    const size_t size = strlen(end);
    return length > size && strncmp(text + length - size, end, size) == 0 ? length - size : length;
}

/* The id or the name of the container, as the control group has it. */
static bool find_container_name(const char *groups, char name[static TOP_TEXT])
{
    static const char *const marks[] = {
        "/docker-",      "/libpod-", "/crio-",        "/cri-containerd-", "/docker/",
        "/lxc.payload.", "/lxc/",    "/app-flatpak-", "/machine-",
    };
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        const char *at = strstr(groups, marks[i]);
        if (!at)
            continue;
        at += strlen(marks[i]);
        size_t length = without(at, name_length(at), ".scope");
        length = length < TOP_TEXT ? length : TOP_TEXT - 1;
        /* An id is shown as short as its program does. */
        const bool id = length == 64 && strspn(at, "0123456789abcdef") >= length;
        snprintf(name, TOP_TEXT, "%.*s", id ? 12 : (int)length, at);
        return length > 0;
    }
    return false;
}

/* Whether its PID namespace is another one than ours. */
static bool is_contained(const struct top_client *client)
{
    char status[4096];
    unsigned outside, inside;
    read_proc(client->pid, "status", status, sizeof(status));
    const char *line = strstr(status, "\nNSpid:");
    return line && sscanf(line, "\nNSpid: %u%*[ \t]%u", &outside, &inside) == 2;
}

void top_place(const struct top_client *client, char place[static TOP_TEXT])
{
    char name[TOP_TEXT], groups[4096];
    read_proc(client->pid, "cgroup", groups, sizeof(groups));
    if (client->guest && find_guest_name(client, name))
        snprintf(place, TOP_TEXT, "guest %.50s", name);
    else if (client->guest)
        snprintf(place, TOP_TEXT, "guest %llu", (unsigned long long)client->guest);
    else if (!client->pid)
        strcpy(place, "elsewhere");
    else if (find_container_name(groups, name))
        snprintf(place, TOP_TEXT, "container %.50s", name);
    else
        strcpy(place, is_contained(client) ? "container" : "host");
}

void top_user(const struct top_client *client, char user[static TOP_TEXT])
{
    const struct passwd *entry = getpwuid((uid_t)client->uid);
    if (entry && name_length(entry->pw_name) == strlen(entry->pw_name))
        snprintf(user, TOP_TEXT, "%s", entry->pw_name);
    else
        snprintf(user, TOP_TEXT, "%llu", (unsigned long long)client->uid);
}
