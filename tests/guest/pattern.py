# SPDX-License-Identifier: MIT
"""Fills the guest's frame buffer with a picture that names each of its pixels."""

import pathlib

entry = pathlib.Path("/sys/class/graphics/fb0")
width, height = map(int, (entry / "virtual_size").read_text(encoding="ascii").split(","))
stride = int((entry / "stride").read_text(encoding="ascii"))
print(f"{width} x {height}, {stride} bytes a row")
pathlib.Path("/sys/class/graphics/fbcon/cursor_blink").write_text("0", encoding="ascii")
with open("/dev/fb0", "wb", buffering=0) as screen:
    rows = bytearray()
    ramp = bytes(range(256)) * (width // 256 + 2)
    for y in range(height):
        row = bytearray(stride)
        row[0:4 * width:4] = ramp[y & 255:(y & 255) + width]
        row[1:4 * width:4] = bytes([y & 255]) * width
        row[2:4 * width:4] = ramp[:width]
        rows += row
    screen.write(rows)
