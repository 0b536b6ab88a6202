/* SPDX-License-Identifier: MIT
 *
 * A driver that has been taken over: it tries to get out of its process, and says how far it came. What
 * it tries stands in VIADUCT_TRY; it does so when a shader module is created, for that is a client's
 * wish. Each try says "try: NAME: WHAT" on stderr, where WHAT is "out" if it succeeded.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "layer.h"

static PFN_vkCreateDevice create_device_below;

/* Of somebody else, as the test says. */
static const char *argument(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

static pid_t victim(void)
{
    return atoi(argument("VIADUCT_TRY_PID"));
}

/* ---- The tries: 0 or more: it worked; else errno. */

static int try_read(void)
{
    return open(argument("VIADUCT_TRY_FILE"), O_RDONLY);
}

static int try_write(void)
{
    return open(argument("VIADUCT_TRY_FILE"), O_WRONLY | O_APPEND);
}

static int try_empty(void)
{
    return open(argument("VIADUCT_TRY_FILE"), O_RDONLY | O_TRUNC);
}

static int try_create(void)
{
    char path[512];
    snprintf(path, sizeof(path), "%s.new", argument("VIADUCT_TRY_FILE"));
    return open(path, O_WRONLY | O_CREAT, 0600);
}

static int try_exec(void)
{
    char *const none[] = {NULL};
    return execve("/nowhere", none, none); /* which the kernel would say */
}

static int try_fork(void)
{
    const pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return pid;
}

static int try_ptrace(void)
{
    return (int)ptrace(PTRACE_ATTACH, victim(), NULL, NULL);
}

static int try_peek(void)
{
    char byte;
    const struct iovec here = {&byte, 1}, there = {(void *)&environ, 1};
    return (int)process_vm_readv(victim(), &here, 1, &there, 1, 0);
}

static int try_kill(void)
{
    return kill(victim(), SIGKILL);
}

static int try_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

static int try_abstract(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s",
             argument("VIADUCT_TRY_ABSTRACT"));
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return fd < 0 ? fd
                  : connect(fd, (struct sockaddr *)&address,
                            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                                        strlen(argument("VIADUCT_TRY_ABSTRACT"))));
}

/* At an abstract address, which only those of the same network namespace see. */
static int try_listen(void)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0viaduct-tries"};
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -1;
    return listen(fd, 1);
}

/* To a server at a path, such as a user's session bus. */
static int try_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", argument("VIADUCT_TRY_FILE"));
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    return fd < 0 ? fd : connect(fd, (const struct sockaddr *)&address, sizeof(address));
}

static int try_unshare(void)
{
    return unshare(CLONE_NEWUSER);
}

static int try_bpf(void)
{
    return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int try_io_uring(void)
{
    char params[120] = {0};
    return (int)syscall(SYS_io_uring_setup, 4, params);
}

static int try_userfaultfd(void)
{
    return (int)syscall(SYS_userfaultfd, O_CLOEXEC);
}

static int try_writable_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) == MAP_FAILED
               ? -1
               : 0;
}

static int try_patched_code(void)
{
    void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return code == MAP_FAILED ? -1 : mprotect(code, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
}

static int try_maps(void)
{
    return open("/proc/self/maps", O_RDONLY);
}

/* No try to get out: drivers do so when they are asked to say more. */
static int print(void)
{
    return printf("hello\n") < 0 ? -1 : fflush(stdout);
}

static const struct {
    const char *name;
    int (*run)(void);
} tries[] = {
    {"nothing", getpid},
    {"print", print},
    {"read", try_read},
    {"write", try_write},
    {"empty", try_empty},
    {"create", try_create},
    {"exec", try_exec},
    {"fork", try_fork},
    {"ptrace", try_ptrace},
    {"peek", try_peek},
    {"kill", try_kill},
    {"socket", try_socket},
    {"abstract", try_abstract},
    {"listen", try_listen},
    {"connect", try_connect},
    {"unshare", try_unshare},
    {"bpf", try_bpf},
    {"io_uring", try_io_uring},
    {"userfaultfd", try_userfaultfd},
    {"writable_code", try_writable_code},
    {"patched_code", try_patched_code},
    {"maps", try_maps},
};

static void run_try(void)
{
    const char *name = argument("VIADUCT_TRY");
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        if (strcmp(name, tries[i].name) != 0)
            continue;
        errno = 0;
        const int result = tries[i].run();
        if (result >= 0)
            fprintf(stderr, "try: %s: out\n", name);
        else
            fprintf(stderr, "try: %s: errno %d (%s)\n", name, errno, strerror(errno));
    }
}

/* ---- The layer */

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *alloc,
                                                      VkInstance *instance)
{
    const PFN_vkGetInstanceProcAddr next = step_instance(info);
    const VkResult result =
        ((PFN_vkCreateInstance)next(NULL, "vkCreateInstance"))(info, alloc, instance);
    if (result == VK_SUCCESS)
        create_device_below = (PFN_vkCreateDevice)next(*instance, "vkCreateDevice");
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *alloc,
                                                    VkDevice *device)
{
    step_device(info);
    return create_device_below(physical, info, alloc, device);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_shader_module(VkDevice device,
                                                           const VkShaderModuleCreateInfo *info,
                                                           const VkAllocationCallbacks *alloc,
                                                           VkShaderModule *module)
{
    static bool tried;
    if (!tried)
        run_try();
    tried = true;
    return NEXT(device, vkCreateShaderModule)(device, info, alloc, module);
}

static const struct function functions[] = {
    FUNCTION("vkGetInstanceProcAddr", get_instance),
    FUNCTION("vkGetDeviceProcAddr", get_device),
    FUNCTION("vkCreateInstance", create_instance),
    FUNCTION("vkCreateDevice", create_device),
    FUNCTION("vkCreateShaderModule", create_shader_module),
};

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device(VkDevice device, const char *name)
{
    if (strcmp(name, "vkGetDeviceProcAddr") == 0)
        return (PFN_vkVoidFunction)get_device;
    if (strcmp(name, "vkCreateShaderModule") == 0)
        return (PFN_vkVoidFunction)create_shader_module;
    return next_device(device, name);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_instance(VkInstance instance, const char *name)
{
    const PFN_vkVoidFunction ours = LOOK_UP(functions, name);
    return ours || !next_instance ? ours : next_instance(instance, name);
}
