/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plugin/instance_priv: the inside of an instance, shared by instance.c (life cycle, operations),
 * outcome.c (what reap gives back), recover.c (what outlives a server), guard.c (checks and strikes)
 * and host.c (services).  children.c touches what waits for it.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "plugin/instance.h"
#include "plugin/tasks.h"

enum {
	RECENT_MAX = 64, /* given-back tasks that are remembered, to tell "twice" from "unknown" */
	LOG_TEXT_MAX = 1023,
	LOG_ID_MAX = 63,
};

struct wq_host_ctx {
	struct instance *instance;
};

enum instance_state {
	INSTANCE_MADE,
	INSTANCE_STARTED,
	INSTANCE_STOPPED,
	INSTANCE_FAILED, /* start did not succeed: only destroy may follow */
};

struct plugin_watch {
	uint64_t id;
	struct instance *instance;
	struct loop_fd *src;
	LIST_ENTRY(plugin_watch) link;
};

/* So many at once, so many a second. */
struct bucket {
	double tokens;
	int64_t filled_ns;
	uint64_t dropped; /* since the last time that something came through */
};

struct instance {
	const struct plugin *plugin;
	char *name;
	struct loop *loop;
	size_t result_limit;
	struct children *children; /* NULL: none are to be had */
	struct instance_events events;
	pthread_t thread; /* the loop's */
	enum instance_state state;
	wq_self *self;

	struct wq_host host;
	struct wq_host_ctx ctx;
	struct wq_config config;

	/* Loop thread. */
	const char *op; /* the operation we are inside of, or NULL */
	int64_t op_began_ns;
	int64_t slow_quiet_until_ns;
	struct plugin_task *reaped; /* its state may hold what the last outcome points at */
	wq_tid recent[RECENT_MAX];
	size_t n_recent;
	int32_t promised;    /* starts that the last has_capacity still covers */
	bool is_recovering;  /* instance_recover_end is still to come */
	bool spawn_was_busy; /* in the start_task that we are inside of */
	bool waits_for_room; /* children.c's, with room_link */
	TAILQ_ENTRY(instance) room_link;
	LIST_HEAD(, plugin_watch) watches;
	uint64_t last_watch;
	struct loop_timer *ticker;
	int wakefd;
	struct loop_fd *wake_src;
	char outcome_error[WQ_ERR_NAME_SIZE];
	char outcome_text[WQ_ERR_TEXT_SIZE];

	atomic_bool wake_pending;
	atomic_bool quarantined;

	pthread_mutex_t lock; /* of what follows, and of changes to `tasks` */
	struct task_table tasks;
	struct bucket log_bucket;
	struct bucket strike_bucket;
	uint64_t strikes[INSTANCE_STRIKE_MAX];
	int64_t strike_times[INSTANCE_MAX_STRIKES]; /* a ring of those that count */
	size_t n_strike_times;
};

/* Call tick in the next round of the loop, where the plugin has one. */
void instance_tick_soon(struct instance *i);

/* A task of `task` in the table, with a number; NULL: no memory. */
struct plugin_task *instance_add_task(struct instance *i, const struct instance_task *task);
/* Out of the table, and its children are ended.  It is the caller's to free. */
void instance_remove_task(struct instance *i, struct plugin_task *t);
/* Has the plugin said that it spawns, and can it here? */
bool instance_may_spawn(const struct instance *i);

/* ---- guard ----------------------------------------------------------------------------------- */

/* Around each operation: right thread, never nested, time taken. */
void guard_enter(struct instance *i, const char *op);
void guard_leave(struct instance *i);
bool guard_is_loop_thread(const struct instance *i);

/* Count a breach and say so.  [any-thread] */
void guard_strike(struct instance *i, enum instance_strike kind, const char *op, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));

/* An empty one, for an operation to fill. */
struct wq_err *guard_empty_err(struct wq_err *e);
/* The err that a plugin filled, made safe; `fallback` where it said nothing. */
void guard_clean_err(struct wq_err *said, const char *fallback);
/* An answer below 0, or one that is not known: a strike, and the code for our caller. */
int guard_fault(
	struct instance *i, const char *op, int32_t rc, struct wq_err *said, struct wq_err *err);

/* Is it [a-z0-9.-]+ of at most `max` bytes? */
bool guard_is_error_name(const char *name, size_t max);

/* ---- host ------------------------------------------------------------------------------------ */

/* Fill i->host, and register the wake-up where there is a loop.  0 or -errno. */
int host_init(struct instance *i);
/* What the plugin left: watches are a strike.  Then the wake-up goes. */
void host_fini(struct instance *i);
/* One line to events->log, unless the bucket is empty.  [any-thread] */
void host_log(struct instance *i, struct bucket *b, int level, wq_tid tid, const char *text);
/* "N messages dropped", when there is room for it again. */
void host_flush_log(struct instance *i, bool now);
