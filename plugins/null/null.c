/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * null: the smallest task manager; every request is done as soon as it starts.
 */
#include <wq/plugin.h>

enum {
	ROOM = 64
};

struct wq_self { /* the host allocates it, zeroed */
	wq_tid done[ROOM];
	int32_t n;
};

static int32_t start_task(wq_self *me, const struct wq_task *task, struct wq_err *err)
{
	(void)err;
	if (me->n == ROOM)
		return WQ_BUSY;
	me->done[me->n++] = task->tid;
	return WQ_OK;
}

static int32_t reap(wq_self *me, struct wq_outcome *ret) /* called until it says 0 */
{
	if (me->n == 0)
		return 0;
	ret->tid = me->done[--me->n];
	ret->how = WQ_DONE_OK;
	return 1;
}

static int32_t terminate(wq_self *me, const struct wq_task *task, uint32_t how)
{
	(void)me, (void)task, (void)how;
	return WQ_OK; /* it has ended already, reap will say so */
}

static int32_t has_capacity(wq_self *me)
{
	return ROOM - me->n;
}

WQ_PLUGIN("null", "1.0", "does nothing, at once", .caps = WQ_CAP_WAKES,
	.self_size = sizeof(wq_self), .start_task = start_task, .reap = reap,
	.terminate = terminate, .has_capacity = has_capacity);
