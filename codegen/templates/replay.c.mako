/* Generated from vk.xml. */
#include "replay.h"

#include "args.h"
#include "opcodes.h"

const struct vds_command vds_commands[VD_OP_COUNT] = {
% for plan in g.plans:
<%
flags = [f for f, on in (("BLOCKING", plan.blocking), ("ANSWERED", plan.blocking), ("DESTROYS", plan.victim), ("RESULT", plan.c.ret == "VkResult"), ("SETTLES", plan.settles), ("SOME", plan.creates_some), ("FORGIVEN", plan.forgiven), ("WAITED", plan.waited), ("KEEPS_TURN", plan.keeps_turn), ("AFTER_LOSS", plan.after_loss), ("ACTION", plan.action)) if on]
flags = " | ".join("VDS_COMMAND_" + f for f in flags) or "0"
%>\
<%
if plan.streamed:
    functions = f".replay = vds_replay_{plan.c.name}"
else:
    functions = f".decode = vds_decode_{plan.c.name}, .call = vds_call_{plan.c.name}"
%>\
    [VD_OP_${plan.c.name}] = {${functions},
        .size = ${g.server.args_size(plan)}, .flags = ${flags}},
% endfor
};
