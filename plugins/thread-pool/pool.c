/* SPDX-License-Identifier: BSD-2-Clause */
#include "pool.h"

#include <stdlib.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

/* A hundred years: so that no sum of times overflows, also in 32 bits of seconds plus now. */
#define PAUSE_MAX_NS (NS_PER_S * 86400 * 36500)

/* ---- the services of a call, on its worker thread -------------------------------------------- */

static struct pool_task *task_of(const struct wq_call *call)
{
	return (struct pool_task *)((uintptr_t)call - offsetof(struct pool_task, call));
}

static int32_t call_cancelled(const struct wq_call *call)
{
	return atomic_load_explicit(&task_of(call)->cancel, memory_order_relaxed) !=
	       POOL_CANCEL_NONE;
}

static int32_t call_pause(const struct wq_call *call, int64_t ns)
{
	struct pool_task *task = task_of(call);
	struct timespec until;
	if (ns <= 0)
		return call_cancelled(call);
	if (ns > PAUSE_MAX_NS)
		ns = PAUSE_MAX_NS;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	ns += until.tv_nsec;
	until.tv_sec += (time_t)(ns / NS_PER_S);
	until.tv_nsec = (long)(ns % NS_PER_S);

	int rc = 0;
	(void)pthread_mutex_lock(&task->pool->lock);
	while (rc == 0 && !call_cancelled(call))
		rc = pthread_cond_timedwait(&task->woken, &task->pool->lock, &until);
	(void)pthread_mutex_unlock(&task->pool->lock);
	return call_cancelled(call);
}

static void call_progress(const struct wq_call *call, int32_t permille, const char *text)
{
	const struct wq_host *host = task_of(call)->pool->host;
	if (WQ_HAS(host, progress))
		host->progress(host->ctx, task_of(call)->tid, permille, text);
}

static void call_log(const struct wq_call *call, int32_t level, const char *text)
{
	wq_logf(task_of(call)->pool->host, level, task_of(call)->tid, "%s", text);
}

/* ---- tasks ----------------------------------------------------------------------------------- */

static const char *copy_text(char **at, const char *text)
{
	size_t size = text ? strlen(text) + 1 : 1;
	char *to = *at;
	memcpy(to, text ? text : "", size);
	*at += size;
	return to;
}

static size_t text_size(const char *text)
{
	return text ? strlen(text) + 1 : 1;
}

static int init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	int rc = pthread_condattr_init(&attr);
	if (rc != 0)
		return rc;
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	rc = pthread_cond_init(cond, &attr);
	(void)pthread_condattr_destroy(&attr);
	return rc;
}

static struct pool_task *task_new(
	struct pool *pool, const struct wq_task *from, const struct wq_handler *handler)
{
	size_t size = text_size(from->id) + text_size(from->name) + text_size(from->key) +
		      text_size(from->label) + from->request.len;
	struct pool_task *task = calloc(1, sizeof(*task) + size);
	if (!task)
		return NULL;
	if (init_cond(&task->woken) != 0) {
		free(task);
		return NULL;
	}
	task->pool = pool;
	task->handler = handler;
	task->tid = from->tid;
	wq_cbor_out_init(&task->result);
	task->reply.struct_size = (uint32_t)sizeof(task->reply);
	task->reply.result = &task->result;
	task->reply.error.struct_size = (uint32_t)sizeof(task->reply.error);

	char *at = task->bytes;
	if (from->request.len > 0)
		memcpy(at, from->request.ptr, from->request.len);
	struct wq_bytes request = { .ptr = at, .len = from->request.len };
	at += from->request.len;
	task->call = (struct wq_call){
		.struct_size = (uint32_t)sizeof(task->call),
		.attempt = from->attempt,
		.id = copy_text(&at, from->id),
		.name = copy_text(&at, from->name),
		.key = copy_text(&at, from->key),
		.label = copy_text(&at, from->label),
		.request = request,
		.cancelled = call_cancelled,
		.pause = call_pause,
		.progress = call_progress,
		.log = call_log,
	};
	return task;
}

void pool_task_free(struct pool_task *task)
{
	if (!task)
		return;
	(void)pthread_cond_destroy(&task->woken);
	wq_cbor_out_free(&task->result);
	free(task);
}

/* ---- the worker threads ---------------------------------------------------------------------- */

static int32_t fail(struct pool_task *task, int32_t how, const char *name, const char *text)
{
	struct wq_err *error = &task->reply.error;
	(void)snprintf(error->name, sizeof(error->name), "%s", name);
	(void)snprintf(error->text, sizeof(error->text), "%s", text);
	return how;
}

/* What a failing handler left unsaid. */
static int32_t complete_failure(struct pool_task *task, int32_t how, const char *name)
{
	struct wq_err *error = &task->reply.error;
	error->name[sizeof(error->name) - 1] = '\0';
	error->text[sizeof(error->text) - 1] = '\0';
	if (error->name[0] == '\0')
		(void)snprintf(error->name, sizeof(error->name), "%s", name);
	if (error->text[0] == '\0')
		(void)snprintf(error->text, sizeof(error->text), "handler '%s' failed",
			task->handler->name);
	return how;
}

/* Done, says the handler: is what it has put one item of CBOR? */
static int32_t judge_result(struct pool_task *task)
{
	size_t used = 0;
	if (task->result.err != 0)
		return fail(task, WQ_DONE_FAILED, "no-memory", "no memory for the result");
	if (task->result.len > 0 &&
		(wq_cbor_check(task->result.buf, task->result.len, NULL, &used, NULL) < 0 ||
			used != task->result.len))
		return fail(task, WQ_DONE_FAILED, "handler-bad-result",
			"the handler's result is not one item of CBOR");
	return WQ_DONE_OK;
}

static int32_t judge(struct pool_task *task, int32_t answer)
{
	int32_t cancel = atomic_load(&task->cancel);
	switch (answer) {
	case WQ_OK:
		return judge_result(task);
	case WQ_CALL_CANCELLED:
		if (cancel == POOL_CANCEL_CLIENT)
			return fail(task, WQ_DONE_ABORTED, "aborted", "aborted while it ran");
		if (cancel == POOL_CANCEL_SHUTDOWN)
			return fail(task, WQ_DONE_KILLED, "shutdown", "the server was shut down");
		return fail(task, WQ_DONE_FAILED, "handler-fault",
			"the handler says that it was cancelled, but nobody asked for that");
	case WQ_CALL_FAILED:
		return complete_failure(task, WQ_DONE_FAILED, "failed");
	case WQ_CALL_REJECTED:
		return complete_failure(task, WQ_DONE_REJECTED, "rejected");
	default:
		break;
	}
	if (answer > 0)
		return fail(task, WQ_DONE_FAILED, "handler-fault",
			"the handler gave an answer that means nothing");
	if (task->reply.error.text[0] == '\0')
		(void)wq_fail(
			&task->reply.error, answer, NULL, "handler '%s'", task->handler->name);
	return complete_failure(task, WQ_DONE_FAILED, "system-error");
}

static void run(struct pool_task *task)
{
	task->how = judge(task, task->handler->run(&task->call, &task->reply));
	if (task->how != WQ_DONE_OK)
		wq_cbor_out_free(&task->result);
	if (task->reply.code < 0 || task->reply.code > 255)
		task->reply.code = 255;
	if (task->how == WQ_DONE_FAILED && task->reply.code == 0)
		task->reply.code = 1;
}

/* With the lock held. */
static struct pool_task *pop_waiting(struct pool *pool)
{
	struct pool_task *task = pool->first;
	pool->first = task->next;
	if (!pool->first)
		pool->last = NULL;
	return task;
}

static void *work(void *arg)
{
	struct pool *pool = arg;
	(void)pthread_mutex_lock(&pool->lock);
	for (;;) {
		while (!pool->first && !pool->ending)
			(void)pthread_cond_wait(&pool->work, &pool->lock);
		if (pool->ending)
			break;
		struct pool_task *task = pop_waiting(pool);
		task->picked = true;
		(void)pthread_mutex_unlock(&pool->lock);

		run(task);
		wq_done_push(&pool->done, &task->done);
		(void)pthread_mutex_lock(&pool->lock);
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* ---- the loop's side ------------------------------------------------------------------------- */

int32_t pool_init(struct pool *pool, const struct wq_host *host)
{
	*pool = (struct pool){ .host = host };
	int32_t rc = -pthread_mutex_init(&pool->lock, NULL);
	if (rc < 0)
		return rc;
	rc = -pthread_cond_init(&pool->work, NULL);
	if (rc == 0) {
		rc = wq_done_init(&pool->done, host);
		if (rc == 0)
			return 0;
		(void)pthread_cond_destroy(&pool->work);
	}
	(void)pthread_mutex_destroy(&pool->lock);
	return rc;
}

int32_t pool_start(struct pool *pool, int32_t n_threads, struct wq_err *err)
{
	pool->threads = calloc((size_t)n_threads, sizeof(*pool->threads));
	if (!pool->threads)
		return wq_fail(err, -ENOMEM, NULL, "%d worker threads", n_threads);
	while (pool->n_threads < n_threads) {
		char name[16];
		int32_t rc = wq_start_thread(&pool->threads[pool->n_threads], work, pool);
		if (rc < 0)
			return wq_fail(err, rc, NULL, "cannot start worker thread %d of %d",
				pool->n_threads + 1, n_threads);
		(void)snprintf(name, sizeof(name), "wq-pool-%d", pool->n_threads);
		(void)pthread_setname_np(pool->threads[pool->n_threads], name);
		pool->n_threads++;
	}
	return 0;
}

static void forget_live(struct pool *pool, struct pool_task *task)
{
	if (task->live_prev)
		task->live_prev->live_next = task->live_next;
	else
		pool->live = task->live_next;
	if (task->live_next)
		task->live_next->live_prev = task->live_prev;
	pool->n_live--;
}

void pool_fini(struct pool *pool)
{
	pool_cancel_all(pool, POOL_CANCEL_SHUTDOWN);
	(void)pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	(void)pthread_cond_broadcast(&pool->work);
	(void)pthread_mutex_unlock(&pool->lock);
	for (int32_t i = 0; i < pool->n_threads; i++)
		(void)pthread_join(pool->threads[i], NULL);
	/* Nothing waits any more and nothing runs: all that is live is in the done queue. */
	for (struct pool_task *task; (task = pool_reap(pool));)
		pool_task_free(task);
	free(pool->threads);
	wq_done_fini(&pool->done);
	(void)pthread_cond_destroy(&pool->work);
	(void)pthread_mutex_destroy(&pool->lock);
}

struct pool_task *pool_submit(
	struct pool *pool, const struct wq_task *from, const struct wq_handler *handler)
{
	struct pool_task *task = task_new(pool, from, handler);
	if (!task)
		return NULL;
	task->live_next = pool->live;
	if (pool->live)
		pool->live->live_prev = task;
	pool->live = task;
	pool->n_live++;

	(void)pthread_mutex_lock(&pool->lock);
	if (pool->last)
		pool->last->next = task;
	else
		pool->first = task;
	pool->last = task;
	(void)pthread_cond_signal(&pool->work);
	(void)pthread_mutex_unlock(&pool->lock);
	return task;
}

/* With the lock held: is it still waiting?  Then it is not any more. */
static bool take_waiting(struct pool *pool, struct pool_task *task)
{
	struct pool_task *before = NULL;
	for (struct pool_task *t = pool->first; t; before = t, t = t->next) {
		if (t != task)
			continue;
		if (before)
			before->next = t->next;
		else
			pool->first = t->next;
		if (pool->last == t)
			pool->last = before;
		return true;
	}
	return false;
}

void pool_cancel(struct pool *pool, struct pool_task *task, enum pool_cancel why)
{
	int32_t none = POOL_CANCEL_NONE;
	bool waited = false;
	(void)pthread_mutex_lock(&pool->lock);
	/* The first reason stands: a client's abort stays one when the server stops after it. */
	if (atomic_compare_exchange_strong(&task->cancel, &none, (int32_t)why)) {
		waited = !task->picked && take_waiting(pool, task);
		(void)pthread_cond_signal(&task->woken);
	}
	(void)pthread_mutex_unlock(&pool->lock);
	if (!waited)
		return;
	/* It never began, so a shutdown need not cost it its turn. */
	task->how =
		why == POOL_CANCEL_CLIENT
			? fail(task, WQ_DONE_ABORTED, "aborted", "aborted before it began")
			: fail(task, WQ_DONE_NOT_STARTED, "shutdown", "the server is shut down");
	wq_done_push(&pool->done, &task->done);
}

void pool_cancel_all(struct pool *pool, enum pool_cancel why)
{
	for (struct pool_task *task = pool->live; task; task = task->live_next)
		pool_cancel(pool, task, why);
}

struct pool_task *pool_reap(struct pool *pool)
{
	struct wq_done *done = wq_done_pop(&pool->done);
	if (!done)
		return NULL;
	struct pool_task *task = (struct pool_task *)done; /* its first member */
	forget_live(pool, task);
	return task;
}
