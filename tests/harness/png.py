# SPDX-License-Identifier: MIT
"""Reads the PNG files that our programs and ImageMagick write: 8 bits, no interlacing."""

import struct
import zlib

from .framework import Failure

CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


class Picture:
    def __init__(self, width, height, channels, data):
        self.width = width
        self.height = height
        self.channels = channels
        self.data = data

    def pixel(self, x, y):
        """Red, green, blue."""
        at = (y * self.width + x) * self.channels
        if self.channels < 3:
            return (self.data[at],) * 3
        return tuple(self.data[at:at + 3])

    def pixels(self):
        for y in range(self.height):
            for x in range(self.width):
                yield self.pixel(x, y)


def _unfilter(kind, line, above, step):
    if kind == 0:
        return line
    if kind == 2:
        return bytearray((a + b) & 255 for a, b in zip(line, above))
    for i in range(len(line)):
        left = line[i - step] if i >= step else 0
        if kind == 1:
            guess = left
        elif kind == 3:
            guess = (left + above[i]) // 2
        else:
            corner = above[i - step] if i >= step else 0
            estimate = left + above[i] - corner
            guess = min((left, above[i], corner), key=lambda value: abs(estimate - value))
        line[i] = (line[i] + guess) & 255
    return line


def read(path):
    data = path.read_bytes()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise Failure(f"{path.name} is not a PNG file")
    at, header, palette, packed = 8, None, b"", b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        at += 12 + size
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"PLTE":
            palette = body
        elif kind == b"IDAT":
            packed += body
    width, height, depth, colour, _, _, interlaced = header
    if depth != 8 or interlaced or (colour != 3 and colour not in CHANNELS):
        raise Failure(f"{path.name}: PNG with depth {depth}, type {colour} cannot be read")
    step = CHANNELS.get(colour, 1)
    raw = zlib.decompress(packed)
    above, pixels = bytearray(width * step), bytearray()
    for y in range(height):
        start = y * (width * step + 1)
        packed_line = bytearray(raw[start + 1:start + 1 + width * step])
        line = _unfilter(raw[start], packed_line, above, step)
        pixels += line
        above = line
    if colour == 3:
        pixels = b"".join(palette[3 * index:3 * index + 3] for index in pixels)
        step = 3
    return Picture(width, height, step, bytes(pixels))
