/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process_lock.h"

#define EVENT_MAX 256

/* Files of one process number beside each other. */
#define FILES_MAX 16

bool vd_trace_on;

VD_PROCESS_LOCK(lock)
static int file = -1;
static pid_t owner; /* a forked child writes nothing */
static int shown;   /* the process's number where the file is read */
static char buffer[64 << 10];
static size_t used;
static _Thread_local pid_t thread;

/* Under the lock. What can not be written is lost; nobody is to suffer from being watched. */
static void flush(void)
{
    for (size_t at = 0; at < used;) {
        const ssize_t written = write(file, buffer + at, used - at);
        if (written <= 0)
            break;
        at += (size_t)written;
    }
    used = 0;
}

/* Under the lock. */
static void append(const char *text, size_t size)
{
    if (used + size > sizeof(buffer))
        flush();
    memcpy(buffer + used, text, size);
    used += size;
}

/* A new file, or -1 with errno: what is there already, a link above all, may be anybody's. Numbers of
 * processes come again, and a program that executes another one keeps its own. */
static int create_file(const char *prefix, const char *who)
{
    for (int i = 1; i <= FILES_MAX; i++) {
        char name[4096], number[16] = "";
        if (i > 1)
            snprintf(number, sizeof(number), "-%d", i);
        if (snprintf(name, sizeof(name), "%s-%s-%d%s.json", prefix, who, shown, number) >=
            (int)sizeof(name)) {
            errno = ENAMETOOLONG;
            return -1;
        }
        const int fd =
            open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0644);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

/* In a PID namespace of its own a process is 1 to itself. Where /proc is the outer one, it knows the
 * number that others see. */
static int outer_pid(void)
{
    char text[16] = "";
    const ssize_t size = readlink("/proc/self", text, sizeof(text) - 1);
    const int pid = size > 0 ? atoi(text) : 0;
    return pid > 0 ? pid : (int)getpid();
}

bool vd_trace_open(const char *prefix, const char *who)
{
    char text[EVENT_MAX];
    owner = getpid();
    shown = outer_pid();
    file = create_file(prefix, who);
    if (file < 0)
        return false;
    const int size = snprintf(text, sizeof(text),
                              "[{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%d,"
                              "\"args\":{\"name\":\"viaduct %s\"}}",
                              shown, who);
    append(text, (size_t)size);
    vd_trace_on = true;
    return true;
}

static void name_thread(void)
{
    char name[16] = "", text[EVENT_MAX];
    thread = (pid_t)syscall(SYS_gettid);
    pthread_getname_np(pthread_self(), name, sizeof(name));
    for (char *c = name; *c; c++)
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
            *c = '?';
    const int size = snprintf(text, sizeof(text),
                              ",\n{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":%d,\"tid\":%d,"
                              "\"args\":{\"name\":\"%s\"}}",
                              shown, (int)thread, name);
    append(text, (size_t)size);
}

/* Microseconds with three decimals are what the format wants. */
#define US(ns) (unsigned long long)((ns) / 1000), (unsigned)((ns) % 1000)

void vd_trace_write(uint64_t begun, const char *name, uint64_t amount)
{
    const uint64_t lasted = vd_clock_ns() - begun;
    char text[EVENT_MAX];
    pthread_mutex_lock(&lock);
    if (file >= 0 && owner == getpid()) {
        if (!thread)
            name_thread();
        const int size =
            snprintf(text, sizeof(text),
                     ",\n{\"ph\":\"X\",\"name\":\"%.64s\",\"pid\":%d,\"tid\":%d,\"ts\":%llu.%03u,"
                     "\"dur\":%llu.%03u,\"args\":{\"amount\":%llu}}",
                     name, shown, (int)thread, US(begun), US(lasted), (unsigned long long)amount);
        append(text, (size_t)size);
    }
    pthread_mutex_unlock(&lock);
}

__attribute__((destructor)) static void finish(void)
{
    pthread_mutex_lock(&lock);
    if (file >= 0 && owner == getpid()) {
        append("\n]\n", 3);
        flush();
        close(file);
        file = -1;
    }
    pthread_mutex_unlock(&lock);
}
