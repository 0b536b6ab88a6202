/* SPDX-License-Identifier: MIT */
#include "top_sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

#define TIMEOUT_S  5
#define ANSWER_MAX (4u << 20)

/* ---- The socket */

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval limit = {.tv_sec = TIMEOUT_S};
    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Everything up to the end, which a null byte follows. NULL with errno. */
static char *read_all(int fd)
{
    size_t size = 0, capacity = 0;
    char *text = NULL;
    for (;;) {
        if (capacity - size < 2) {
            capacity = capacity ? capacity * 2 : 16384;
            char *larger = capacity <= ANSWER_MAX ? realloc(text, capacity) : NULL;
            if (!larger)
                break;
            text = larger;
        }
        const ssize_t received = recv(fd, text + size, capacity - size - 1, 0);
        if (received < 0 && errno == EINTR)
            continue;
        if (received < 0)
            break;
        if (received == 0) {
            text[size] = '\0';
            return text;
        }
        size += (size_t)received;
    }
    free(text);
    return NULL;
}

static char *ask(const char *path)
{
    static const char request[] = "GET /clients HTTP/1.0\r\n\r\n";
    const int fd = connect_to(path);
    if (fd < 0)
        return NULL;
    char *answer = NULL;
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request))
        answer = read_all(fd);
    const int error = errno;
    close(fd);
    errno = error;
    return answer;
}

/* ---- The table */

static void copy_text(char to[static TOP_TEXT], const char *from)
{
    size_t length = 0;
    for (; from[length] && length < TOP_TEXT - 1; length++)
        to[length] = from[length] < ' ' || from[length] > '~' ? '?' : from[length];
    to[length] = '\0';
}

static void set(struct top_client *client, const char *column, const char *text)
{
    const struct {
        const char *column;
        uint64_t *number;
    } numbers[] = {
        {"client", &client->client},
        {"pid", &client->pid},
        {"uid", &client->uid},
        {"worker", &client->worker},
        {"guest", &client->guest},
        {"doing_ns", &client->doing_ns},
        {"beside", &client->beside},
        {"calls", &client->calls},
        {"bytes", &client->bytes},
        {"shared_memory", &client->shared_memory},
        {"device_memory", &client->device_memory},
        {"submitted", &client->submitted},
        {"finished", &client->finished},
        {"gpu_ns", &client->gpu_ns},
    };
    if (strcmp(column, "name") == 0)
        copy_text(client->name, text);
    else if (strcmp(column, "doing") == 0)
        copy_text(client->doing, text);
    else
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
            if (strcmp(column, numbers[i].column) == 0)
                *numbers[i].number = strtoull(text, NULL, 10);
}

/* The line at *text, which then is behind it; NULL: there is none. */
static char *next_line(char **text)
{
    return **text ? strsep(text, "\n") : NULL;
}

/* `columns` is a copy of the first line. */
static bool add_row(struct top_sample *sample, char *columns, char *row)
{
    struct top_client *clients =
        realloc(sample->clients, (sample->count + 1) * sizeof(*sample->clients));
    if (!clients)
        return false;
    sample->clients = clients;
    struct top_client *client = &clients[sample->count++];
    memset(client, 0, sizeof(*client));
    while (columns && row) {
        const char *column = strsep(&columns, "\t");
        set(client, column, strsep(&row, "\t"));
    }
    return true;
}

static bool read_table(struct top_sample *sample, char *text)
{
    char *head = text ? next_line(&text) : NULL, *row;
    bool ok = head && strncmp(head, "client\t", strlen("client\t")) == 0;
    if (!ok)
        errno = 0;
    while (ok && text && (row = next_line(&text))) {
        char *columns = strdup(head);
        ok = columns && add_row(sample, columns, row);
        free(columns);
    }
    return ok;
}

bool top_sample_take(struct top_sample *sample, const char *path)
{
    *sample = (struct top_sample){0};
    char *answer = ask(path);
    if (!answer)
        return false;
    sample->time = vd_clock_ns();
    char *body = strstr(answer, "\r\n\r\n");
    const bool ok = read_table(sample, body ? body + 4 : NULL);
    const int error = errno;
    free(answer);
    if (!ok)
        top_sample_free(sample);
    errno = error;
    return ok;
}

void top_sample_free(struct top_sample *sample)
{
    free(sample->clients);
    *sample = (struct top_sample){0};
}

const struct top_client *top_sample_find(const struct top_sample *sample, uint64_t client)
{
    for (size_t i = 0; i < sample->count; i++)
        if (sample->clients[i].client == client)
            return &sample->clients[i];
    return NULL;
}
