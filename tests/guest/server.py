# SPDX-License-Identifier: MIT
"""Looks into the processes of a viaduct-server that has guests."""

import contextlib
import os
import pathlib
import re

from . import note

WORKER_NAME = "viaduct-worker"  # VDS_WORKER_NAME
GROWTH_KIB = 512  # a heap's own


class Processes:
    """Those of the server whose process id this is; 0: of none, for it is somebody else's."""

    def __init__(self, server):
        self.server = server
        self.remembered = {}

    def children(self):
        """The server's processes: ids and names."""
        found = {}
        with contextlib.suppress(OSError):
            for child in pathlib.Path(f"/proc/{self.server}/task/{self.server}/children").read_text(
                    encoding="ascii").split():
                with contextlib.suppress(OSError):
                    comm = pathlib.Path(f"/proc/{child}/comm").read_text(encoding="utf-8")
                    found[int(child)] = comm.strip()
        return found

    def all(self):
        return {self.server: "server", **self.children()}

    def workers(self):
        """Process ids of the workers that have a client."""
        return [pid for pid, name in self.children().items() if name == WORKER_NAME]

    def size(self):
        """Descriptors and KiB of memory of the processes, but for workers."""
        sizes = {}
        for pid, name in self.all().items():
            if "worker" in name or "spare" in name:
                continue
            with contextlib.suppress(OSError):
                status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
                own = re.search(r"^RssAnon:\s*(\d+)", status, re.MULTILINE)
                sizes[pid] = (len(os.listdir(f"/proc/{pid}/fd")), int(own.group(1)))
        return sizes

    def remember(self):
        self.remembered = self.size()

    def growth(self):
        """What has grown since it was remembered, or nothing."""
        now = self.size()
        if set(now) != set(self.remembered):
            return f"other processes: {sorted(self.remembered)} and {sorted(now)}"
        for pid, (descriptors, memory) in now.items():
            before_descriptors, before_memory = self.remembered[pid]
            note(f"process {pid}: {before_descriptors} and {descriptors} descriptors, "
                 f"{before_memory} and {memory} KiB")
            if descriptors > before_descriptors or memory > before_memory + GROWTH_KIB:
                return f"processes have grown: {self.remembered} and {now}"
        return ""

    def wake_ups(self):
        """How often each of the processes went to sleep and was woken."""
        count = {}
        for pid, name in self.all().items():
            for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
                with contextlib.suppress(OSError):
                    switches = re.search(r"^voluntary_ctxt_switches:\s*(\d+)",
                                         status.read_text(encoding="utf-8"), re.MULTILINE)
                    key = f"{name} {pid}"
                    count[key] = count.get(key, 0) + int(switches.group(1))
        return count

    def invert(self, word):
        """Inverts eight bytes where workers have mapped the guest's memory. What is wrong, or
        nothing: they have to be there exactly once."""
        wanted = word.to_bytes(8, "little")
        found = []
        for worker in self.workers():
            maps = pathlib.Path(f"/proc/{worker}/maps").read_text(encoding="utf-8")
            with open(f"/proc/{worker}/mem", "r+b", buffering=0) as memory:
                for start, end in re.findall(r"^(\w+)-(\w+) rw-s .*/memfd:memory-backend-memfd",
                                             maps, re.MULTILINE):
                    start, end = int(start, 16), int(end, 16)
                    memory.seek(start)
                    at = memory.read(end - start).find(wanted)
                    if at >= 0:
                        found.append((worker, start + at))
                if len(found) == 1 and found[0][0] == worker:
                    memory.seek(found[0][1])
                    memory.write(bytes(byte ^ 255 for byte in wanted))
        return "" if len(found) == 1 else f"{word:#x} is mapped at {found}"
