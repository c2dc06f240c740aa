/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread-pool: runs C functions, the handlers of a handler file, on worker threads of the server.
 *
 * Everything here is on the loop thread and is short; pool.c has the threads, library.c the
 * handler file.  wq-thread-pool(7) is the manual, wq-handler(3) tells how to write a handler.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <wq/plugin.h>

#include "library.h"
#include "pool.h"

enum {
	OPT_THREADS,
	OPT_HANDLERS,
	OPT_HANDLER,
	N_OPTIONS
};

enum {
	THREADS_MAX = 1024
};

static const struct wq_option options[N_OPTIONS] = {
	[OPT_THREADS] = { .name = "threads",
		.help = "worker threads, and so tasks at a time; as many as processors when not "
			"set",
		.type = WQ_T_INT,
		.min = 1,
		.max = THREADS_MAX },
	[OPT_HANDLERS] = { .name = "handlers",
		.help = "the handler file; handlers/standard.so beside the plugin when not set",
		.type = WQ_T_PATH },
	[OPT_HANDLER] = { .name = "handler",
		.help = "the one handler for all requests; when not set each request names its own",
		.type = WQ_T_STRING },
};

struct wq_self {
	const struct wq_host *host;
	struct library lib;
	const struct wq_handler *only; /* of option `handler` */
	struct pool pool;
	int32_t n_threads;
	bool stopped;
	struct pool_task *given; /* by the last reap: freed at the next operation on tasks */
};

struct task_state {
	struct pool_task *task;
};

static int32_t n_processors(void)
{
	cpu_set_t set;
	/* Those that this process may use; the call fails where there are more than cpu_set_t
	 * holds. */
	long n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set)
							      : sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (int32_t)n;
}

static void release_given(wq_self *me)
{
	pool_task_free(me->given);
	me->given = NULL;
}

static int32_t create(
	wq_self *me, const struct wq_host *host, const struct wq_config *config, struct wq_err *err)
{
	char known[256];
	me->host = host;
	me->n_threads = (int32_t)(wq_option_is_set(config, OPT_THREADS)
					  ? wq_option_int(config, OPT_THREADS, 1)
					  : n_processors());
	int32_t rc = library_open(&me->lib, wq_option_text(config, OPT_HANDLERS), err);
	if (rc < 0)
		return rc;
	const char *only = wq_option_text(config, OPT_HANDLER);
	me->only = only ? library_find(&me->lib, only, strlen(only)) : NULL;
	if (only && !me->only)
		rc = wq_fail(err, -WQ_E_CONFIG, "unknown-handler",
			"option 'handler': there is no handler '%.64s'; there are: %s", only,
			library_list(&me->lib, known, sizeof(known)));
	if (rc == 0) {
		rc = pool_init(&me->pool, host);
		if (rc < 0)
			(void)wq_fail(err, rc, NULL, "thread-pool");
	}
	if (rc < 0)
		library_close(&me->lib);
	return rc;
}

static void destroy(wq_self *me)
{
	release_given(me);
	pool_fini(&me->pool);
	library_close(&me->lib);
}

static int32_t start(wq_self *me, struct wq_err *err)
{
	return pool_start(&me->pool, me->n_threads, err);
}

static int32_t stop(wq_self *me, uint32_t how)
{
	release_given(me);
	me->stopped = true;
	if (how == WQ_STOP_KILL)
		pool_cancel_all(&me->pool, POOL_CANCEL_SHUTDOWN);
	return WQ_OK; /* detached they go on until destroy, which cannot leave threads behind */
}

/* Which handler does this request want? */
static int32_t choose(const wq_self *me, const struct wq_task *task, const struct wq_handler **ret,
	struct wq_err *err)
{
	char known[256], shown[64 + 1];
	const char *name;
	size_t len, n = 0;
	*ret = me->only;
	if (me->only)
		return WQ_OK;
	int rc = wq_cbor_find_text(task->request.ptr, task->request.len, "handler", &name, &len);
	if (rc != 1)
		return wq_fail(err, WQ_REJECT, "bad-request",
			"the request must be a map with the key 'handler', the name of one of: %s",
			library_list(&me->lib, known, sizeof(known)));
	*ret = library_find(&me->lib, name, len);
	if (*ret)
		return WQ_OK;
	for (; n < len && n < sizeof(shown) - 1; n++)
		shown[n] = name[n] >= ' ' && name[n] <= '~' ? name[n] : '?';
	shown[n] = '\0';
	return wq_fail(err, WQ_REJECT, "unknown-handler", "there is no handler '%s'; there are: %s",
		shown, library_list(&me->lib, known, sizeof(known)));
}

static int32_t validate(wq_self *me, const struct wq_task *task, struct wq_err *err)
{
	const struct wq_handler *handler;
	int32_t rc = choose(me, task, &handler, err);
	if (rc != WQ_OK || !handler->check)
		return rc;
	rc = handler->check(task->request, err);
	return rc > 0 ? WQ_REJECT : rc;
}

static int32_t start_task(wq_self *me, const struct wq_task *task, struct wq_err *err)
{
	const struct wq_handler *handler;
	struct task_state *state = task->state;
	release_given(me);
	if (me->stopped || me->pool.n_live >= me->n_threads)
		return WQ_BUSY;
	int32_t rc = choose(me, task, &handler, err);
	if (rc != WQ_OK)
		return rc;
	state->task = pool_submit(&me->pool, task, handler);
	if (!state->task)
		return wq_retry(err, 1000, "no memory for the task");
	return WQ_OK;
}

static int32_t reap(wq_self *me, struct wq_outcome *ret)
{
	release_given(me);
	struct pool_task *task = pool_reap(&me->pool);
	if (!task)
		return 0;
	me->given = task;
	ret->tid = task->tid;
	ret->how = task->how;
	ret->code = task->reply.code;
	if (task->how == WQ_DONE_OK) {
		ret->result = (struct wq_bytes){ task->result.buf, task->result.len };
	} else {
		ret->error = task->reply.error.name;
		ret->text = task->reply.error.text;
	}
	return 1;
}

static int32_t terminate(wq_self *me, const struct wq_task *task, uint32_t how)
{
	const struct task_state *state = task->state;
	(void)how; /* a thread can be asked, not ended */
	pool_cancel(&me->pool, state->task, POOL_CANCEL_CLIENT);
	return WQ_OK;
}

static int32_t has_capacity(wq_self *me)
{
	return me->stopped ? 0 : me->n_threads - me->pool.n_live;
}

WQ_PLUGIN("thread-pool", WQ_VERSION, "runs C functions on worker threads", .caps = WQ_CAP_WAKES,
	.self_size = sizeof(wq_self), .task_size = sizeof(struct task_state), .options = options,
	.n_options = N_OPTIONS, .start_task = start_task, .reap = reap, .terminate = terminate,
	.has_capacity = has_capacity, .create = create, .destroy = destroy, .start = start,
	.stop = stop, .validate = validate);
