/* SPDX-License-Identifier: BSD-2-Clause */
#include "by_hand.h"

NOTE("declines");

__attribute__((visibility("default"))) const struct wq_plugin *wq_plugin_v1(void);

const struct wq_plugin *wq_plugin_v1(void)
{
	return NULL;
}
