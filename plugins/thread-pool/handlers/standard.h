/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * standard: the handlers that come with thread-pool.  wq-thread-pool(7) describes their requests
 * and results.
 */
#pragma once

#include <wq/handler.h>

int32_t copy_run(const struct wq_call *call, struct wq_reply *reply);
int32_t copy_check(struct wq_bytes request, struct wq_err *err);
int32_t digest_run(const struct wq_call *call, struct wq_reply *reply);
int32_t digest_check(struct wq_bytes request, struct wq_err *err);
int32_t echo_run(const struct wq_call *call, struct wq_reply *reply);
int32_t sleep_run(const struct wq_call *call, struct wq_reply *reply);
int32_t sleep_check(struct wq_bytes request, struct wq_err *err);
