/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops.h"

int32_t wq_test_nobody_has_this(wq_self *me);

WQ_PLUGIN("undefined-symbol", "1.0", "needs a function that nobody has", .start_task = start_task,
	.reap = reap, .terminate = terminate, .has_capacity = wq_test_nobody_has_this);
