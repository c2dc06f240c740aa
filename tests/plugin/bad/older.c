/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Not bad at all: its descriptor ends after the required operations, as one of an older minor
 * would.  What stands behind it in memory is not for the server to read.
 */
#include "by_hand.h"

NOTE("older");

__attribute__((visibility("default"))) const struct wq_plugin *wq_plugin_v1(void);

static void not_ours(wq_self *me)
{
	(void)me;
	abort();
}

const struct wq_plugin *wq_plugin_v1(void)
{
	static const struct wq_plugin plugin = {
		.magic = WQ_PLUGIN_MAGIC,
		.struct_size = offsetof(struct wq_plugin, create),
		.abi_major = WQ_ABI_MAJOR,
		.abi_minor = WQ_ABI_MINOR,
		.name = "older",
		OPS,
		.destroy = not_ours,
	};
	return &plugin;
}
