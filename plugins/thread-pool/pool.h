/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool: worker threads, the tasks that wait for one, and the tasks that have ended.
 *
 * All functions are for the loop thread.  A task belongs to the pool from pool_submit until
 * pool_reap gives it back, and counts as live all that time: so a slot is taken until the handler
 * has truly returned.  Nothing here knows how a request names its handler.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <wq/handler.h>
#include <wq/plugin-util.h>

/* Who wants the end of a task. */
enum pool_cancel {
	POOL_CANCEL_NONE,
	POOL_CANCEL_CLIENT,
	POOL_CANCEL_SHUTDOWN
};

struct pool;

struct pool_task {
	struct wq_done done;         /* first: the done queue's */
	struct pool_task *next;      /* in the queue of those that wait */
	struct pool_task *live_next; /* among all; the loop's */
	struct pool_task *live_prev;
	struct pool *pool;
	const struct wq_handler *handler;
	wq_tid tid;
	bool picked; /* a worker has it; under the pool's lock */
	_Atomic(int32_t) cancel;
	pthread_cond_t woken;
	struct wq_call call;
	struct wq_cbor_out result;
	struct wq_reply reply;
	int32_t how; /* WQ_DONE_... */
	char bytes[];
};

struct pool {
	const struct wq_host *host;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct pool_task *first, *last; /* those that wait */
	bool ending;
	struct wq_done_queue done;

	/* The loop's alone. */
	pthread_t *threads;
	int32_t n_threads;
	int32_t n_live;
	struct pool_task *live;
};

int32_t pool_init(struct pool *pool, const struct wq_host *host);
int32_t pool_start(struct pool *pool, int32_t n_threads, struct wq_err *err);

/* Cancel everything, join, free all that is still live.  Lasts as long as the slowest handler. */
void pool_fini(struct pool *pool);

/* Copies what it needs of `task`.  NULL: no memory. */
struct pool_task *pool_submit(
	struct pool *pool, const struct wq_task *task, const struct wq_handler *handler);

/* Once more, or for a task that has just ended: nothing happens. */
void pool_cancel(struct pool *pool, struct pool_task *task, enum pool_cancel why);
void pool_cancel_all(struct pool *pool, enum pool_cancel why);

/* A task that has ended, or NULL.  The caller frees it. */
struct pool_task *pool_reap(struct pool *pool);
void pool_task_free(struct pool_task *task);
