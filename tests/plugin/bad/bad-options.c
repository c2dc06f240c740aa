/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops.h"

static const struct wq_option options[] = {
	{ .name = "speed", .type = WQ_T_INT, .def = "fast", .help = "a default that is no number" },
};

WQ_PLUGIN("bad-options", "1.0", "has an option table that is wrong", .options = options,
	.n_options = 1, OPS);
