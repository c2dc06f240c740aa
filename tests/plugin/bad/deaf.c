/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops.h"

WQ_PLUGIN("deaf", "1.0", "does not want to hear of its children",
	.caps = WQ_CAP_WORK_DIR | WQ_CAP_CHILDREN, OPS);
