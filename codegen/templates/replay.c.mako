/* Generated from vk.xml. */
#include "replay.h"

#include "args.h"
#include "opcodes.h"

const struct vd_command vd_commands[VD_OP_COUNT] = {
% for plan in g.plans:
<%
flags = [f for f, on in (("STREAMED", plan.streamed), ("BLOCKING", plan.blocking), ("DESTROYS", plan.victim), ("RESULT", plan.c.ret == "VkResult"), ("SETTLES", plan.settles), ("SOME", plan.creates_some), ("FORGIVEN", plan.forgiven), ("WAITED", plan.waited)) if on]
flags = " | ".join("VD_COMMAND_" + f for f in flags) or "0"
%>\
    [VD_OP_${plan.c.name}] = {vd_decode_${plan.c.name}, vd_replay_${plan.c.name},
        ${"sizeof(struct vd_args_" + plan.c.name + ")" if plan.wire else "0"}, ${flags}},
% endfor
};
