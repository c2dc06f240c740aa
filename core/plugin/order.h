/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plugin/order: from what a plugin wants to run to what the shepherd is told to run.  Private to
 * core/plugin.
 */
#pragma once

#include "shepherd/frame.h"

struct wq_err;

enum {
	ORDER_FILE_MAX = FRAME_LABEL_MAX + sizeof ".stdout",
	ORDER_ENV_ADDED = 4 /* WQ_ID, WQ_ATTEMPT, WQ_TASK_MANAGER, WQ_WORK_DIR */
};

struct order {
	struct frame_spawn frame;
	char out_name[ORDER_FILE_MAX], err_name[ORDER_FILE_MAX];
	char *added[ORDER_ENV_ADDED];
	const char **env;
};

/*
 * Check `spawn` and fill `ret`, which borrows of all three; order_fini it, also after a failure.
 * WQ_OK, -EINVAL with what is wrong, -WQ_E_LIMIT, -WQ_E_STATE (the task has no work directory),
 * -ENOMEM.
 */
int order_make(struct order *ret, const char *task_manager, const struct wq_task *task,
	const struct wq_spawn *spawn, struct wq_err *err);
void order_fini(struct order *o);
