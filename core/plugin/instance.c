/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/instance_priv.h"

#include "base/err.h"
#include "base/time.h"
#include "plugin/children.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	RETRY_DEFAULT_MS = 1000
};

/* A tick that always answers "now" would keep the loop from sleeping. */
static const int64_t TICK_MIN_NS = NS_PER_MS;

/* ---- life cycle ------------------------------------------------------------------------------ */

static void on_tick(void *arg)
{
	struct instance *i = arg;
	if (i->state != INSTANCE_STARTED && i->state != INSTANCE_STOPPED)
		return;
	int64_t now = time_mono_ns();
	guard_enter(i, "tick");
	int64_t next = i->plugin->desc.tick(i->self, now);
	guard_leave(i);
	int64_t soonest = time_mono_ns() + TICK_MIN_NS;
	loop_set_timer(i->loop, i->ticker, next > soonest ? next : soonest);
	i->events.touched(i->events.arg, i);
}

/*
 * What has just been started or ended may have a deadline of its own: ask again, from the loop,
 * because touched may not be called from inside an operation.
 */
void instance_tick_soon(struct instance *i)
{
	if (i->ticker)
		loop_set_timer(i->loop, i->ticker, 0);
}

/* All that goes without the plugin's help. */
static void free_host_side(struct instance *i)
{
	host_fini(i);
	if (i->children)
		children_instance_gone(i->children, i);
	if (i->ticker)
		loop_del_timer(i->loop, i->ticker);
	task_free(i->reaped);
	task_table_fini(&i->tasks);
	pthread_mutex_destroy(&i->lock);
	free(i->self);
	free(i->name);
	free(i);
}

static int allocate(struct instance *i, const char *name)
{
	const struct wq_plugin *d = &i->plugin->desc;
	i->name = strdup(name);
	i->self = calloc(1, d->self_size ? d->self_size : 1);
	if (!i->name || !i->self)
		return -ENOMEM;
	if (i->loop && d->tick) {
		i->ticker = loop_add_timer(i->loop, on_tick, i);
		if (!i->ticker)
			return -ENOMEM;
	}
	return host_init(i);
}

static int call_create(struct instance *i, struct wq_err *err)
{
	struct wq_err said;
	if (!i->plugin->desc.create)
		return 0;
	guard_enter(i, "create");
	int32_t rc = i->plugin->desc.create(i->self, &i->host, &i->config, guard_empty_err(&said));
	guard_leave(i);
	if (rc == WQ_OK)
		return 0;
	guard_clean_err(&said, "create failed");
	if (rc > 0)
		rc = -WQ_E_FAULT;
	err_set_name(
		err, -WQ_E_FAULT, said.name, "plugin '%s': %s", i->plugin->desc.name, said.text);
	if (err)
		err->code = rc;
	return rc;
}

int instance_new(struct instance **ret, const struct plugin *p, const char *name,
	const struct option_values *values, const struct instance_host *host, struct wq_err *err)
{
	struct instance *i = calloc(1, sizeof *i);
	if (!i)
		return err_set(err, -ENOMEM, "plugin '%s'", p->desc.name);
	*i = (struct instance){ .plugin = p,
		.loop = host->loop,
		.result_limit = host->result_limit,
		.children = host->children,
		.events = host->events,
		.thread = pthread_self(),
		.wakefd = -1 };
	pthread_mutex_init(&i->lock, NULL);
	LIST_INIT(&i->watches);
	int rc = allocate(i, name);
	if (rc < 0) {
		err_set(err, rc, "plugin '%s'", p->desc.name);
	} else {
		wq_check((values ? values->n : 0) == p->desc.n_options);
		i->config = (struct wq_config){ .struct_size = sizeof i->config,
			.n_values = p->desc.n_options,
			.instance = i->name,
			.values = values ? values->values : NULL,
			.result_limit = i->result_limit };
		rc = call_create(i, err);
	}
	if (rc < 0) {
		free_host_side(i);
		return rc;
	}
	*ret = i;
	return 0;
}

int instance_start(struct instance *i, struct wq_err *err)
{
	struct wq_err said;
	wq_check(i->state == INSTANCE_MADE && i->loop);
	int32_t rc = WQ_OK;
	if (i->plugin->desc.start) {
		guard_enter(i, "start");
		rc = i->plugin->desc.start(i->self, guard_empty_err(&said));
		guard_leave(i);
	}
	if (rc != WQ_OK) {
		i->state = INSTANCE_FAILED;
		return guard_fault(i, "start", rc, &said, err);
	}
	i->state = INSTANCE_STARTED;
	i->is_recovering = instance_can_recover(i);
	instance_tick_soon(i);
	return 0;
}

int instance_stop(struct instance *i, uint32_t how)
{
	struct wq_err said;
	if (i->state != INSTANCE_STARTED)
		return 0;
	i->state = INSTANCE_STOPPED;
	if (!i->plugin->desc.stop)
		return 0;
	guard_enter(i, "stop");
	int32_t rc = i->plugin->desc.stop(i->self, how);
	guard_leave(i);
	return rc == WQ_OK ? 0 : guard_fault(i, "stop", rc, guard_empty_err(&said), NULL);
}

void instance_free(struct instance *i)
{
	if (!i)
		return;
	if (i->plugin->desc.destroy) {
		guard_enter(i, "destroy");
		i->plugin->desc.destroy(i->self);
		guard_leave(i);
	}
	free_host_side(i);
}

/* ---- asking ---------------------------------------------------------------------------------- */

bool instance_is_quarantined(const struct instance *i)
{
	return i->quarantined;
}

uint64_t instance_strikes_of(struct instance *i, enum instance_strike kind)
{
	pthread_mutex_lock(&i->lock);
	uint64_t n = i->strikes[kind];
	pthread_mutex_unlock(&i->lock);
	return n;
}

uint64_t instance_strikes(struct instance *i)
{
	uint64_t sum = 0;
	for (int kind = 0; kind < INSTANCE_STRIKE_MAX; kind++)
		sum += instance_strikes_of(i, (enum instance_strike)kind);
	return sum;
}

bool instance_may_spawn(const struct instance *i)
{
	return i->children && (i->plugin->desc.caps & WQ_CAP_CHILDREN);
}

size_t instance_running(const struct instance *i)
{
	return i->tasks.n;
}

int32_t instance_has_capacity(struct instance *i)
{
	i->promised = 0;
	if (i->state != INSTANCE_STARTED || i->quarantined || i->is_recovering)
		return 0;
	/* What starts would only be put back. */
	if (instance_may_spawn(i) && !children_has_room(i->children, i))
		return 0;
	guard_enter(i, "has_capacity");
	int32_t n = i->plugin->desc.has_capacity(i->self);
	guard_leave(i);
	if (n < 0) {
		guard_strike(
			i, INSTANCE_STRIKE_FAULT, "has_capacity", "answered %d; taken as 0", n);
		n = 0;
	}
	i->promised = n;
	return n;
}

/* ---- tasks ----------------------------------------------------------------------------------- */

static struct wq_task to_wq_task(const struct instance_task *task)
{
	return (struct wq_task){ .struct_size = sizeof(struct wq_task),
		.attempt = task->attempt,
		.id = task->id,
		.name = task->name,
		.key = task->key,
		.label = task->label,
		.request = task->request,
		.work_dir = task->work_dir,
		.uid = task->uid };
}

static int rejected(struct instance *i, struct wq_err *said, struct wq_err *err)
{
	char fallback[128];
	snprintf(fallback, sizeof fallback, "the plugin '%s' cannot run this request",
		i->plugin->desc.name);
	guard_clean_err(said, fallback);
	err_set_name(err, -WQ_E_REFUSED, said->name[0] ? said->name : "rejected", "%s", said->text);
	return WQ_REJECT;
}

int instance_validate(struct instance *i, const struct instance_task *task, struct wq_err *err)
{
	struct wq_err said;
	if (!i->plugin->desc.validate)
		return WQ_OK;
	struct wq_task info = to_wq_task(task);
	guard_enter(i, "validate");
	int32_t rc = i->plugin->desc.validate(i->self, &info, guard_empty_err(&said));
	guard_leave(i);
	if (rc == WQ_OK)
		return WQ_OK;
	return rc == WQ_REJECT ? rejected(i, &said, err)
			       : guard_fault(i, "validate", rc, &said, err);
}

/* In the table before start_task: a thread of the plugin may log about it at once. */
struct plugin_task *instance_add_task(struct instance *i, const struct instance_task *task)
{
	struct wq_task info = to_wq_task(task);
	struct plugin_task *t = task_new(&info, i->plugin->desc.task_size);
	if (!t)
		return NULL;
	t->ref = task->ref;
	pthread_mutex_lock(&i->lock);
	int rc = task_table_add(&i->tasks, t);
	pthread_mutex_unlock(&i->lock);
	if (rc == 0)
		return t;
	task_free(t);
	return NULL;
}

void instance_remove_task(struct instance *i, struct plugin_task *t)
{
	pthread_mutex_lock(&i->lock);
	task_table_remove(&i->tasks, t);
	pthread_mutex_unlock(&i->lock);
	if (i->children)
		children_task_over(i->children, i, t->info.tid);
}

static int not_started(struct instance *i, int32_t rc, struct wq_err *said, int64_t *ret_delay_ms,
	struct wq_err *err)
{
	switch (rc) {
	case WQ_BUSY:
		/* What the shepherd has no room for is not the plugin's promise. */
		if (i->promised > 0 && !i->spawn_was_busy)
			guard_strike(i, INSTANCE_STRIKE_OVERPROMISE, "start_task",
				"answered busy where has_capacity had answered %d more",
				i->promised);
		i->promised = 0;
		return WQ_BUSY;
	case WQ_RETRY:
		*ret_delay_ms = said->code > 0 ? said->code : RETRY_DEFAULT_MS;
		return WQ_RETRY;
	case WQ_REJECT:
		return rejected(i, said, err);
	default:
		return guard_fault(i, "start_task", rc, said, err);
	}
}

int instance_start_task(struct instance *i, const struct instance_task *task, wq_tid *ret_tid,
	int64_t *ret_delay_ms, struct wq_err *err)
{
	struct wq_err said;
	if (i->quarantined)
		return err_set(err, -WQ_E_REFUSED, "task manager '%s' is quarantined", i->name);
	if (i->state != INSTANCE_STARTED)
		return err_set(err, -WQ_E_STATE, "task manager '%s' does not run", i->name);
	if (i->is_recovering)
		return err_set(
			err, -WQ_E_STATE, "task manager '%s' has not recovered yet", i->name);
	struct plugin_task *t = instance_add_task(i, task);
	if (!t)
		return err_set(err, -ENOMEM, "task manager '%s'", i->name);

	i->spawn_was_busy = false;
	guard_enter(i, "start_task");
	int32_t rc = i->plugin->desc.start_task(i->self, &t->info, guard_empty_err(&said));
	guard_leave(i);
	t->info.request = (struct wq_bytes){ 0 };

	if (rc == WQ_OK) {
		if (i->promised > 0)
			i->promised--;
		*ret_tid = t->info.tid;
		instance_tick_soon(i);
		return WQ_OK;
	}
	instance_remove_task(i, t);
	if (i->children)
		children_ack(i->children, t->info.name); /* nothing is to be told of it */
	task_free(t);
	return not_started(i, rc, &said, ret_delay_ms, err);
}

int instance_terminate(struct instance *i, wq_tid tid, uint32_t how)
{
	struct wq_err said;
	const struct plugin_task *t = task_table_find(&i->tasks, tid);
	if (!t)
		return -WQ_E_UNKNOWN;
	guard_enter(i, "terminate");
	int32_t rc = i->plugin->desc.terminate(i->self, &t->info, how);
	guard_leave(i);
	instance_tick_soon(i);
	return rc == WQ_OK ? 0 : guard_fault(i, "terminate", rc, guard_empty_err(&said), NULL);
}

void instance_ack(struct instance *i, wq_tid tid)
{
	if (!i->plugin->desc.ack)
		return;
	guard_enter(i, "ack");
	i->plugin->desc.ack(i->self, tid);
	guard_leave(i);
}
