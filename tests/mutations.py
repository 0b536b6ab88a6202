#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shows that robust/nonsense/ fails where the server stops checking.

Takes one check after another out of a copy of the source (build/mutations), builds the server and plays the
case that is there for this check. Each has to pass with the check and to fail without. Takes minutes, and
belongs to no other run; run it after a change to the checks or to tests/suite/nonsense.py.
"""

import argparse
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys

tests_dir = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(tests_dir))

from harness import Failure, Server, framework, process, setting
from suite import nonsense

ROOT = tests_dir.parent
SOURCE = ROOT / "build" / "mutations" / "source"
BUILD = ROOT / "build" / "mutations" / "build"

# `old` stands once in the file, and becomes `new`. `group` and `case`: of suite/nonsense.py.
Mutation = collections.namedtuple("Mutation", "check file old new group case")

MUTATIONS = [Mutation(*each) for each in (
    ("the kind of message", "server/vtest_session.c",
     "first != (session->stage == VDS_VTEST_NEW) || session->stage < message->stage", "false",
     "socket", "memory before a context"),
    ("a message's size", "server/vtest_session.c",
     "bytes < message->size_min || bytes > message->size_max", "false",
     "socket", "an introduction above the limit"),
    ("where a submission's command lies", "server/vtest_session.c",
     "offset + bytes > size", "false",
     "socket", "a batch outside the message"),
    ("the ring's tail", "server/ring.c",
     "tail - consumer->head > VD_RING_DATA_SIZE", "false",
     "ring", "a tail far away"),
    ("a record's size", "server/ring.c",
     "record->size > available - offset", "false",
     "ring", "a record beyond the tail"),
    ("a record of no size", "server/ring.c",
     "record->size < sizeof(*record) ||", "false ||",
     "ring", "a record of no size"),
    ("a number of no command", "server/execute.c",
     "else if (opcode < VD_OP_COUNT)", "else",
     "ring", "an unknown opcode"),
    ("commands of streams in the ring", "server/execute.c",
     "x->command->replay || d->opcode == VD_OP_vkEndCommandBuffer", "false",
     "ring", "a command that belongs into a stream"),
    ("where an indirect record lies", "server/ring.c",
     "vds_shm_get(consumer->shm, indirect->shm, indirect->offset, indirect->size)",
     "vds_shm_get(consumer->shm, indirect->shm, 0, 0)",
     "indirect", "more than there is"),
    ("the size of arguments", "server/execute.c",
     "record->size < body + x->command->size", "false",
     "commands", "arguments that are cut short"),
    ("the count of an array", "server/decode.c",
     "__builtin_mul_overflow(count, element, &bytes) || bytes > d->size - d->cursor",
     "__builtin_mul_overflow(count, element, &bytes)",
     "commands", "a count that leads beyond the record"),
    ("where a pointer leads", "server/decode.c",
     "static bool claim(struct vds_decoder *d, const void **where, uint64_t count, size_t element,\n"
     "                  const char *what)\n{\n    if ((uintptr_t)*where != d->cursor)",
     "static bool claim(struct vds_decoder *d, const void **where, uint64_t count, size_t element,\n"
     "                  const char *what)\n{\n    if (false)",
     "commands", "an address"),
    ("the end of a text", "server/decode.c",
     "    if (!end)\n", "    if (false)\n",
     "commands", "a text without end"),
    ("bytes that nothing points to", "server/execute.c",
     "d->cursor != d->size", "false",
     "commands", "bytes that nothing points to"),
    ("the type of a handle", "server/decode.c",
     "vds_object_find_type(d->objects, id, type);\n    uint64_t handle = 0;",
     "vds_object_find(d->objects, id);\n    uint64_t handle = 0;",
     "commands", "a handle of another type"),
    ("the generation of a handle", "server/object.h",
     "atomic_load_explicit(&object->key, memory_order_acquire) == key",
     "(atomic_load_explicit(&object->key, memory_order_acquire) ^ key) >> 24 == 0",
     "commands", "a handle of the next generation"),
    ("the device of a handle", "server/decode.c",
     "object->owner == d->owner_index || object->owner == 0", "true",
     "commands", "a handle of another device's"),
    ("new ids", "server/decode.c",
     "!vds_object_addable(d->objects, birth.id, type)", "false",
     "commands", "an id of another type"),
    ("where a reply goes", "server/reply.c",
     "sizeof(struct vd_reply) + (uint64_t)request->out_size + echo_size", "0 * echo_size",
     "commands", "a reply outside of shared memory"),
    ("what of a record returns", "server/reply.c",
     "request->echo > record->size ||", "false ||",
     "commands", "an echo from beyond the record"),
    ("the output area", "server/decode.c",
     "bytes > d->out_size - d->out_cursor", "false",
     "commands", "no output area"),
    ("where a chunk lies", "server/stream.c",
     "vds_shm_get(shm, chunks[i].shm, chunks[i].offset, chunks[i].size)",
     "vds_shm_get(shm, chunks[i].shm, 0, 0)",
     "commands", "a chunk outside of shared memory"),
    ("a record's size in a stream", "server/stream.c",
     "size % VD_ALIGN != 0 || size > left", "size % VD_ALIGN != 0",
     "commands", "a record of a stream that is cut short"),
)]


def copy_source():
    """What git knows, and what is there of it. What has not changed keeps its time."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], check=True, stdout=subprocess.PIPE,
                            text=True).stdout.split("\0")
    wanted = {pathlib.Path(name) for name in listed if name and (ROOT / name).is_file()}
    for path in [path for path in SOURCE.rglob("*") if path.is_file()]:
        if path.relative_to(SOURCE) not in wanted:
            path.unlink()
    for name in wanted:
        to = SOURCE / name
        if not to.exists() or to.read_bytes() != (ROOT / name).read_bytes():
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to)


def build():
    """True if it builds; else what the tools say is shown."""
    commands = [["ninja", "-C", BUILD, "server/viaduct-server"]]
    if not (BUILD / "build.ninja").exists():
        registry = ROOT / "build" / "registry"
        commands.insert(0, ["meson", "setup", BUILD, SOURCE, "--buildtype=debug",
                            *(f"-D{name}=disabled" for name in ("programs", "tests", "bench")),
                            *([f"-Dregistry={registry}"] if registry.exists() else [])])
    for command in commands:
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            print(done.stdout)
            return False
    return True


def play(mutation):
    """None, or why the case fails."""
    cases, client, _ = nonsense.GROUPS[mutation.group]
    case = cases[mutation.case]
    name = f"mutations/{mutation.group} {mutation.case}"
    context = framework.Context(framework.Test(None, name, "", 60, False, False))
    try:
        server = context.enter(Server(context))
        nonsense.run_cases(context, server, {mutation.case: case}, client)
    except Failure as failure:
        return str(failure)
    except Exception as error:  # the next client may find no server
        return f"{type(error).__name__}: {error}"
    finally:
        context.finish()
    return None


def shown(mutation):
    """Whether the case passes with the check and fails without."""
    path = SOURCE / mutation.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutation.old) != 1:
        print(f"FAIL {mutation.check}: {mutation.file} has not, once: {mutation.old}")
        return False
    reason = play(mutation)
    if reason:
        print(f"FAIL {mutation.check}: fails with the check as well: {reason}")
        return False
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        reason = play(mutation) if build() else None
    finally:
        path.write_text(text, encoding="utf-8")
    if not reason:
        print(f"FAIL {mutation.check}: {mutation.group} does not notice that nobody looks")
        return False
    print(f"PASS {mutation.check:36} {mutation.group}: {reason}")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filter", default="", metavar="REGEX", help="only checks whose name matches")
    wanted = re.compile(parser.parse_args().filter)
    os.environ["PATH"] = "/usr/bin:/bin:" + os.environ.get("PATH", "")
    setting.init(ROOT, BUILD, False)
    failed = 0
    try:
        copy_source()
        for mutation in [each for each in MUTATIONS if wanted.search(each.check)]:
            if not build(): # without the last one
                return 1
            failed += not shown(mutation)
            sys.stdout.flush()
    finally:
        process.kill_all()
    print(f"{failed} checks could go unnoticed" if failed else "each missing check is noticed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
