/* SPDX-License-Identifier: MIT
 *
 * What the server needs of its machine: itself, a driver, QEMU and libvirt.
 */
#include "doctor.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <vulkan/vulkan_core.h>

#include "common/patience.h"

#include "places.h"

#define PROGRAM_SECONDS 10
#define DRIVER_SECONDS  (30 * VD_PATIENCE)
#define DEVICES_MAX     16
#define QEMU_NEEDED     10

/* ---- Programs that say their version */

static void exec_version(void *data)
{
    execlp(data, data, "--version", (char *)NULL);
    doctor_tell(NULL, "no-program", "", strerror(errno));
}

void doctor_check_host_server(struct doctor *doctor)
{
    char path[PATH_MAX];
    struct doctor_findings findings;
    if (!place_of_server(path)) {
        doctor_fault(doctor, "there is no viaduct-server beside this program");
        doctor_advise(doctor,
                      "install Viaduct's server; where applications run: viaduct doctor --client");
        return;
    }
    doctor_in_child(exec_version, path, PROGRAM_SECONDS, &findings);
    const char *version = findings.count ? findings.list[0].text : "";
    if (!strncmp(version, "viaduct-server ", 15)) {
        doctor_ok(doctor, "%s: %s", path, version + 15);
        if (strncmp(version + 15, VIADUCT_VERSION " ", strlen(VIADUCT_VERSION) + 1) != 0) {
            doctor_note(doctor, "this command is " VIADUCT_VERSION);
            doctor_advise(doctor, "install both of one version");
        }
    } else {
        doctor_fault(doctor, "%s does not run: %s", path, findings.end[0] ? findings.end : version);
        doctor_advise(doctor, "%s --version", path);
    }
    doctor_findings_finish(&findings);
}

static void exec_check(void *data)
{
    execl(data, data, "--check-sandbox", (char *)NULL);
    doctor_tell(NULL, "no-program", "", strerror(errno));
}

void doctor_check_host_sandbox(struct doctor *doctor)
{
    static const char says[] = "DEGRADED: ";
    char path[PATH_MAX];
    struct doctor_findings findings;
    bool whole = true;
    if (!place_of_server(path)) {
        doctor_skip(doctor, "not known without a server");
        return;
    }
    doctor_in_child(exec_check, path, PROGRAM_SECONDS, &findings);
    for (size_t i = 0; i < findings.count; i++) {
        const char *degraded = strstr(findings.list[i].text, says);
        if (!degraded)
            continue;
        whole = false;
        doctor_note(doctor, "%s", degraded + strlen(says));
        doctor_advise(doctor, "see docs/sandbox.md; --sandbox=strict refuses to serve without it");
    }
    if (whole && findings.ended)
        doctor_ok(doctor, "this machine has all that holds a client back");
    else if (whole)
        doctor_skip(doctor, "the server does not tell");
    doctor_findings_finish(&findings);
}

/* ---- The driver */

static bool has_extension(PFN_vkEnumerateDeviceExtensionProperties list, VkPhysicalDevice device,
                          const char *name)
{
    uint32_t count = 0;
    bool found = false;
    if (list(device, NULL, &count, NULL) != VK_SUCCESS)
        return false;
    VkExtensionProperties *extensions = calloc(count, sizeof(*extensions));
    if (extensions && list(device, NULL, &count, extensions) >= 0)
        for (uint32_t i = 0; i < count; i++)
            found |= !strcmp(extensions[i].extensionName, name);
    free(extensions);
    return found;
}

/* As a worker of the server does, up to the list of devices. */
static void list_devices(void *data)
{
    (void)data;
    setenv("VIADUCT_IN_SERVER", "1", 1);
    unsetenv("VK_INSTANCE_LAYERS");
    unsetenv("VK_LOADER_LAYERS_ENABLE");
    void *loader = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    const PFN_vkGetInstanceProcAddr get =
        loader ? (PFN_vkGetInstanceProcAddr)dlsym(loader, "vkGetInstanceProcAddr") : NULL;
    const PFN_vkCreateInstance create =
        get ? (PFN_vkCreateInstance)get(NULL, "vkCreateInstance") : NULL;
    if (!create)
        return;
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                           .apiVersion = VK_API_VERSION_1_1};
    const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                       .pApplicationInfo = &application};
    VkInstance instance;
    if (create(&info, NULL, &instance) != VK_SUCCESS)
        return;
    const PFN_vkEnumeratePhysicalDevices enumerate =
        (PFN_vkEnumeratePhysicalDevices)get(instance, "vkEnumeratePhysicalDevices");
    const PFN_vkGetPhysicalDeviceProperties properties =
        (PFN_vkGetPhysicalDeviceProperties)get(instance, "vkGetPhysicalDeviceProperties");
    const PFN_vkEnumerateDeviceExtensionProperties list =
        (PFN_vkEnumerateDeviceExtensionProperties)get(instance,
                                                      "vkEnumerateDeviceExtensionProperties");
    VkPhysicalDevice devices[DEVICES_MAX];
    uint32_t count = DEVICES_MAX;
    if (enumerate(instance, &count, devices) < 0)
        return;
    for (uint32_t i = 0; i < count; i++) {
        VkPhysicalDeviceProperties found;
        properties(devices[i], &found);
        doctor_tell(NULL, "device", found.deviceName,
                    has_extension(list, devices[i], VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME)
                        ? "imports"
                        : "");
    }
    const PFN_vkDestroyInstance destroy = (PFN_vkDestroyInstance)get(instance, "vkDestroyInstance");
    destroy(instance, NULL);
}

void doctor_check_host_driver(struct doctor *doctor)
{
    struct doctor_findings findings;
    size_t useful = 0, devices = 0;
    if (!doctor->loader_found) {
        doctor_skip(doctor, "not looked for without a loader");
        return;
    }
    doctor_in_child(list_devices, NULL, DRIVER_SECONDS, &findings);
    for (size_t i = 0; i < findings.count; i++) {
        if (strcmp(findings.list[i].word, "device") != 0)
            continue;
        devices++;
        if (!strcmp(findings.list[i].text, "imports")) {
            useful++;
            doctor_ok(doctor, "%s; memory is shared by import (VK_EXT_external_memory_host)",
                      findings.list[i].about);
        } else {
            doctor_note(doctor,
                        "%s cannot import memory (it lacks VK_EXT_external_memory_host), and is "
                        "of little use to clients",
                        findings.list[i].about);
            doctor_advise(doctor, "install a newer driver");
        }
    }
    if (findings.end[0]) {
        doctor_fault(doctor, "listing the devices of this machine's drivers %s", findings.end);
        doctor_advise(doctor, "find the driver that is to blame: VK_LOADER_DEBUG=driver vulkaninfo "
                              "--summary");
    } else if (!devices) {
        doctor_fault(doctor, "this machine's drivers show no Vulkan device");
        doctor_advise(doctor,
                      "install the GPU's Vulkan driver, or lavapipe: mesa-vulkan-drivers (Debian, "
                      "Ubuntu, Fedora)");
    } else if (!useful) {
        doctor_fault(doctor,
                     "no driver of this machine can import memory, which is how it is shared with "
                     "clients");
        doctor_advise(doctor, "install a driver that has VK_EXT_external_memory_host, for example "
                              "mesa-vulkan-drivers");
    }
    doctor_findings_finish(&findings);
}

/* ---- Virtual machines */

void doctor_check_host_qemu(struct doctor *doctor)
{
    char program[64 + sizeof("qemu-system-")];
    struct utsname name;
    struct doctor_findings findings;
    static const char says[] = "QEMU emulator version ";
    uname(&name);
    snprintf(program, sizeof(program), "qemu-system-%.63s", name.machine);
    doctor_in_child(exec_version, program, PROGRAM_SECONDS, &findings);
    const char *version = findings.count ? strstr(findings.list[0].text, says) : NULL;
    if (!version) {
        doctor_skip(doctor, "there is no %s, which only virtual machines need", program);
    } else if (atoi(version + strlen(says)) < QEMU_NEEDED) {
        doctor_note(doctor, "%s is version %s, too old for guests with Viaduct", program,
                    version + strlen(says));
        doctor_advise(doctor, "install QEMU %d or newer", QEMU_NEEDED);
    } else if (access("/dev/kvm", R_OK | W_OK) < 0) {
        doctor_note(doctor, "%s %s; /dev/kvm: %s, and guests are slow without it", program,
                    version + strlen(says), strerror(errno));
        doctor_advise(doctor, errno == EACCES
                                  ? "sudo usermod -aG kvm $USER, and log in again"
                                  : "switch virtualization on in the firmware, or nested "
                                    "virtualization on the host of this machine");
    } else {
        doctor_ok(doctor, "%s %s, with KVM", program, version + strlen(says));
    }
    doctor_findings_finish(&findings);
}

/* The file "50-viaduct.json" in a folder where libvirt and QEMU look, and the binary that it names. */
static bool find_description(char path[static PATH_MAX], char binary[static PATH_MAX])
{
    static const char *const folders[] = {"/etc/qemu/vhost-user", "/usr/share/qemu/vhost-user",
                                          "/usr/local/share/qemu/vhost-user"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, PATH_MAX, "%s/50-viaduct.json", folders[i]);
        FILE *file = fopen(path, "re");
        char line[PATH_MAX + 64];
        if (!file)
            continue;
        binary[0] = '\0';
        while (fgets(line, sizeof(line), file)) {
            char *at = strstr(line, "\"binary\"");
            at = at ? strchr(at + strlen("\"binary\""), '"') : NULL;
            if (at)
                snprintf(binary, PATH_MAX, "%.*s", (int)strcspn(at + 1, "\""), at + 1);
        }
        fclose(file);
        return true;
    }
    return false;
}

void doctor_check_host_libvirt(struct doctor *doctor)
{
    char path[PATH_MAX], binary[PATH_MAX];
    if (!find_description(path, binary)) {
        doctor_skip(doctor,
                    "no 50-viaduct.json in /usr/share/qemu/vhost-user, which only libvirt needs");
    } else if (access(binary, X_OK) < 0) {
        doctor_fault(doctor, "%s names the server %s: %s", path, binary, strerror(errno));
        doctor_advise(doctor, "install Viaduct's server again, with prefix /usr");
    } else if (!strncmp(path, "/usr/local", strlen("/usr/local"))) {
        doctor_note(doctor, "libvirt does not look into %s", path);
        doctor_advise(doctor, "sudo install -Dt /etc/qemu/vhost-user %s", path);
    } else {
        doctor_ok(doctor, "%s names %s", path, binary);
    }
}
