/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/instance_priv.h"

#include <wq/cbor.h>

#include "base/err.h"
#include "base/time.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	RETRY_DEFAULT_MS = 1000,
	BAD_REAPS_MAX = 16, /* in one call; an endless row of wrong ones must not hold the loop */
	CODE_MAX = 255,
	SIGNAL_MAX = 64,
};

/* A tick that always answers "now" would keep the loop from sleeping. */
static const int64_t TICK_MIN_NS = NS_PER_MS;

/* ---- what plugins say ------------------------------------------------------------------------ */

/* The err that a plugin filled, made safe; `fallback` where it said nothing. */
static void clean_err(struct wq_err *said, const char *fallback)
{
	said->name[sizeof said->name - 1] = '\0';
	said->text[sizeof said->text - 1] = '\0';
	if (said->name[0] && !guard_is_error_name(said->name, sizeof said->name - 1))
		snprintf(said->name, sizeof said->name, "plugin-error");
	utf8_clean(said->text);
	if (!said->text[0])
		snprintf(said->text, sizeof said->text, "%s", fallback);
}

/* An answer below 0, or one that is not known: a strike, and the code for our caller. */
static int fault(
	struct instance *i, const char *op, int32_t rc, struct wq_err *said, struct wq_err *err)
{
	char fallback[64];
	snprintf(fallback, sizeof fallback, "answered %d%s%s%s", rc, rc < 0 ? " (" : "",
		rc < 0 ? err_code_name(rc) : "", rc < 0 ? ")" : "");
	clean_err(said, fallback);
	if (rc >= 0) {
		guard_strike(i, INSTANCE_STRIKE_UNKNOWN_ANSWER, op,
			"answered %d, which means nothing", rc);
		rc = -WQ_E_FAULT;
	} else {
		guard_strike(i, INSTANCE_STRIKE_FAULT, op, "%s", said->text);
	}
	/* Its text may already contain that of an errno, so no second one is wanted. */
	err_set_name(err, -WQ_E_FAULT, said->name, "task manager '%s' (plugin '%s'): %s: %s",
		i->name, i->plugin->desc.name, op, said->text);
	if (err)
		err->code = rc;
	return rc;
}

static struct wq_err *empty_err(struct wq_err *e)
{
	*e = (struct wq_err){ .struct_size = sizeof *e };
	return e;
}

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
	int32_t rc = i->plugin->desc.create(i->self, &i->host, &i->config, empty_err(&said));
	guard_leave(i);
	if (rc == WQ_OK)
		return 0;
	clean_err(&said, "create failed");
	if (rc > 0)
		rc = -WQ_E_FAULT;
	err_set_name(
		err, -WQ_E_FAULT, said.name, "plugin '%s': %s", i->plugin->desc.name, said.text);
	if (err)
		err->code = rc;
	return rc;
}

int instance_new(struct instance **ret, const struct plugin *p, const char *name,
	const struct option_values *values, struct loop *loop, size_t result_limit,
	const struct instance_events *events, struct wq_err *err)
{
	struct instance *i = calloc(1, sizeof *i);
	if (!i)
		return err_set(err, -ENOMEM, "plugin '%s'", p->desc.name);
	*i = (struct instance){ .plugin = p,
		.loop = loop,
		.result_limit = result_limit,
		.events = *events,
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
			.values = values ? values->values : NULL };
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
		rc = i->plugin->desc.start(i->self, empty_err(&said));
		guard_leave(i);
	}
	if (rc != WQ_OK) {
		i->state = INSTANCE_FAILED;
		return fault(i, "start", rc, &said, err);
	}
	i->state = INSTANCE_STARTED;
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
	return rc == WQ_OK ? 0 : fault(i, "stop", rc, empty_err(&said), NULL);
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

size_t instance_running(const struct instance *i)
{
	return i->tasks.n;
}

int32_t instance_has_capacity(struct instance *i)
{
	i->promised = 0;
	if (i->state != INSTANCE_STARTED || i->quarantined)
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
		.request = task->request };
}

static int rejected(struct instance *i, struct wq_err *said, struct wq_err *err)
{
	char fallback[128];
	snprintf(fallback, sizeof fallback, "the plugin '%s' cannot run this request",
		i->plugin->desc.name);
	clean_err(said, fallback);
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
	int32_t rc = i->plugin->desc.validate(i->self, &info, empty_err(&said));
	guard_leave(i);
	if (rc == WQ_OK)
		return WQ_OK;
	return rc == WQ_REJECT ? rejected(i, &said, err) : fault(i, "validate", rc, &said, err);
}

/* In the table before start_task: a thread of the plugin may log about it at once. */
static struct plugin_task *add_task(struct instance *i, const struct instance_task *task)
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

static void remove_task(struct instance *i, struct plugin_task *t)
{
	pthread_mutex_lock(&i->lock);
	task_table_remove(&i->tasks, t);
	pthread_mutex_unlock(&i->lock);
}

static int not_started(struct instance *i, int32_t rc, struct wq_err *said, int64_t *ret_delay_ms,
	struct wq_err *err)
{
	switch (rc) {
	case WQ_BUSY:
		if (i->promised > 0)
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
		return fault(i, "start_task", rc, said, err);
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
	struct plugin_task *t = add_task(i, task);
	if (!t)
		return err_set(err, -ENOMEM, "task manager '%s'", i->name);

	guard_enter(i, "start_task");
	int32_t rc = i->plugin->desc.start_task(i->self, &t->info, empty_err(&said));
	guard_leave(i);
	t->info.request = (struct wq_bytes){ 0 };

	if (rc == WQ_OK) {
		if (i->promised > 0)
			i->promised--;
		*ret_tid = t->info.tid;
		instance_tick_soon(i);
		return WQ_OK;
	}
	remove_task(i, t);
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
	return rc == WQ_OK ? 0 : fault(i, "terminate", rc, empty_err(&said), NULL);
}

void instance_ack(struct instance *i, wq_tid tid)
{
	if (!i->plugin->desc.ack)
		return;
	guard_enter(i, "ack");
	i->plugin->desc.ack(i->self, tid);
	guard_leave(i);
}

/* ---- reap ------------------------------------------------------------------------------------ */

static const struct {
	const char *error, *text;
} outcomes[] = {
	[WQ_DONE_OK] = { NULL, NULL },
	[WQ_DONE_FAILED] = { "failed", "the task failed" },
	[WQ_DONE_ABORTED] = { "aborted", "the task was aborted" },
	[WQ_DONE_LOST] = { "lost", "how the task ended cannot be known" },
	[WQ_DONE_REJECTED] = { "rejected", "the request cannot be run" },
	[WQ_DONE_NOT_STARTED] = { "not-started", "the task never began" },
	[WQ_DONE_KILLED] = { "killed", "the task was ended" },
};

static bool is_known_outcome(int32_t how)
{
	return how >= WQ_DONE_OK && how < (int32_t)(sizeof outcomes / sizeof *outcomes);
}

static bool is_good_result(const struct instance *i, const struct wq_bytes *r, struct wq_err *why)
{
	size_t used = 0;
	if (r->len == 0)
		return true;
	if (r->len > i->result_limit) {
		err_set(why, -WQ_E_LIMIT, "%zu bytes are more than the limit of %zu", r->len,
			i->result_limit);
		return false;
	}
	if (!r->ptr) {
		err_set(why, -WQ_E_FORMAT, "%zu bytes at NULL", r->len);
		return false;
	}
	if (wq_cbor_check(r->ptr, r->len, NULL, &used, why) < 0)
		return false;
	if (used == r->len)
		return true;
	err_set(why, -WQ_E_FORMAT, "CBOR: one item of %zu bytes, then %zu bytes more", used,
		r->len - used);
	return false;
}

/* The client must not wait for ever because its plugin is broken: it gets an error result. */
static void replace_outcome(struct instance *i, struct wq_outcome *o, const char *why)
{
	o->how = WQ_DONE_FAILED;
	o->result = (struct wq_bytes){ 0 };
	o->code = 0;
	o->signal = 0;
	o->retry_after_ms = 0;
	snprintf(i->outcome_error, sizeof i->outcome_error, "plugin-bad-result");
	snprintf(i->outcome_text, sizeof i->outcome_text, "the plugin '%s' gave back %s",
		i->plugin->desc.name, why);
	o->error = i->outcome_error;
	o->text = i->outcome_text;
}

static void clean_outcome(struct instance *i, struct wq_outcome *o)
{
	if (o->code < 0 || o->code > CODE_MAX)
		o->code = CODE_MAX;
	if (o->signal < 0 || o->signal > SIGNAL_MAX)
		o->signal = 0;
	if (o->how == WQ_DONE_OK) {
		o->error = o->text = NULL;
		return;
	}
	const char *error = o->error ? o->error : outcomes[o->how].error;
	if (!guard_is_error_name(error, sizeof i->outcome_error - 1))
		error = "plugin-error";
	snprintf(i->outcome_error, sizeof i->outcome_error, "%s", error);
	snprintf(i->outcome_text, sizeof i->outcome_text, "%s",
		o->text && *o->text ? o->text : outcomes[o->how].text);
	utf8_clean(i->outcome_text);
	o->error = i->outcome_error;
	o->text = i->outcome_text;
}

static void check_outcome(struct instance *i, struct wq_outcome *o)
{
	struct wq_err why;
	char text[sizeof why.text + 32];
	o->struct_size = sizeof *o;
	o->reserved = 0;
	if (!is_known_outcome(o->how)) {
		guard_strike(i, INSTANCE_STRIKE_BAD_OUTCOME, "reap",
			"gave back task %llu with outcome %d, which means nothing",
			(unsigned long long)o->tid, o->how);
		snprintf(text, sizeof text, "the unknown outcome %d", o->how);
		replace_outcome(i, o, text);
	} else if (!is_good_result(i, &o->result, empty_err(&why))) {
		guard_strike(i, INSTANCE_STRIKE_BAD_RESULT, "reap",
			"gave back task %llu with a bad result: %s", (unsigned long long)o->tid,
			why.text);
		snprintf(text, sizeof text, "a bad result: %s", why.text);
		replace_outcome(i, o, text);
	} else {
		clean_outcome(i, o);
	}
}

static void refuse_outcome(struct instance *i, wq_tid tid)
{
	size_t n = i->n_recent < RECENT_MAX ? i->n_recent : RECENT_MAX;
	for (size_t k = 0; k < n; k++) {
		if (i->recent[k] == tid) {
			guard_strike(i, INSTANCE_STRIKE_TWICE, "reap", "gave back task %llu twice",
				(unsigned long long)tid);
			return;
		}
	}
	guard_strike(i, INSTANCE_STRIKE_UNKNOWN_TASK, "reap",
		"gave back task %llu, which is not its own", (unsigned long long)tid);
}

/* 1 with a task of ours taken out of the table, 0: no more, -1: something else; ask again. */
static int reap_one(struct instance *i, struct wq_outcome *o)
{
	struct wq_err said;
	*o = (struct wq_outcome){ .struct_size = sizeof *o };
	guard_enter(i, "reap");
	int32_t rc = i->plugin->desc.reap(i->self, o);
	guard_leave(i);
	if (rc == 0)
		return 0;
	if (rc != 1) {
		(void)fault(i, "reap", rc, empty_err(&said), NULL);
		return 0;
	}
	struct plugin_task *t = task_table_find(&i->tasks, o->tid);
	if (!t) {
		refuse_outcome(i, o->tid);
		return -1;
	}
	remove_task(i, t);
	i->reaped = t;
	i->recent[i->n_recent++ % RECENT_MAX] = o->tid;
	return 1;
}

int instance_reap(struct instance *i, struct wq_outcome *ret)
{
	struct wq_outcome o;
	if (i->state != INSTANCE_STARTED && i->state != INSTANCE_STOPPED)
		return 0;
	for (int n = 0; n < BAD_REAPS_MAX; n++) {
		int rc = reap_one(i, &o);
		if (rc == 0)
			return 0;
		if (rc > 0) {
			check_outcome(i, &o);
			*ret = o;
			return 1;
		}
	}
	return 0;
}

uint32_t instance_reaped_ref(const struct instance *i)
{
	wq_check(i->reaped);
	return i->reaped->ref;
}
