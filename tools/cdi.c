/* SPDX-License-Identifier: MIT
 *
 * `viaduct cdi generate`: a description for the Container Device Interface, with which podman, docker,
 * containerd and Kubernetes put Viaduct's driver and the server's socket into containers.
 *
 * The driver and its manifest appear at places of their own, whatever the image is: the manifest in
 * /etc/vulkan/icd.d, where every loader looks, beside the drivers of the image. (VK_ADD_DRIVER_FILES
 * would be for loaders since 1.3.207 only, and with both they would load the driver twice.)
 */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/default_socket.h"

#include "commands.h"
#include "json.h"
#include "manifest.h"
#include "places.h"

/* The oldest version of the specification that has all that is written here. */
#define CDI_VERSION "0.3.0"
#define KIND        "viaduct.dev/gpu"

/* In containers. The library's place is also in the manifest for them (icd/meson.build). */
#define LIBRARY_INSIDE  VIADUCT_CONTAINER_LIBRARY
#define MANIFEST_INSIDE "/etc/vulkan/icd.d/" PLACES_MANIFEST
#define SOCKETS_INSIDE  "/run/viaduct"

struct spec {
    const char *name; /* of the device */
    const char *socket;
    const char *node; /* a render node in place of a socket, or NULL */
    const char *output;
    char library[PATH_MAX];
    char manifest[PATH_MAX];
    char folder[PATH_MAX]; /* of the socket */
    char variable[PATH_MAX];
};

static void write_mount(FILE *file, const char *outside, const char *inside, const char *mode)
{
    fputs("          {\"hostPath\": ", file);
    json_string(file, outside);
    fputs(", \"containerPath\": ", file);
    json_string(file, inside);
    fprintf(file, ", \"options\": [\"%s\", \"nosuid\", \"nodev\", \"bind\"]}", mode);
}

static void write_spec(FILE *file, const struct spec *spec)
{
    fputs("{\n"
          "  \"cdiVersion\": \"" CDI_VERSION "\",\n"
          "  \"kind\": \"" KIND "\",\n"
          "  \"devices\": [\n"
          "    {\n"
          "      \"name\": ",
          file);
    json_string(file, spec->name);
    fputs(",\n      \"containerEdits\": {\n", file);
    if (spec->node) {
        fputs("        \"deviceNodes\": [{\"path\": ", file);
        json_string(file, spec->node);
        fputs("}],\n", file);
    } else {
        fputs("        \"env\": [", file);
        json_string(file, spec->variable);
        fputs("],\n", file);
    }
    fputs("        \"mounts\": [\n", file);
    write_mount(file, spec->library, LIBRARY_INSIDE, "ro");
    fputs(",\n", file);
    write_mount(file, spec->manifest, MANIFEST_INSIDE, "ro");
    if (!spec->node) {
        fputs(",\n", file);
        write_mount(file, spec->folder, SOCKETS_INSIDE, "rw");
    }
    fputs("\n        ]\n      }\n    }\n  ]\n}\n", file);
}

/* The folder is mounted, not the socket: a server that is started again makes a new one. */
static bool find_socket(struct spec *spec, struct vd_default_socket *places)
{
    char path[PATH_MAX];
    if (!spec->socket) {
        vd_default_sockets(places);
        spec->socket = places[0].path;
    }
    if (spec->socket[0] != '/' || strlen(spec->socket) >= sizeof(path)) {
        complain("--socket wants an absolute path, not '%s'", spec->socket);
        return false;
    }
    strcpy(path, spec->socket);
    char *slash = strrchr(path, '/');
    snprintf(spec->variable, sizeof(spec->variable), "VTEST_SOCKET_NAME=" SOCKETS_INSIDE "/%s",
             slash + 1);
    *slash = '\0';
    strcpy(spec->folder, path);
    if (access(spec->folder, F_OK) < 0)
        complain("%s is not there yet; containers start only when it is: start the server first",
                 spec->folder);
    return true;
}

static bool find_driver(struct spec *spec, const char *library)
{
    char manifest[PATH_MAX];
    if (!place_of_container_manifest(spec->manifest)) {
        complain("the driver's manifest for containers is not installed");
        return false;
    }
    if (library) {
        if (realpath(library, spec->library))
            return true;
        complain("--library: %s: %s", library, strerror(errno));
        return false;
    }
    if (!place_of_manifest(manifest) || !manifest_library(manifest, spec->library) ||
        access(spec->library, R_OK) < 0) {
        complain("Viaduct's driver is not installed here; name one with --library");
        return false;
    }
    return true;
}

/* Containers see the old file or the new one, never half of it. */
static bool write_file(const struct spec *spec)
{
    char temporary[PATH_MAX];
    if (!spec->output) {
        write_spec(stdout, spec);
        return fflush(stdout) == 0 && !ferror(stdout);
    }
    /* Runtimes read files that end in .json or .yaml. */
    if (snprintf(temporary, sizeof(temporary), "%s.new", spec->output) >= (int)sizeof(temporary))
        return false;
    char folder[PATH_MAX];
    strcpy(folder, temporary);
    mkdir(dirname(folder), 0755);
    FILE *file = fopen(temporary, "we");
    if (file) {
        write_spec(file, spec);
        const bool written = !ferror(file);
        if (fclose(file) == 0 && written && rename(temporary, spec->output) == 0)
            return true;
    }
    complain("can not write %s: %s", spec->output, strerror(errno));
    unlink(temporary);
    return false;
}

static void usage(FILE *file)
{
    fputs(
        "usage: viaduct cdi generate [options]\n"
        "\n"
        "Writes a description for the Container Device Interface. Where it lies in /etc/cdi,\n"
        "\n"
        "  podman run --device " KIND "=all IMAGE vulkaninfo --summary\n"
        "\n"
        "puts Viaduct's driver and the server's socket into a container of any image that has a\n"
        "Vulkan loader.\n"
        "\n"
        "  --output FILE   where to, for example /etc/cdi/viaduct.json (default: standard output)\n"
        "  --socket PATH   the server's socket (default: where a server of this user listens)\n"
        "  --node PATH     a virtio-gpu's render node in its place, for containers in a guest\n"
        "  --library FILE  another driver, for example one for musl\n"
        "  --device NAME   what stands behind " KIND "= (default: all)\n"
        "  --help          this text\n",
        file);
}

int cdi_main(int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"socket", required_argument, NULL, 's'},
        {"node", required_argument, NULL, 'n'},
        {"library", required_argument, NULL, 'l'},
        {"device", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    struct vd_default_socket places[VD_DEFAULT_SOCKETS_MAX];
    struct spec spec = {.name = "all"};
    const char *library = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'o':
            spec.output = optarg;
            break;
        case 's':
            spec.socket = optarg;
            break;
        case 'n':
            spec.node = optarg;
            break;
        case 'l':
            library = optarg;
            break;
        case 'd':
            spec.name = optarg;
            break;
        case 'h':
            usage(stdout);
            return EXIT_SUCCESS;
        default: /* getopt has said what is wrong */
            fputs("Try 'viaduct cdi --help'.\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (argc - optind != 1 || strcmp(argv[optind], "generate") != 0) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (!spec.name[0] || spec.name[strspn(spec.name, letters)] || strchr("_.-", spec.name[0])) {
        complain("--device wants letters, digits, and between them _ . -, not '%s'", spec.name);
        return EXIT_USAGE;
    }
    if (spec.node && spec.socket) {
        complain("--node and --socket exclude each other");
        return EXIT_USAGE;
    }
    if (!find_driver(&spec, library) || (!spec.node && !find_socket(&spec, places)) ||
        !write_file(&spec))
        return EXIT_INTERNAL;
    return EXIT_SUCCESS;
}
