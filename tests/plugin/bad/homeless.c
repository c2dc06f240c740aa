/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops.h"

static void on_child(wq_self *me, uint64_t child, wq_tid tid, const struct wq_child_end *end)
{
	(void)me, (void)child, (void)tid, (void)end;
}

WQ_PLUGIN("homeless", "1.0", "has no place for the output of its children", .caps = WQ_CAP_CHILDREN,
	OPS, .on_child = on_child);
