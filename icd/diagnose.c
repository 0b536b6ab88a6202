/* SPDX-License-Identifier: MIT */
#include "diagnose.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "entrypoints.h"
#include "extensions.h"
#include "host_pages.h"
#include "instance.h"
#include "log.h"
#include "names.h"
#include "opcodes.h"

#define DEVICES_MAX 16

__attribute__((visibility("default"))) void viaduct_diagnose(vdc_diagnose_listener say, void *data);

struct report {
    vdc_diagnose_listener say;
    void *data;
};

__attribute__((format(printf, 4, 5))) static void
tell(const struct report *report, const char *word, const char *about, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    report->say(report->data, word, about, text);
}

struct version {
    char text[32];
};

static struct version version_text(uint32_t version)
{
    struct version result;
    snprintf(result.text, sizeof(result.text), "%u.%u.%u", VK_API_VERSION_MAJOR(version),
             VK_API_VERSION_MINOR(version), VK_API_VERSION_PATCH(version));
    return result;
}

/* Of how many things that this end knows the other one knows how many. */
struct overlap {
    uint32_t here, both;
};

static void count(struct overlap *overlap, bool here, bool there)
{
    overlap->here += here;
    overlap->both += here && there;
}

static bool calls(uint32_t opcode)
{
    for (size_t i = 0; i < vdc_entrypoint_count; i++)
        if (vdc_entrypoints[i].opcode == opcode)
            return true;
    return false;
}

static struct overlap count_commands(const struct vdc_peer *peer)
{
    struct overlap overlap = {0};
    for (uint32_t i = VD_OP_RESERVED + 1; i < VD_CAPSET_OPCODES; i++)
        count(&overlap, calls(i), vdc_peer_knows_command(peer, i));
    return overlap;
}

static struct overlap count_extensions(const struct vdc_peer *peer)
{
    struct overlap overlap = {0};
    bool carried[VD_EXT_COUNT];
    for (int i = 0; i < VD_EXT_COUNT; i++)
        carried[i] = vd_extensions[i].way != VD_EXTENSION_WITHHELD;
    vd_extensions_close(carried, VD_REGISTRY_VERSION);
    for (int i = 0; i < VD_EXT_COUNT; i++)
        count(&overlap, carried[i], vdc_peer_knows_extension(peer, vd_extensions[i].name));
    return overlap;
}

static void tell_common(const struct report *report, const struct vdc_instance *instance)
{
    const struct vdc_peer *peer = &instance->peer;
    const struct overlap commands = count_commands(peer), extensions = count_extensions(peer);
    tell(report, "reached", instance->connection->link.transport->ops->name,
         "protocol %u on both sides; Vulkan %s here, %s there; the server has %u of this driver's "
         "%u "
         "commands and %u of its %u extensions",
         peer->capset->protocol_version, version_text(VD_REGISTRY_VERSION).text,
         version_text(peer->capset->registry_version).text, commands.both, commands.here,
         extensions.both, extensions.here);
}

static bool shares_memory(VkPhysicalDevice device)
{
    VkPhysicalDeviceMemoryProperties memory;
    vdc_vkGetPhysicalDeviceMemoryProperties(device, &memory);
    for (uint32_t i = 0; i < memory.memoryTypeCount; i++)
        if (memory.memoryTypes[i].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)
            return true;
    return false;
}

static void tell_device(const struct report *report, VkPhysicalDevice device)
{
    VkPhysicalDeviceDriverProperties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &driver};
    vdc_vkGetPhysicalDeviceProperties2(device, &properties);
    const char *name = properties.properties.deviceName;
    tell(report, "device", name, "Vulkan %s %s",
         version_text(properties.properties.apiVersion).text, driver.driverInfo);
    if (shares_memory(device))
        tell(report, "device-memory", name, "application and device share memory");
    else
        tell(report, "device-blind", name, "there is no memory that application and device share");
}

static void tell_devices(const struct report *report, VkInstance instance)
{
    VkPhysicalDevice devices[DEVICES_MAX];
    uint32_t device_count = DEVICES_MAX;
    const VkResult result = vdc_vkEnumeratePhysicalDevices(instance, &device_count, devices);
    if (result < 0 || device_count == 0) {
        tell(report, "no-device", "", "the server shows no devices (%s)", vd_result_name(result));
        return;
    }
    for (uint32_t i = 0; i < device_count; i++)
        tell_device(report, devices[i]);
}

void viaduct_diagnose(vdc_diagnose_listener say, void *data)
{
    const struct report report = {say, data};
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                           .pApplicationName = "viaduct doctor",
                                           .apiVersion = VK_API_VERSION_1_1};
    const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                       .pApplicationInfo = &application};
    VkInstance instance;

    vdc_log_listen(say, data);
    tell(&report, "driver", VIADUCT_VERSION, "protocol %u, Vulkan %s", VD_PROTOCOL_VERSION,
         version_text(VD_REGISTRY_VERSION).text);
    tell(&report, "host-pages", vdc_host_pages_available() ? "yes" : "no", "%s", "");
    if (vdc_vkCreateInstance(&info, NULL, &instance) == VK_SUCCESS) {
        tell_common(&report, (struct vdc_instance *)instance);
        tell_devices(&report, instance);
        vdc_vkDestroyInstance(instance, NULL);
    }
    vdc_log_listen(NULL, NULL);
}
