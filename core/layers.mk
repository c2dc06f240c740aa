# Who may include whom, and so who is linked with whom.  Read by the Makefile (a unit test is
# linked with its own layer and these, nothing else) and by tests/check-layers.
#
# sched knows one thing of the spool, the id as a pair of numbers (spool/reqid.h, inline).
LAYERS := base loop codec spool sched config shepherd plugin control client server cli

USES_base    :=
USES_loop    := base
USES_codec   := base
USES_spool   := base
USES_sched   := base spool/reqid
USES_config  := base
USES_shepherd := base loop
USES_plugin  := base loop config shepherd
USES_control := base loop codec
USES_client  := base codec spool control
USES_server  := base loop codec spool sched config shepherd plugin control
USES_cli     := base client
