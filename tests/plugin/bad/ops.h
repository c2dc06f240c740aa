/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operations of plugins that must not load.  That their code ran can be seen in the
 * environment.
 */
#pragma once

#include <wq/plugin.h>

#include <stdlib.h>

__attribute__((constructor)) static void code_ran(void)
{
	setenv("WQ_TEST_CODE_RAN", "1", 1);
}

static inline int32_t start_task(wq_self *me, const struct wq_task *task, struct wq_err *err)
{
	(void)me, (void)task, (void)err;
	return WQ_BUSY;
}

static inline int32_t reap(wq_self *me, struct wq_outcome *ret)
{
	(void)me, (void)ret;
	return 0;
}

static inline int32_t terminate(wq_self *me, const struct wq_task *task, uint32_t how)
{
	(void)me, (void)task, (void)how;
	return WQ_OK;
}

static inline int32_t has_capacity(wq_self *me)
{
	(void)me;
	return 0;
}

#define OPS                                                                                        \
	.start_task = start_task, .reap = reap, .terminate = terminate, .has_capacity = has_capacity
