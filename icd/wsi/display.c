/* SPDX-License-Identifier: MIT
 *
 * A display is a connector with the controller (CRTC) that fits it, and has one plane: the
 * controller's primary one, as large as the mode. Cards are opened to look at them, and no longer
 * their master as soon as they are: only showing something needs that.
 */
#include "display.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drm_library.h"
#include "icd/log.h"

#define CARDS_MAX 16

/* ---- Finding them */

struct vdc_displays *vdc_displays_create(const struct vdc_instance *instance)
{
    struct vdc_displays *displays = calloc(1, sizeof(*displays));
    if (!displays)
        return NULL;
    displays->instance = instance;
    pthread_mutex_init(&displays->lock, NULL);
    return displays;
}

void vdc_displays_destroy(struct vdc_displays *displays)
{
    if (!displays)
        return;
    while (displays->first) {
        struct vdc_display *display = displays->first;
        displays->first = display->next;
        while (display->modes) {
            struct vdc_display_mode *mode = display->modes;
            display->modes = mode->next;
            free(mode);
        }
        displays->drm->ModeFreeCrtc(display->before);
        free(display);
    }
    while (displays->cards) {
        struct vdc_card *card = displays->cards;
        displays->cards = card->next;
        close(card->fd);
        free(card);
    }
    pthread_mutex_destroy(&displays->lock);
    free(displays);
}

static void open_card(struct vdc_displays *displays, const char *path)
{
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        vdc_log("no display at %s: %s", path, strerror(errno));
        return;
    }
    /* Whoever opens a card that has no master becomes it. */
    if (displays->drm->IsMaster(fd))
        displays->drm->DropMaster(fd);
    struct stat status;
    uint64_t dumb = 0;
    struct vdc_card *card = NULL;
    if (displays->drm->GetCap(fd, DRM_CAP_DUMB_BUFFER, &dumb) == 0 && dumb &&
        fstat(fd, &status) == 0)
        card = calloc(1, sizeof(*card));
    if (!card) {
        close(fd);
        return;
    }
    drmVersion *version = displays->drm->GetVersion(fd);
    *card = (struct vdc_card){
        .next = displays->cards,
        .displays = displays,
        .fd = fd,
        .device = status.st_rdev,
        .is_virtio = version && strcmp(version->name, "virtio_gpu") == 0,
    };
    displays->drm->FreeVersion(version);
    displays->cards = card;
}

static void find_cards(struct vdc_displays *displays)
{
    drmDevice *devices[CARDS_MAX];
    const int count = displays->drm->GetDevices2(0, devices, CARDS_MAX);
    for (int i = 0; i < count; i++)
        if (devices[i]->available_nodes & 1 << DRM_NODE_PRIMARY)
            open_card(displays, devices[i]->nodes[DRM_NODE_PRIMARY]);
    if (count > 0)
        displays->drm->FreeDevices(devices, count);
}

/* A controller that drives the connector already, or else one that can and drives no other. */
static uint32_t find_crtc(const struct vdc_card *card, const drmModeRes *resources,
                          const drmModeConnector *connector)
{
    const struct vdc_drm *drm = card->displays->drm;
    uint32_t possible = 0, current = 0;
    for (int i = 0; i < connector->count_encoders; i++) {
        drmModeEncoder *encoder = drm->ModeGetEncoder(card->fd, connector->encoders[i]);
        if (!encoder)
            continue;
        possible |= encoder->possible_crtcs;
        if (encoder->encoder_id == connector->encoder_id)
            current = encoder->crtc_id;
        drm->ModeFreeEncoder(encoder);
    }
    for (int i = 0; i < resources->count_crtcs && !current; i++) {
        bool taken = !(possible & 1u << i);
        for (const struct vdc_display *other = card->displays->first; other; other = other->next)
            taken = taken || (other->card == card && other->crtc == resources->crtcs[i]);
        if (!taken)
            current = resources->crtcs[i];
    }
    return current;
}

static bool same_mode(const drmModeModeInfo *a, const drmModeModeInfo *b)
{
    return a->hdisplay == b->hdisplay && a->vdisplay == b->vdisplay && a->clock == b->clock &&
           a->htotal == b->htotal && a->vtotal == b->vtotal && a->flags == b->flags;
}

/* Modes are added and never removed: the application may hold any of them. */
static void find_modes(struct vdc_display *display, const drmModeConnector *connector)
{
    for (int i = 0; i < connector->count_modes; i++) {
        struct vdc_display_mode **link = &display->modes;
        while (*link && !same_mode(&(*link)->info, &connector->modes[i]))
            link = &(*link)->next;
        if (*link)
            continue;
        struct vdc_display_mode *mode = calloc(1, sizeof(*mode));
        if (!mode)
            return;
        *mode = (struct vdc_display_mode){NULL, display, connector->modes[i]};
        *link = mode;
    }
}

static void find_display(struct vdc_card *card, const drmModeRes *resources, uint32_t id)
{
    const struct vdc_drm *drm = card->displays->drm;
    drmModeConnector *connector = drm->ModeGetConnector(card->fd, id);
    if (!connector)
        return;
    struct vdc_display **link = &card->displays->first;
    while (*link && ((*link)->card != card || (*link)->connector != id))
        link = &(*link)->next;
    const bool connected = connector->connection == DRM_MODE_CONNECTED && connector->count_modes;
    if (!*link && connected) {
        *link = calloc(1, sizeof(**link));
        if (*link) {
            **link = (struct vdc_display){.card = card, .connector = id, .acquired = -1};
            const char *type = drm->ModeGetConnectorTypeName(connector->connector_type);
            snprintf((*link)->name, sizeof((*link)->name), "%s-%u", type ? type : "Unknown",
                     connector->connector_type_id);
        }
    }
    struct vdc_display *display = *link;
    if (display) {
        display->connected = connected;
        display->width_mm = connector->mmWidth;
        display->height_mm = connector->mmHeight;
        if (!display->crtc)
            display->crtc = find_crtc(card, resources, connector);
        find_modes(display, connector);
    }
    drm->ModeFreeConnector(connector);
}

void vdc_displays_search(struct vdc_displays *displays)
{
    if (!displays->drm && (displays->drm = vdc_drm()))
        find_cards(displays);
    for (struct vdc_card *card = displays->cards; card; card = card->next) {
        drmModeRes *resources = displays->drm->ModeGetResources(card->fd);
        if (!resources)
            continue; /* a card that only renders */
        for (int i = 0; i < resources->count_connectors; i++)
            find_display(card, resources, resources->connectors[i]);
        displays->drm->ModeFreeResources(resources);
    }
}

/* ---- Showing */

VkExtent2D vdc_display_mode_extent(const struct vdc_display_mode *mode)
{
    return (VkExtent2D){mode->info.hdisplay, mode->info.vdisplay};
}

static int fd_of(const struct vdc_display *display)
{
    return display->acquired >= 0 ? display->acquired : display->card->fd;
}

bool vdc_display_take(struct vdc_display *display, int *fd)
{
    struct vdc_displays *displays = display->card->displays;
    bool taken = false;
    pthread_mutex_lock(&displays->lock);
    *fd = fd_of(display);
    if (display->crtc)
        taken = displays->drm->IsMaster(*fd) ||
                (display->acquired < 0 && displays->drm->SetMaster(*fd) == 0);
    if (taken)
        display->card->users++;
    else
        vdc_log("%s is in use by somebody else: %s", display->name, strerror(errno));
    pthread_mutex_unlock(&displays->lock);
    return taken;
}

void vdc_display_give(struct vdc_display *display)
{
    struct vdc_displays *displays = display->card->displays;
    pthread_mutex_lock(&displays->lock);
    if (--display->card->users == 0 && display->acquired < 0)
        displays->drm->DropMaster(display->card->fd);
    pthread_mutex_unlock(&displays->lock);
}

struct vdc_connection *vdc_display_connection(const struct vdc_display *display)
{
    return display->card->displays->instance->connection;
}

uint32_t vdc_display_import(struct vdc_display *display, int dma_buf, VkExtent2D extent,
                            uint64_t offset, uint32_t pitch)
{
    struct vdc_displays *displays = display->card->displays;
    const int fd = fd_of(display);
    uint32_t handle, frame_buffer = 0;
    /* Only virtio-gpu's own device knows what SCANOUT_LAYOUT says, and it takes no others' buffers. */
    if (!display->card->is_virtio || offset > UINT32_MAX)
        return 0;
    /* The kernel has one handle for a buffer, however often it is imported. */
    pthread_mutex_lock(&displays->lock);
    if (displays->drm->PrimeFDToHandle(fd, dma_buf, &handle) == 0) {
        if (displays->drm->ModeAddFB2(fd, extent.width, extent.height, DRM_FORMAT_XRGB8888,
                                      (const uint32_t[4]){handle}, (const uint32_t[4]){pitch},
                                      (const uint32_t[4]){(uint32_t)offset}, &frame_buffer, 0) < 0)
            frame_buffer = 0;
        displays->drm->Ioctl(fd, DRM_IOCTL_GEM_CLOSE, &(struct drm_gem_close){.handle = handle});
    }
    pthread_mutex_unlock(&displays->lock);
    return frame_buffer;
}

int vdc_display_show(struct vdc_display *display, const struct vdc_display_mode *mode,
                     const void *owner, uint32_t frame_buffer)
{
    struct vdc_displays *displays = display->card->displays;
    const int fd = fd_of(display);
    pthread_mutex_lock(&displays->lock);
    if (!display->owner && !display->before)
        display->before = displays->drm->ModeGetCrtc(fd, display->crtc);
    display->owner = owner;
    pthread_mutex_unlock(&displays->lock);
    drmModeModeInfo info = mode->info;
    /* Between equal modes the kernel only exchanges the frame buffer. */
    return displays->drm->ModeSetCrtc(fd, display->crtc, frame_buffer, 0, 0, &display->connector, 1,
                                      &info) < 0
               ? errno
               : 0;
}

void vdc_display_restore(struct vdc_display *display, const void *owner)
{
    struct vdc_displays *displays = display->card->displays;
    pthread_mutex_lock(&displays->lock);
    drmModeCrtc *before = display->before;
    if (display->owner == owner) {
        const bool on = before && before->mode_valid;
        displays->drm->ModeSetCrtc(fd_of(display), display->crtc, on ? before->buffer_id : 0,
                                   on ? before->x : 0, on ? before->y : 0,
                                   on ? &display->connector : NULL, on, on ? &before->mode : NULL);
        displays->drm->ModeFreeCrtc(before);
        display->before = NULL;
        display->owner = NULL;
    }
    pthread_mutex_unlock(&displays->lock);
}
