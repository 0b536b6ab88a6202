/* SPDX-License-Identifier: MIT
 *
 * Viaduct's driver, by its own words: it is loaded in a child and asked what it would do for an
 * application (icd/diagnose.h).
 */
#include "doctor.h"

#include <dlfcn.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/environment.h"
#include "common/patience.h"
#include "icd/diagnose.h"

/* The driver gives a socket up after five seconds. A server's own driver may take its time. */
#define DRIVER_SECONDS (30 * VD_PATIENCE)

/* ---- Asking */

static void ask_driver(void *data)
{
    const char *path = data;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        doctor_tell(NULL, "not-loaded", path, dlerror());
        return;
    }
    const vdc_diagnose_function diagnose =
        (vdc_diagnose_function)dlsym(library, VDC_DIAGNOSE_SYMBOL);
    if (!diagnose) {
        doctor_tell(NULL, "cannot-tell", path, "");
        return;
    }
    diagnose(doctor_tell, NULL);
}

/* What the dynamic linker's sentence means. */
static void explain_dlopen(struct doctor *doctor, const char *error)
{
    const char *glibc = strstr(error, "version `GLIBC_");
    if (glibc) {
        doctor_fault(doctor, "this system's C library is too old for the driver: it lacks %.*s",
                     (int)strcspn(glibc + strlen("version `"), "'"), glibc + strlen("version `"));
        doctor_advise(doctor, "use a driver that was built on this distribution, or an older one");
    } else if (strstr(error, "libc.musl")) {
        doctor_fault(doctor,
                     "the driver was built for musl, and this system has another C library");
        doctor_advise(doctor, "install a driver that was built for glibc");
    } else if (strstr(error, "ld-linux") || strstr(error, "symbol not found")) {
        doctor_fault(doctor,
                     "the driver was built for glibc, and this system has another C library");
        doctor_advise(doctor, "install a driver that was built for musl");
    } else if (strstr(error, "cannot open shared object file") &&
               strncmp(error, doctor->library, strlen(doctor->library)) != 0) {
        doctor_fault(doctor, "the driver needs %.*s, which is not here", (int)strcspn(error, ":"),
                     error);
        doctor_advise(doctor, "install the package that has it");
    } else {
        doctor_fault(doctor, "the driver cannot be loaded: %s", error);
        doctor_advise(doctor, "install Viaduct's driver again");
    }
}

void doctor_check_driver(struct doctor *doctor)
{
    if (!doctor->library[0]) {
        doctor_skip(doctor, "not loaded without a library");
        return;
    }
    if (!doctor_in_child(ask_driver, doctor->library, DRIVER_SECONDS, &doctor->driver)) {
        doctor_fault(doctor, "no process can be started: %s", strerror(errno));
        return;
    }
    const struct doctor_finding *error = doctor_find(&doctor->driver, "not-loaded");
    const struct doctor_finding *driver = doctor_find(&doctor->driver, "driver");
    if (error) {
        explain_dlopen(doctor, error->text);
    } else if (doctor_find(&doctor->driver, "cannot-tell")) {
        doctor_fault(doctor, "%s is no driver of Viaduct, or an older one than this doctor",
                     doctor->library);
        doctor_advise(doctor, "install the driver and the viaduct command of one version");
    } else if (!driver) {
        doctor_fault(doctor, "the driver %s", doctor->driver.end);
        doctor_advise(doctor, "VIADUCT_DEBUG=1 vulkaninfo --summary, and report a bug");
    } else {
        doctor->asked = true;
        doctor_ok(doctor, "it loads; version %s, %s", driver->about, driver->text);
        if (strcmp(driver->about, VIADUCT_VERSION) != 0) {
            doctor_note(doctor, "the driver is %s, this command " VIADUCT_VERSION, driver->about);
            doctor_advise(doctor, "install both of one version");
        }
    }
}

/* ---- The ways to a server */

static const struct doctor_finding *reached(const struct doctor *doctor, const char *transport)
{
    const struct doctor_finding *finding = doctor_find(&doctor->driver, "reached");
    return finding && (!transport || !strcmp(finding->about, transport)) ? finding : NULL;
}

static const char *wanted_transport(void)
{
    return vd_getenv("VIADUCT_TRANSPORT");
}

/* Whether the kernel has a virtio-gpu device (type 16), with a driver or without. */
static bool has_virtio_gpu(void)
{
    for (int i = 0; i < 64; i++) {
        char path[64], type[16] = "";
        snprintf(path, sizeof(path), "/sys/bus/virtio/devices/virtio%d/device", i);
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        const bool read = fgets(type, sizeof(type), file);
        fclose(file);
        if (read && strtol(type, NULL, 16) == 16)
            return true;
    }
    return false;
}

void doctor_check_virtio_gpu(struct doctor *doctor)
{
    static const char install[] =
        "install the same version of Viaduct in the guest and on the host";
    const struct doctor_finding *finding;
    if (!doctor->asked) {
        doctor_skip(doctor, "not tried without the driver");
    } else if (wanted_transport() && strcmp(wanted_transport(), "virtgpu") != 0) {
        doctor_skip(doctor, "not tried: VIADUCT_TRANSPORT is %s", wanted_transport());
    } else if (reached(doctor, "virtgpu")) {
        doctor_ok(doctor, "the driver reaches the server through the guest's virtio-gpu");
    } else if ((finding = doctor_find(&doctor->driver, "node-denied"))) {
        doctor_say_denied(doctor, finding->about);
    } else if ((finding = doctor_find(&doctor->driver, "node-version")) ||
               (finding = doctor_find(&doctor->driver, "node-senseless"))) {
        doctor_fault(doctor, "%s", finding->text);
        doctor_advise(doctor, "%s", install);
    } else if ((finding = doctor_find(&doctor->driver, "node-foreign"))) {
        doctor_fault(doctor, "%s", finding->text);
        doctor_advise(doctor,
                      "give the guest viaduct-server's device: -chardev socket,id=vgpu,path=... "
                      "-device vhost-user-gpu-pci,chardev=vgpu");
    } else if (has_virtio_gpu()) {
        doctor_fault(doctor, "this guest has a virtio-gpu device and no render node for it");
        doctor_advise(doctor,
                      "sudo modprobe virtio_gpu; in a container, pass the node on: --device "
                      "/dev/dri");
    } else {
        doctor_skip(doctor, "there is none; only virtual machines have it");
    }
}

/* The node was refused, and nobody chose a socket: this is a guest, which has none. */
static bool is_guest(const struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->driver.count; i++)
        if (!strncmp(doctor->driver.list[i].word, "node-", 5))
            return !vd_getenv("VTEST_SOCKET_NAME");
    return has_virtio_gpu() && !vd_getenv("VTEST_SOCKET_NAME");
}

static void describe_owner(const char *path, char text[static 96])
{
    struct stat status;
    text[0] = '\0';
    if (stat(path, &status) < 0)
        return;
    const struct passwd *owner = getpwuid(status.st_uid);
    if (owner)
        snprintf(text, 96, ", owned by %s, mode %04o", owner->pw_name,
                 (unsigned)status.st_mode & 07777);
    else
        snprintf(text, 96, ", owned by uid %u, mode %04o", (unsigned)status.st_uid,
                 (unsigned)status.st_mode & 07777);
}

static void explain_absent(struct doctor *doctor, const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof(folder), "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash && slash != folder)
        *slash = '\0';
    if (!vd_getenv("VTEST_SOCKET_NAME")) {
        doctor_fault(doctor, "no server is named, and there is none at %s", path);
        doctor_advise(doctor, doctor->container
                                  ? "mount the folder of the server's socket, and name it: "
                                    "export VTEST_SOCKET_NAME=/run/viaduct/socket"
                                  : "viaduct-server &, or name its socket: export "
                                    "VTEST_SOCKET_NAME=...");
    } else if (access(folder, F_OK) < 0) {
        doctor_fault(doctor, "VTEST_SOCKET_NAME is %s, and there is no folder %s", path, folder);
        doctor_advise(doctor,
                      "start the server: viaduct-server --socket %s; in a container, mount its "
                      "folder: -v %s:%s",
                      path, folder, folder);
    } else {
        doctor_fault(doctor, "VTEST_SOCKET_NAME is %s, and there is no such socket", path);
        doctor_advise(doctor, "viaduct-server --socket %s", path);
    }
}

static void explain_socket(struct doctor *doctor, const struct doctor_finding *finding)
{
    static const char install[] = "install the same version of Viaduct at both ends";
    const char *word = finding->word + strlen("socket-"), *path = finding->about;
    char owner[96];
    struct stat status;
    describe_owner(path, owner);
    if (!strcmp(word, "absent")) {
        explain_absent(doctor, path);
    } else if (!strcmp(word, "denied")) {
        doctor_fault(doctor, "%s may not be opened by uid %u%s", path, (unsigned)geteuid(),
                     owner[0] ? owner : ", nor its folder be entered");
        doctor_advise(doctor,
                      "run the server as this user, or let others in: viaduct-server --socket %s "
                      "--socket-mode 0666; rootless podman: --userns=keep-id",
                      path);
    } else if (!strcmp(word, "stale") && stat(path, &status) == 0 && !S_ISSOCK(status.st_mode)) {
        doctor_fault(doctor, "%s is no socket", path);
        doctor_advise(doctor, "remove it, and start the server: viaduct-server --socket %s", path);
    } else if (!strcmp(word, "stale")) {
        doctor_fault(doctor, "nobody listens at %s: its server has ended%s", path, owner);
        doctor_advise(doctor,
                      "viaduct-server --socket %s; where it is mounted into a container, mount its "
                      "folder instead, for the new server makes a new socket",
                      path);
    } else if (!strcmp(word, "silent")) {
        doctor_fault(doctor, "somebody listens at %s and does not answer%s", path, owner);
        doctor_advise(doctor,
                      "look whether the server is stopped, or is no viaduct-server: ss -xlp | grep "
                      "%s",
                      path);
    } else if (!strcmp(word, "foreign")) {
        doctor_fault(doctor, "%s (virglrenderer's, perhaps)", finding->text);
        doctor_advise(doctor,
                      "start viaduct-server at another path, and name it in VTEST_SOCKET_NAME");
    } else if (!strcmp(word, "version")) {
        doctor_fault(doctor, "%s", finding->text);
        doctor_advise(doctor, "%s", install);
    } else if (!strcmp(word, "senseless")) {
        doctor_fault(doctor, "%s", finding->text);
        doctor_advise(doctor, "%s; the server's log may say more", install);
    } else if (!strcmp(word, "owner")) {
        doctor_fault(doctor, "%s", finding->text);
        doctor_advise(doctor,
                      "let root or this user start the server; whoever runs it sees what the "
                      "application draws");
    } else if (!strcmp(word, "long")) {
        doctor_fault(doctor, "VTEST_SOCKET_NAME has %zu bytes, and a socket's path at most 107",
                     strlen(path));
        doctor_advise(doctor,
                      "put the socket into a folder with a short path, such as /run/viaduct");
    } else {
        doctor_fault(doctor, "%s", finding->text);
        doctor_advise(doctor, "VIADUCT_DEBUG=1 vulkaninfo --summary");
    }
}

void doctor_check_socket(struct doctor *doctor)
{
    const struct doctor_finding *last = NULL;
    /* Of several places the last one is told: the one where a server for all would be. But one that
     * is there is worth more than one that is not. */
    for (size_t i = 0; i < doctor->driver.count; i++) {
        const struct doctor_finding *finding = &doctor->driver.list[i];
        if (!strncmp(finding->word, "socket-", 7) &&
            (!last || strcmp(finding->word, "socket-absent") != 0))
            last = finding;
    }
    if (!doctor->asked)
        doctor_skip(doctor, "not tried without the driver");
    else if (reached(doctor, "virtgpu"))
        doctor_skip(doctor, "not needed, virtio-gpu comes first");
    else if (wanted_transport() && strcmp(wanted_transport(), "vtest") != 0)
        doctor_skip(doctor, "not tried: VIADUCT_TRANSPORT is %s", wanted_transport());
    else if (reached(doctor, "vtest"))
        doctor_ok(doctor, "a server listens and answers at %s",
                  vd_getenv("VTEST_SOCKET_NAME") ? vd_getenv("VTEST_SOCKET_NAME")
                                                 : "the default place");
    else if (last && is_guest(doctor))
        doctor_skip(doctor, "not named; this is a guest");
    else if (last)
        explain_socket(doctor, last);
    else
        doctor_skip(doctor, "not tried");
}

void doctor_check_transport(struct doctor *doctor)
{
    const struct doctor_finding *unknown = doctor_find(&doctor->driver, "transport-unknown");
    const struct doctor_finding *finding = reached(doctor, NULL);
    if (!doctor->asked) {
        doctor_skip(doctor, "not chosen without the driver");
    } else if (unknown) {
        doctor_fault(doctor, "VIADUCT_TRANSPORT is '%s', and is to be virtgpu or vtest",
                     unknown->about);
        doctor_advise(doctor, "unset VIADUCT_TRANSPORT");
    } else if (doctor_find(&doctor->driver, "in-server")) {
        doctor_fault(doctor, "VIADUCT_IN_SERVER is set, which switches the driver off");
        doctor_advise(doctor, "unset VIADUCT_IN_SERVER");
    } else if (finding) {
        doctor_ok(doctor, "%s; %s", finding->about,
                  wanted_transport()                 ? "VIADUCT_TRANSPORT wants it"
                  : !strcmp(finding->about, "vtest") ? "no virtio-gpu of Viaduct's comes before it"
                                                     : "it comes first where there is one");
    } else {
        doctor_skip(doctor, "none leads to a server");
    }
}

/* ---- The server */

void doctor_check_server(struct doctor *doctor)
{
    const struct doctor_finding *finding = reached(doctor, NULL);
    const struct doctor_finding *failed;
    if (finding) {
        doctor_ok(doctor, "%s", finding->text);
    } else if ((failed = doctor_find(&doctor->driver, "no-context"))) {
        doctor_fault(doctor, "the server takes connections and does not set them up");
        doctor_advise(doctor,
                      "look into the server's log on the host: it may lack memory or files");
    } else if ((failed = doctor_find(&doctor->driver, "no-vulkan"))) {
        doctor_fault(doctor, "the server is reached, and its own Vulkan does not start");
        doctor_advise(doctor, "on the host: viaduct doctor --host");
    } else if (doctor->asked && doctor->driver.end[0]) {
        doctor_fault(doctor, "the server is asked, and the driver %s", doctor->driver.end);
        doctor_advise(doctor,
                      "look into the server's log on the host, and at its driver: viaduct doctor "
                      "--host");
    } else {
        doctor_skip(doctor, "not reached");
    }
}

void doctor_check_devices(struct doctor *doctor)
{
    bool any = false;
    if (!reached(doctor, NULL)) {
        doctor_skip(doctor, "not known without a server");
        return;
    }
    for (size_t i = 0; i < doctor->driver.count; i++) {
        const struct doctor_finding *finding = &doctor->driver.list[i];
        if (!strcmp(finding->word, "device")) {
            doctor_ok(doctor, "%s: %s", finding->about, finding->text);
            any = true;
        } else if (!strcmp(finding->word, "device-blind")) {
            doctor_fault(doctor,
                         "%s: no memory of it can be mapped, for the host's driver cannot import "
                         "memory",
                         finding->about);
            doctor_advise(doctor, "on the host: viaduct doctor --host");
        }
    }
    if (!any && doctor->driver.end[0]) {
        doctor_fault(doctor, "the server was asked for its devices, and the driver %s",
                     doctor->driver.end);
        doctor_advise(doctor, "on the host: viaduct doctor --host");
    } else if (!any) {
        doctor_fault(doctor, "the server is reached, and its Vulkan has no devices");
        doctor_advise(doctor, "on the host: viaduct doctor --host");
    }
}

void doctor_check_pages(struct doctor *doctor)
{
    const struct doctor_finding *pages = doctor_find(&doctor->driver, "host-pages");
    if (!pages) {
        doctor_skip(doctor, "not known without the driver");
    } else if (!strcmp(pages->about, "yes")) {
        doctor_ok(doctor, "memory of the application can become device memory "
                          "(VK_EXT_external_memory_host)");
    } else {
        doctor_note(doctor,
                    "without userfaultfd there is no VK_EXT_external_memory_host, which few "
                    "applications ask for");
        doctor_advise(doctor, "sudo sysctl vm.unprivileged_userfaultfd=1");
    }
}
