/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops.h"

WQ_PLUGIN("null-op", "1.0", "lacks reap", .start_task = start_task, .terminate = terminate,
	.has_capacity = has_capacity);
