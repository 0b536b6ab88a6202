/* SPDX-License-Identifier: MIT */
#include "memory_descriptor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "call.h"
#include "calls.h"
#include "chain.h"
#include "entrypoints.h"
#include "log.h"
#include "memory_types.h"
#include "opcodes.h"

static void *map_file(int fd, uint64_t offset, uint64_t size, void *place)
{
    errno = ENOMEM;
    void *map = MAP_FAILED;
    if (size <= SIZE_MAX / 2)
        map = mmap(place, size, PROT_READ | PROT_WRITE, MAP_SHARED | (place ? MAP_FIXED : 0), fd,
                   (off_t)offset);
    if (map != MAP_FAILED)
        return map;
    vdc_log("memory of the driver's can not be mapped: %s", strerror(errno));
    return NULL;
}

void *vdc_memory_map_fd(const struct vdc_physical_device *pd,
                        VkExternalMemoryHandleTypeFlags handle_type, int fd, uint64_t offset,
                        uint64_t size, void *place)
{
    /* Where memory begins was found out for one type of descriptors. */
    const uint64_t start = handle_type == pd->data->handle_type ? pd->data->own_start : 0;
    return map_file(fd, start + offset, size, place);
}

VkResult vdc_memory_fetch_fd(VkDevice device, const VkMemoryGetFdInfoKHR *info, int *fd)
{
    int id = 0;
    const VkResult result = vdc_call_vkGetMemoryFdKHR(device, info, &id);
    return result == VK_SUCCESS
               ? vdc_link_fd_take(&vdc_instance_of(device)->connection->link, (uint32_t)id, fd)
               : result;
}

static VkResult find_file(VkDevice device, VkDeviceMemory handle, struct vd_memory_file *file)
{
    struct vdc_call call;
    const struct vd_get_memory_file args = {.memory = (uint64_t)handle};
    VkResult result =
        vdc_call_begin(&call, device, VD_OP_GET_MEMORY_FILE, sizeof(args), VDC_CALL_SYNC);
    if (result != VK_SUCCESS)
        return result;
    memcpy(call.encoder.base + call.encoder.at, &args, sizeof(args));
    call.encoder.out_size = sizeof(*file);
    result = vdc_call_wait(&call);
    if (result == VK_SUCCESS)
        memcpy(file, call.fill.out, sizeof(*file));
    vdc_call_end(&call);
    return result;
}

static void *find_and_map(VkDevice device, VkDeviceMemory handle, uint64_t offset, uint64_t size,
                          void *place)
{
    struct vd_memory_file file;
    int fd;
    if (find_file(device, handle, &file) != VK_SUCCESS ||
        vdc_link_fd_take(&vdc_instance_of(device)->connection->link, file.fd, &fd) != VK_SUCCESS)
        return NULL;
    void *map = map_file(fd, file.offset + offset, size, place);
    close(fd);
    return map;
}

void *vdc_memory_fetch_and_map(VkDevice device, VkDeviceMemory handle,
                               VkExternalMemoryHandleTypeFlags type, uint64_t offset, uint64_t size,
                               void *place)
{
    int fd;
    if (type == VDC_MEMORY_IS_FOUND)
        return find_and_map(device, handle, offset, size, place);
    if (vdc_memory_fetch_fd(device,
                            &(const VkMemoryGetFdInfoKHR){
                                .sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR,
                                .memory = handle,
                                .handleType = (VkExternalMemoryHandleTypeFlagBits)type,
                            },
                            &fd) != VK_SUCCESS)
        return NULL;
    void *map = vdc_memory_map_fd(((struct vdc_device *)device)->physical_device, type, fd, offset,
                                  size, place);
    close(fd);
    return map;
}

VkResult vdc_memory_import_fd(VkDevice device, VkMemoryAllocateInfo *info,
                              const VkImportMemoryFdInfoKHR *import, VkDeviceMemory *memory)
{
    uint32_t id;
    VkResult result = vdc_link_fd_give(&vdc_instance_of(device)->connection->link, import->fd, &id);
    if (result != VK_SUCCESS)
        return result;
    VkBaseOutStructure *chain = vdc_chain_copy(info->pNext);
    if (!chain)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (VkBaseOutStructure *out = chain; out; out = out->pNext)
        if (out->sType == VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR)
            ((VkImportMemoryFdInfoKHR *)out)->fd = (int)id;
    info->pNext = chain;
    result = vdc_call_vkAllocateMemory(device, info, NULL, memory);
    free(chain);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkGetMemoryFdPropertiesKHR(VkDevice device, VkExternalMemoryHandleTypeFlagBits handleType,
                               int fd, VkMemoryFdPropertiesKHR *pMemoryFdProperties)
{
    uint32_t id;
    VkResult result = vdc_link_fd_give(&vdc_instance_of(device)->connection->link, fd, &id);
    if (result != VK_SUCCESS)
        return result;
    result = vdc_call_vkGetMemoryFdPropertiesKHR(device, handleType, (int)id, pMemoryFdProperties);
    if (result == VK_SUCCESS)
        pMemoryFdProperties->memoryTypeBits =
            vdc_memory_bits(((struct vdc_device *)device)->physical_device,
                            pMemoryFdProperties->memoryTypeBits, VDC_BACKING_HOST);
    return result;
}
