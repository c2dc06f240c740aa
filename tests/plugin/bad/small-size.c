/* SPDX-License-Identifier: BSD-2-Clause */
#include "by_hand.h"

NOTE("small-size");

__attribute__((visibility("default"))) const struct wq_plugin *wq_plugin_v1(void);

const struct wq_plugin *wq_plugin_v1(void)
{
	static const struct wq_plugin plugin = {
		.magic = WQ_PLUGIN_MAGIC, .struct_size = 16, .name = "small-size", OPS
	};
	return &plugin;
}
