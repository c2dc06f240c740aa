/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/instance_priv.h"

#include <wq/cbor.h>

#include "base/err.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

enum {
	BAD_REAPS_MAX = 16, /* in one call; an endless row of wrong ones must not hold the loop */
	CODE_MAX = 255,
	SIGNAL_MAX = 64
};

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

static bool is_good_result(const struct wq_bytes *r, struct wq_err *why)
{
	size_t used = 0;
	if (r->len == 0)
		return true;
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

/*
 * How large a result becomes may be up to the client, so this is no reason to stop the task manager.
 * A failure stays the failure that it was: its result only says more of it.  Nobody looks into what
 * is too large, for that takes time.
 */
static void drop_result(struct instance *i, struct wq_outcome *o)
{
	char why[128];
	snprintf(why, sizeof why, "its result of %zu bytes is above the result-limit of %zu",
		o->result.len, i->result_limit);
	guard_strike(i, INSTANCE_STRIKE_LARGE_RESULT, "reap", "gave back task %llu: %s",
		(unsigned long long)o->tid, why);
	o->result = (struct wq_bytes){ 0 };
	if (o->how == WQ_DONE_OK) {
		o->how = WQ_DONE_FAILED;
		o->error = "result-too-large";
		o->text = why;
		clean_outcome(i, o);
		return;
	}
	clean_outcome(i, o);
	size_t used = strlen(i->outcome_text);
	snprintf(i->outcome_text + used, sizeof i->outcome_text - used, " (%s)", why);
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
	} else if (o->result.len > i->result_limit) {
		drop_result(i, o);
	} else if (!is_good_result(&o->result, guard_empty_err(&why))) {
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
		(void)guard_fault(i, "reap", rc, guard_empty_err(&said), NULL);
		return 0;
	}
	struct plugin_task *t = task_table_find(&i->tasks, o->tid);
	if (!t) {
		refuse_outcome(i, o->tid);
		return -1;
	}
	instance_remove_task(i, t);
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
