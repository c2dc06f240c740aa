/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork-exec: runs commands, as children of the server's shepherd.
 *
 * Here are the operations and the tasks that run; what to run is settled in request.c (or by
 * wq.conf, handler.c), and what became of it is told in report.c.  wq-fork-exec(7) is the manual.
 *
 * Nothing of a task is kept but in the shepherd: a task has one child, and recovery finds it by the
 * task's name.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <wq/plugin-util.h>

#include "environment.h"
#include "handler.h"
#include "report.h"
#include "request.h"

enum {
	PLENTY = INT32_MAX / 2, /* max-running binds; when the shepherd is full spawn says so */
	RETRY_MS = 1000,
	SPARES = 2 /* a work directory and a file in it */
};

struct task {
	TAILQ_ENTRY(task) link;
	wq_tid tid;
	uint64_t child;
	struct ending ending; /* once it has ended */
	char work_dir[];
};
TAILQ_HEAD(task_list, task);

struct wq_self {
	const struct wq_host *host;
	struct settings settings;
	struct task_list running, ended;
	struct report report; /* of the last reap */
	int spare_fds[SPARES];
	bool stopped;
};

struct task_state {
	uint64_t child;
};

static struct task *task_new(const struct wq_task *of)
{
	const char *dir = of->work_dir ? of->work_dir : "";
	size_t size = strlen(dir) + 1;
	struct task *t = calloc(1, sizeof(*t) + size);
	if (!t)
		return NULL;
	t->tid = of->tid;
	memcpy(t->work_dir, dir, size);
	return t;
}

static void free_list(struct task_list *list)
{
	for (struct task *t; (t = TAILQ_FIRST(list));) {
		TAILQ_REMOVE(list, t, link);
		free(t);
	}
}

/* Output that is there must not be missing in a result only because the server has no descriptors left
 * in this moment: so some are kept, and given up while it is read. */
static void keep_spares(wq_self *me)
{
	for (int i = 0; i < SPARES; i++)
		me->spare_fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void give_spares(wq_self *me)
{
	for (int i = 0; i < SPARES; i++)
		if (me->spare_fds[i] >= 0)
			(void)close(me->spare_fds[i]);
}

/* ---- life ------------------------------------------------------------------------------------ */

static int32_t create(
	wq_self *me, const struct wq_host *host, const struct wq_config *config, struct wq_err *err)
{
	me->host = host;
	TAILQ_INIT(&me->running);
	TAILQ_INIT(&me->ended);
	wq_cbor_out_init(&me->report.out);
	for (int i = 0; i < SPARES; i++)
		me->spare_fds[i] = -1;
	return settings_load(&me->settings, config, err);
}

static void destroy(wq_self *me)
{
	free_list(&me->running); /* their children go on: the next server finds them */
	free_list(&me->ended);
	report_clear(&me->report);
	give_spares(me);
	settings_fini(&me->settings);
}

static int32_t start(wq_self *me, struct wq_err *err)
{
	if (WQ_HAS(me->host, spawn) && WQ_HAS(me->host, end_child)) {
		keep_spares(me);
		return WQ_OK;
	}
	return wq_fail(err, -WQ_E_UNSUPPORTED, NULL, "this server runs no children");
}

static int32_t stop(wq_self *me, uint32_t how)
{
	struct task *t;
	me->stopped = true;
	if (how != WQ_STOP_KILL)
		return WQ_OK;
	TAILQ_FOREACH(t, &me->running, link)
	{
		(void)me->host->end_child(me->host->ctx, t->child, WQ_TERM_NOW, 0);
	}
	return WQ_OK;
}

/* ---- start ----------------------------------------------------------------------------------- */

static int32_t validate(wq_self *me, const struct wq_task *task, struct wq_err *err)
{
	struct request request;
	/* Any item may be a handler's input.  The few that have no form in JSON start_task refuses: to
	 * make that text twice would cost too much. */
	if (me->settings.mode == MODE_HANDLER)
		return WQ_OK;
	int32_t rc = request_parse(&me->settings, task->request, &request, err);
	if (rc == WQ_OK)
		request_fini(&request);
	/* Want of memory is no fault of the request: start_task will tell. */
	return rc == -ENOMEM ? WQ_OK : rc;
}

/* What all children have in common, and what the options alone say. */
static struct wq_spawn spawn_of(const wq_self *me, const struct wq_task *task)
{
	const struct settings *s = &me->settings;
	return (struct wq_spawn){ .struct_size = sizeof(struct wq_spawn),
		.flags = s->leave_rest ? WQ_SPAWN_LEAVE_REST : 0,
		.tid = task->tid,
		.env = (const char *const *)s->env,
		.out_limit = s->output_limit,
		.err_limit = s->output_limit,
		.umask = s->umask,
		.nice = s->nice,
		.grace_ms = s->grace_ms };
}

/* Hand it over.  WQ_OK: the child's number is in `ret_child`. */
static int32_t spawn(wq_self *me, struct wq_spawn *what, const struct limits *own,
	uint64_t *ret_child, struct wq_err *err)
{
	static const struct limits none = { .is_set = { false } };
	struct wq_limit limits[LIMIT_MAX];
	what->limits = limits;
	what->n_limits = limits_merge(&me->settings.limits, own ? own : &none, limits);
	for (uint32_t i = 0; i < what->n_limits; i++)
		if (limits[i].resource == limit_kinds[LIMIT_PROCESSES].resource)
			what->processes = (uint32_t)(limits[i].value < UINT32_MAX ? limits[i].value
										  : UINT32_MAX);
	int32_t rc = me->host->spawn(me->host->ctx, what, ret_child, err);
	if (rc == -WQ_E_LIMIT)
		return wq_fail(err, WQ_REJECT, "too-large",
			"the command, its environment and its input are too large: at most 4M, and "
			"65536 words");
	return rc;
}

static int32_t spawn_command(
	wq_self *me, const struct wq_task *task, uint64_t *ret_child, struct wq_err *err)
{
	const struct settings *s = &me->settings;
	struct wq_spawn what = spawn_of(me, task);
	struct request request;
	int32_t rc = request_parse(s, task->request, &request, err);
	if (rc != WQ_OK)
		return rc;
	const char **env =
		environment_merge(request.no_pass ? NULL : what.env, request.env, request.n_env);
	what.argv = request.argv;
	what.env = env;
	what.dir = request.dir ? request.dir : s->default_dir;
	/* The work directory is every task's own and needs no leave. */
	what.dirs_allowed = what.dir ? (const char *const *)s->directories : NULL;
	what.input = request.input;
	if (request.umask >= 0)
		what.umask = (uint32_t)request.umask;
	if (request.nice >= 0)
		what.nice = request.nice;
	rc = env ? spawn(me, &what, &request.limits, ret_child, err) : -ENOMEM;
	free(env);
	request_fini(&request);
	return rc;
}

static int32_t spawn_handler(
	wq_self *me, const struct wq_task *task, uint64_t *ret_child, struct wq_err *err)
{
	struct wq_spawn what = spawn_of(me, task);
	struct handler_input input;
	int32_t rc = handler_input(&me->settings, task->request, &input, err);
	if (rc != WQ_OK)
		return rc;
	what.argv = (const char *const *)me->settings.program;
	what.input = input.bytes;
	rc = spawn(me, &what, NULL, ret_child, err);
	handler_input_fini(&input);
	return rc;
}

static int32_t start_task(wq_self *me, const struct wq_task *task, struct wq_err *err)
{
	struct task_state *state = task->state;
	if (me->stopped)
		return WQ_BUSY;
	struct task *t = task_new(task);
	int32_t rc = -ENOMEM;
	if (t)
		rc = me->settings.mode == MODE_HANDLER ? spawn_handler(me, task, &t->child, err)
						       : spawn_command(me, task, &t->child, err);
	if (rc != WQ_OK) {
		free(t);
		return rc == -ENOMEM ? wq_retry(err, RETRY_MS, "no memory for the task") : rc;
	}
	state->child = t->child;
	TAILQ_INSERT_TAIL(&me->running, t, link);
	return WQ_OK;
}

/* Nobody has looked at it, so plenty: the host remembers that spawn was busy. */
static int32_t has_capacity(wq_self *me)
{
	return me->stopped ? 0 : PLENTY;
}

/* ---- end ------------------------------------------------------------------------------------- */

static int32_t terminate(wq_self *me, const struct wq_task *task, uint32_t how)
{
	const struct task_state *state = task->state;
	int32_t rc = me->host->end_child(
		me->host->ctx, state->child, how, how == WQ_TERM_NOW ? 0 : me->settings.grace_ms);
	return rc == -WQ_E_UNKNOWN ? WQ_OK : rc; /* it has just ended */
}

static void on_child(wq_self *me, uint64_t child, wq_tid tid, const struct wq_child_end *end)
{
	struct task *t = TAILQ_FIRST(&me->running);
	(void)tid;
	while (t && t->child != child)
		t = TAILQ_NEXT(t, link);
	if (!t)
		return;
	ending_copy(&t->ending, end);
	TAILQ_REMOVE(&me->running, t, link);
	TAILQ_INSERT_TAIL(&me->ended, t, link);
}

static int32_t reap(wq_self *me, struct wq_outcome *ret)
{
	report_clear(&me->report);
	struct task *t = TAILQ_FIRST(&me->ended);
	if (!t)
		return 0;
	ret->tid = t->tid;
	give_spares(me);
	report_make(&me->report, &me->settings, &t->ending, t->work_dir, ret);
	keep_spares(me);
	TAILQ_REMOVE(&me->ended, t, link);
	free(t);
	return 1;
}

static int32_t recover(wq_self *me, const struct wq_task *task, struct wq_err *err)
{
	struct task_state *state = task->state;
	if (task->n_children == 0)
		return WQ_NEVER_BEGAN;
	struct task *t = task_new(task);
	if (!t)
		return wq_fail(err, -ENOMEM, NULL, "cannot take up the task");
	t->child = state->child = task->children[0].child;
	TAILQ_INSERT_TAIL(&me->running, t, link);
	return WQ_ADOPTED;
}

WQ_PLUGIN("fork-exec", WQ_VERSION, "runs commands, which outlive the server",
	.caps = WQ_CAP_WAKES | WQ_CAP_WORK_DIR | WQ_CAP_CHILDREN, .self_size = sizeof(wq_self),
	.task_size = sizeof(struct task_state), .options = settings_options,
	.n_options = SETTINGS_OPTIONS, .start_task = start_task, .reap = reap,
	.terminate = terminate, .has_capacity = has_capacity, .create = create, .destroy = destroy,
	.start = start, .stop = stop, .validate = validate, .on_child = on_child,
	.recover = recover);
