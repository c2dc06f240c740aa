/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Not bad either: a plugin that was built for ABI 0.1, whose descriptor ended after ack.  What stands
 * behind it in memory is not for the server to read.
 */
#include "by_hand.h"

NOTE_OF("abi-0-1", 1);

__attribute__((visibility("default"))) const struct wq_plugin *wq_plugin_v1(void);

static void on_child(wq_self *me, uint64_t child, wq_tid tid, const struct wq_child_end *end)
{
	(void)me, (void)child, (void)tid, (void)end;
	abort();
}

static int32_t recover(wq_self *me, const struct wq_task *task, struct wq_err *err)
{
	(void)me, (void)task, (void)err;
	abort();
}

static void ack(wq_self *me, wq_tid tid)
{
	(void)me, (void)tid;
}

const struct wq_plugin *wq_plugin_v1(void)
{
	static const struct wq_plugin plugin = {
		.magic = WQ_PLUGIN_MAGIC,
		.struct_size = offsetof(struct wq_plugin, on_child),
		.abi_major = WQ_ABI_MAJOR,
		.abi_minor = 1,
		.caps = WQ_CAP_WAKES,
		.name = "abi-0-1",
		.version = "1.0",
		OPS,
		.ack = ack,
		.on_child = on_child,
		.recover = recover,
	};
	return &plugin;
}
