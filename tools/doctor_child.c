/* SPDX-License-Identifier: MIT */
#include "doctor_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

/* A line of the child is WORD \x1f ABOUT \x1f TEXT. Other lines are what somebody printed. */
#define SEPARATOR '\x1f'
#define BYTES_MAX (1u << 20)

static void clean(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ')
            *text = ' ';
}

void doctor_tell(void *unused, const char *word, const char *about, const char *text)
{
    (void)unused;
    char line[2048], cleaned[1024];
    snprintf(cleaned, sizeof(cleaned), "%s", text);
    clean(cleaned);
    int length =
        snprintf(line, sizeof(line), "%s%c%s%c%s\n", word, SEPARATOR, about, SEPARATOR, cleaned);
    if (length >= (int)sizeof(line)) {
        length = sizeof(line) - 1;
        line[length - 1] = '\n';
    }
    ssize_t written = write(STDOUT_FILENO, line, (size_t)length);
    (void)written;
}

/* Reads to the end of the pipe. False: the time is over. */
static bool read_all(int fd, unsigned seconds, char *bytes)
{
    const uint64_t deadline = vd_clock_ms() + seconds * 1000u;
    size_t size = 0;
    for (;;) {
        const int64_t left = (int64_t)(deadline - vd_clock_ms());
        struct pollfd source = {.fd = fd, .events = POLLIN};
        if (left <= 0)
            return false;
        if (poll(&source, 1, (int)left) <= 0)
            continue;
        char surplus[4096];
        const bool full = size >= BYTES_MAX;
        const ssize_t got =
            read(fd, full ? surplus : bytes + size, full ? sizeof(surplus) : BYTES_MAX - size);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
            return true;
        if (got > 0 && !full)
            size += (size_t)got;
        bytes[size] = '\0';
    }
}

static void parse(struct doctor_findings *findings)
{
    size_t lines = 0;
    for (const char *at = findings->bytes; *at; at++)
        lines += *at == '\n';
    findings->list = calloc(lines + 1, sizeof(*findings->list));
    if (!findings->list)
        return;
    char *next;
    for (char *line = findings->bytes; *line; line = next) {
        char *end = line + strcspn(line, "\n");
        next = *end ? end + 1 : end;
        *end = '\0';
        struct doctor_finding *finding = &findings->list[findings->count++];
        char *about = strchr(line, SEPARATOR);
        char *text = about ? strchr(about + 1, SEPARATOR) : NULL;
        if (text) {
            *about++ = '\0';
            *text++ = '\0';
            *finding = (struct doctor_finding){line, about, text};
        } else {
            clean(line);
            *finding = (struct doctor_finding){"", "", line};
        }
    }
}

_Noreturn static void be_child(int out, void (*function)(void *data), void *data)
{
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    function(data);
    _exit(EXIT_SUCCESS);
}

bool doctor_in_child(void (*function)(void *data), void *data, unsigned seconds,
                     struct doctor_findings *findings)
{
    int pipes[2];
    *findings = (struct doctor_findings){.bytes = calloc(1, BYTES_MAX + 1)};
    if (!findings->bytes || pipe2(pipes, O_CLOEXEC) != 0)
        return false;
    fflush(NULL);
    const pid_t child = fork();
    if (child < 0) {
        close(pipes[0]);
        close(pipes[1]);
        return false;
    }
    if (child == 0) {
        setpgid(0, 0);
        be_child(pipes[1], function, data);
    }
    setpgid(child, child); /* whoever of the two comes first */
    close(pipes[1]);
    const bool in_time = read_all(pipes[0], seconds, findings->bytes);
    close(pipes[0]);
    /* What it may have started holds nothing up either. */
    if (!in_time)
        kill(-child, SIGKILL);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!in_time) {
        snprintf(findings->end, sizeof(findings->end), "gave no answer within %u s", seconds);
    } else if (WIFSIGNALED(status)) {
        snprintf(findings->end, sizeof(findings->end), "crashed (signal %d, %s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
        snprintf(findings->end, sizeof(findings->end), "ended with exit code %d",
                 WEXITSTATUS(status));
    } else {
        findings->ended = true;
    }
    parse(findings);
    return true;
}

void doctor_findings_finish(struct doctor_findings *findings)
{
    free(findings->list);
    free(findings->bytes);
    *findings = (struct doctor_findings){0};
}

const struct doctor_finding *doctor_find(const struct doctor_findings *findings, const char *word)
{
    for (size_t i = 0; i < findings->count; i++)
        if (!strcmp(findings->list[i].word, word))
            return &findings->list[i];
    return NULL;
}
