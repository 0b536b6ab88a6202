/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_WSI_OPTIONS_H
#define VIADUCT_ICD_WSI_OPTIONS_H

/* VIADUCT_WSI is a list of words, separated by commas, that overrule what would be chosen. Every
 * combination works; some are slow. Read once.
 *   direct  the window system reads the very memory that the host draws to, where that is possible
 *   copy    the host copies each image when it is presented
 *   noshm   pixels travel through the X connection, or to other buffers of a display or for a Wayland
 *           compositor, instead of being read where they lie */
enum vdc_wsi_option {
    VDC_WSI_DIRECT = 1 << 0,
    VDC_WSI_COPY = 1 << 1,
    VDC_WSI_NO_SHM = 1 << 2,
};

unsigned vdc_wsi_options(void);

#endif
