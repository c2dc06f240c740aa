/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * faulty: a task manager that breaks one rule of wq-plugin(3), chosen by the option `fault`; with
 * `none` it is correct.  It shows what the server does about each, in tests and in trials.
 */
#include <wq/plugin.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	ROOM = 64,
	BLOCK_MS = 200,
	FLOOD_LINES = 1000,
	HUGE_BYTES = 64 << 20
};

/* The order of FAULTS. */
enum fault {
	NONE,
	START_FAULT,
	START_UNKNOWN_ANSWER,
	BUSY_AFTER_CAPACITY,
	REAP_UNKNOWN,
	REAP_TWICE,
	REAP_OTHER,
	BAD_CBOR,
	HUGE_RESULT,
	BAD_OUTCOME,
	CAPACITY_NEGATIVE,
	BLOCK,
	CREATE_FAILS,
	START_FAILS,
	THREAD_WATCH,
	LINGER_WATCH,
	CHATTY,
	NEVER_REAPS,
	TERMINATE_IGNORED,
	LATE_REJECT,
	NOT_STARTED,
};
#define FAULTS                                                                                     \
	"none|start-fault|start-unknown-answer|busy-after-capacity|reap-unknown|reap-twice|"       \
	"reap-other|bad-cbor|huge-result|bad-outcome|capacity-negative|block|create-fails|"        \
	"start-fails|thread-watch|linger-watch|chatty|never-reaps|terminate-ignored|late-reject|"  \
	"not-started"

struct ended {
	wq_tid tid;
	int32_t how;
};

struct wq_self {
	const struct wq_host *host;
	int64_t fault;
	struct ended ended[ROOM]; /* to be given back, oldest first */
	int32_t n_ended;
	int32_t n_running;
	wq_tid again; /* REAP_TWICE: given back once */
	int sent_back;
	int pipe[2]; /* LINGER_WATCH */
	uint8_t *huge;
};

static int32_t create(
	wq_self *me, const struct wq_host *host, const struct wq_config *config, struct wq_err *err)
{
	me->host = host;
	me->fault = (int64_t)config->values[0].n; /* a choice: its place */
	me->pipe[0] = me->pipe[1] = -1;
	if (me->fault == CREATE_FAILS) {
		snprintf(err->name, sizeof err->name, "faulty.create");
		snprintf(err->text, sizeof err->text, "create fails because it was told to");
		return -WQ_E_CONFIG;
	}
	return WQ_OK;
}

/* watch is for the loop only: from here it must be refused. */
static void *watch_from_thread(void *arg)
{
	wq_self *me = arg;
	me->host->watch(me->host->ctx, STDIN_FILENO, WQ_READABLE);
	return NULL;
}

static void run_thread(wq_self *me)
{
	pthread_t thread;
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&thread, NULL, watch_from_thread, me) == 0)
		pthread_join(thread, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static int32_t start(wq_self *me, struct wq_err *err)
{
	switch (me->fault) {
	case START_FAILS:
		snprintf(err->text, sizeof err->text, "start fails because it was told to");
		return -WQ_E_FAULT;
	case THREAD_WATCH:
		run_thread(me);
		break;
	case LINGER_WATCH:
		if (pipe(me->pipe) == 0)
			me->host->watch(me->host->ctx, me->pipe[0], WQ_READABLE);
		break;
	default:
		break;
	}
	return WQ_OK;
}

static void destroy(wq_self *me)
{
	free(me->huge);
	for (int i = 0; i < 2; i++)
		if (me->pipe[i] >= 0)
			close(me->pipe[i]);
}

static void on_ready(wq_self *me, uint64_t watch, uint32_t events)
{
	(void)me, (void)watch, (void)events;
}

static void end_task(wq_self *me, wq_tid tid, int32_t how)
{
	me->ended[me->n_ended++] = (struct ended){ tid, how };
}

static void block(void)
{
	/* The one thing that an operation must never do. */
	poll(NULL, 0, BLOCK_MS);
}

static int32_t begin(wq_self *me, const struct wq_task *task)
{
	if (me->n_running == ROOM)
		return WQ_BUSY;
	me->n_running++;
	switch (me->fault) {
	case NEVER_REAPS:
	case TERMINATE_IGNORED:
		break;
	case LATE_REJECT:
		end_task(me, task->tid, WQ_DONE_REJECTED);
		break;
	case NOT_STARTED:
		end_task(me, task->tid, me->sent_back ? WQ_DONE_OK : WQ_DONE_NOT_STARTED);
		me->sent_back = 1;
		break;
	case BAD_OUTCOME:
		end_task(me, task->tid, 99);
		break;
	default:
		end_task(me, task->tid, WQ_DONE_OK);
		break;
	}
	return WQ_OK;
}

static int32_t start_task(wq_self *me, const struct wq_task *task, struct wq_err *err)
{
	switch (me->fault) {
	case START_FAULT:
		snprintf(err->text, sizeof err->text, "start_task fails because it was told to");
		return -WQ_E_FAULT;
	case START_UNKNOWN_ANSWER:
		return 42;
	case BUSY_AFTER_CAPACITY:
		return WQ_BUSY;
	case BLOCK:
		block();
		break;
	case CHATTY:
		for (int i = 0; i < FLOOD_LINES; i++)
			me->host->log(me->host->ctx, WQ_LOG_INFO, task->tid, "flood");
		break;
	default:
		break;
	}
	return begin(me, task);
}

static void add_result(wq_self *me, struct wq_outcome *ret)
{
	static const uint8_t cut[] = { 0x82, 0x01 }; /* an array of two items, and only one */
	if (me->fault == BAD_CBOR) {
		ret->result.ptr = cut;
		ret->result.len = sizeof cut;
	}
	if (me->fault != HUGE_RESULT)
		return;
	/* A byte string (RFC 8949 section 3.1, major type 2) of 64 MiB less its head. */
	if (!me->huge)
		me->huge = calloc(1, HUGE_BYTES);
	if (!me->huge)
		return;
	uint32_t len = HUGE_BYTES - 5;
	me->huge[0] = 0x5a;
	for (int i = 0; i < 4; i++)
		me->huge[1 + i] = (uint8_t)(len >> (24 - 8 * i));
	ret->result.ptr = me->huge;
	ret->result.len = HUGE_BYTES;
}

/* What some faults give back before anything that is right.  0: nothing. */
static int32_t reap_wrong(wq_self *me, struct wq_outcome *ret)
{
	ret->how = WQ_DONE_OK;
	if (me->fault == REAP_UNKNOWN && me->n_ended > 0 && !me->sent_back) {
		me->sent_back = 1;
		ret->tid = UINT64_MAX;
		return 1;
	}
	/* Numbers are given in a row, so the one before ours is someone else's. */
	if (me->fault == REAP_OTHER && me->n_ended > 0 && !me->sent_back) {
		me->sent_back = 1;
		ret->tid = me->ended[0].tid - 1;
		return 1;
	}
	if (me->again) {
		ret->tid = me->again;
		me->again = 0;
		return 1;
	}
	return 0;
}

static int32_t reap(wq_self *me, struct wq_outcome *ret)
{
	if (reap_wrong(me, ret))
		return 1;
	if (me->n_ended == 0)
		return 0;
	ret->tid = me->ended[0].tid;
	ret->how = me->ended[0].how;
	if (ret->how == WQ_DONE_REJECTED) {
		ret->error = "faulty.late";
		ret->text = "rejected late because it was told to";
	}
	add_result(me, ret);
	memmove(me->ended, me->ended + 1, (size_t)--me->n_ended * sizeof me->ended[0]);
	me->n_running--;
	if (me->fault == REAP_TWICE)
		me->again = ret->tid;
	return 1;
}

static int32_t terminate(wq_self *me, const struct wq_task *task, uint32_t how)
{
	(void)how;
	/* TERMINATE_IGNORED says yes and does nothing; otherwise the task has ended already. */
	if (me->fault != NEVER_REAPS)
		return WQ_OK;
	for (int32_t i = 0; i < me->n_ended; i++)
		if (me->ended[i].tid == task->tid)
			return WQ_OK;
	end_task(me, task->tid, WQ_DONE_ABORTED);
	return WQ_OK;
}

static int32_t has_capacity(wq_self *me)
{
	return me->fault == CAPACITY_NEGATIVE ? -5 : ROOM - me->n_running;
}

static const struct wq_option options[] = {
	{ .name = "fault",
		.type = WQ_T_CHOICE,
		.choices = FAULTS,
		.def = "none",
		.help = "the rule to break" },
};

WQ_PLUGIN("faulty", "1.0", "breaks one rule on request", .caps = WQ_CAP_WAKES,
	.self_size = sizeof(wq_self), .options = options, .n_options = 1, .start_task = start_task,
	.reap = reap, .terminate = terminate, .has_capacity = has_capacity, .create = create,
	.destroy = destroy, .start = start, .on_ready = on_ready);
