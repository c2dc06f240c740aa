/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plugin/instance: one configured use of a plugin, guarded in both directions.
 *
 * The host believes nothing that a plugin says without a check: right thread, right state, known
 * task, given back once, well-formed result of allowed size, time taken.  A breach is a strike: a
 * log line that names plugin, operation and rule, and a counter.  After INSTANCE_MAX_STRIKES
 * in ten minutes the instance is quarantined: nothing new starts, what runs may still end.
 */
#pragma once

#include <stdbool.h>

#include "config/options.h"
#include "loop/loop.h"
#include "plugin/plugin.h"

struct children;
struct instance;

enum {
	INSTANCE_MAX_STRIKES = 5
};

/*
 * What a plugin can do wrong.  The first three are counted, but bring no quarantine: how long an
 * operation takes and how large a result becomes is often in the hands of the client.
 */
enum instance_strike {
	INSTANCE_STRIKE_SLOW,         /* an operation took too long */
	INSTANCE_STRIKE_OVERPROMISE,  /* start_task: busy, within what has_capacity had answered */
	INSTANCE_STRIKE_LARGE_RESULT, /* reap: above the result limit */
	INSTANCE_STRIKE_FAULT,        /* an operation answered a negative code */
	INSTANCE_STRIKE_UNKNOWN_ANSWER, /* an operation answered what its manual does not know */
	INSTANCE_STRIKE_UNKNOWN_TASK,   /* reap: not a task of this instance */
	INSTANCE_STRIKE_TWICE,          /* reap: given back before */
	INSTANCE_STRIKE_BAD_OUTCOME,    /* reap: unknown outcome */
	INSTANCE_STRIKE_BAD_RESULT,     /* reap: not well-formed */
	INSTANCE_STRIKE_THREAD,         /* a service for the loop, called from another thread */
	INSTANCE_STRIKE_WATCH,          /* unknown watch, too early, or nobody to call */
	INSTANCE_STRIKE_CHILD,          /* spawn: without the capability, or nobody to call */
	INSTANCE_STRIKE_LEFTOVER,       /* destroy left something behind */
	INSTANCE_STRIKE_MAX
};

/* What the host of the host does; all on the loop thread but `log`. */
struct instance_events {
	void *arg;
	/* Something may have changed: reap, then ask for capacity.  Called from the loop, never from
	 * inside an operation or of a function below. */
	void (*touched)(void *arg, struct instance *i);
	/*
	 * From any thread, also from inside an operation: call nothing of this instance.  `id` is
	 * that of the request whose running task it is about, NULL: about none.  `text` is one
	 * clean line, and does not name the task manager.
	 */
	void (*log)(void *arg, struct instance *i, int level, const char *id, const char *text);
	/* Keep the handle of a running task.  0 or -errno.  NULL: it cannot be kept. */
	int (*save_handle)(void *arg, struct instance *i, const char *id, uint32_t attempt,
		const void *bytes, size_t len);
};

/* What an instance is given by those around it. */
struct instance_host {
	struct loop *loop; /* NULL: for --check; the instance cannot be started */
	size_t result_limit;
	struct children *children; /* NULL: spawn is not to be had */
	struct instance_events events;
};

/*
 * Make an instance: state allocated, create called with `values` (borrowed until instance_free;
 * NULL where the plugin has no options).  `host` is copied.  The thread that calls is the loop's from
 * then on.  Failures name the plugin and carry its sentence; those of all other functions name the
 * task manager as well.
 */
int instance_new(struct instance **ret, const struct plugin *p, const char *name,
	const struct option_values *values, const struct instance_host *host, struct wq_err *err);
int instance_start(struct instance *i, struct wq_err *err);
int instance_stop(struct instance *i, uint32_t how); /* WQ_STOP_... */
void instance_free(struct instance *i);              /* calls destroy */

bool instance_is_quarantined(const struct instance *i);
uint64_t instance_strikes(struct instance *i); /* since it was made, all kinds together */
uint64_t instance_strikes_of(struct instance *i, enum instance_strike kind);
size_t instance_running(const struct instance *i); /* accepted and not given back */

/* What is known of a task when it starts; all borrowed for the call. */
struct instance_task {
	const char *id, *name, *key, *label;
	struct wq_bytes request;
	uint32_t attempt;
	uint32_t ref;           /* the caller's, see instance_reaped_ref */
	uint32_t uid;           /* of the request's owner */
	const char *work_dir;   /* with WQ_CAP_WORK_DIR, else NULL */
	struct wq_bytes handle; /* instance_recover only */
};

/* Has it `recover`: can its tasks outlive the server? */
bool instance_can_recover(const struct instance *i);

/*
 * After instance_start, before instance_recover_end, and with children when those are up: what became
 * of a task of an earlier server?  WQ_ADOPTED: it is as if instance_start_task had answered WQ_OK,
 * with its number in `ret_tid`; its children are its own again.  WQ_NEVER_BEGAN, WQ_ENDED; WQ_RETRY: ask
 * again in err->code milliseconds; or all else (a fault too): it cannot be known.
 */
int instance_recover(
	struct instance *i, const struct instance_task *task, wq_tid *ret_tid, struct wq_err *err);
/* That was all of them.  An instance that can recover starts nothing, and has no capacity, before. */
void instance_recover_end(struct instance *i);

/* For children.h: a child of one of its tasks has ended.  Calls on_child, then `touched`. */
void instance_child_ended(
	struct instance *i, uint64_t child, wq_tid tid, const struct wq_child_end *end);

/* WQ_OK, WQ_REJECT (err says why).  WQ_OK where the plugin has no validate. */
int instance_validate(struct instance *i, const struct instance_task *task, struct wq_err *err);

/*
 * WQ_OK with the task's number in `ret_tid`, WQ_BUSY, WQ_RETRY (`ret_delay_ms`), WQ_REJECT (err), or
 * below 0: a fault; nothing was begun as far as the host knows.
 */
int instance_start_task(struct instance *i, const struct instance_task *task, wq_tid *ret_tid,
	int64_t *ret_delay_ms, struct wq_err *err);

/*
 * 1: one task's end, checked; what it points at lives until the next call on `i`.  A result that is
 * not well-formed, or an unknown outcome, arrives as WQ_DONE_FAILED "plugin-bad-result".  A result
 * above the limit is left out: WQ_DONE_OK arrives as WQ_DONE_FAILED "result-too-large", all else as it
 * was.  `error` and `text` are NULL with WQ_DONE_OK and set with all others.  0: none.
 */
int instance_reap(struct instance *i, struct wq_outcome *ret);

/* The `ref` of the task that the last instance_reap gave back. */
uint32_t instance_reaped_ref(const struct instance *i);

/* 0, -WQ_E_UNKNOWN (not running here), or the plugin's fault. */
int instance_terminate(struct instance *i, wq_tid tid, uint32_t how);
int32_t instance_has_capacity(struct instance *i); /* 0 when quarantined */
void instance_ack(struct instance *i, wq_tid tid);

/* The last progress of a task: answers permille and writes the text; -1 and "" when none. */
int32_t instance_progress(struct instance *i, wq_tid tid, char *ret_text, size_t size);
