/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What wq.sock answers: "status", "metrics", and in the files of their names "set" (settings.c) and
 * "forget".  docs/wq-control.cddl.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"
#include "control/control.h"

#include <wq/cbor.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* An answer must fit into one message, whatever runs; the rest of it is left this much. */
enum {
	RUNNING_MAX_BYTES = CONTROL_ANSWER_MAX - 64 * 1024
};

/* What fails is tried again after a second, so an error that is older is over. */
#define TROUBLE_NS (2 * NS_PER_S)

static void put_number(struct wq_cbor_out *out, const char *key, int64_t value)
{
	wq_cbor_put_text(out, key);
	wq_cbor_put_int(out, value);
}

static void put_task_manager(const struct server *s, uint32_t i, struct wq_cbor_out *out)
{
	static const char *const whys[] = {
		[SCHED_WHY_READY] = "ready",
		[SCHED_WHY_MAX_RUNNING] = "max-running",
		[SCHED_WHY_NO_CAPACITY] = "no-capacity",
		[SCHED_WHY_HELD] = "held",
		[SCHED_WHY_STOPPING] = "stopping",
		[SCHED_WHY_NO_SPACE] = "no-space",
		[SCHED_WHY_RECOVERING] = "recovering",
		[SCHED_WHY_SUSPENDED] = "suspended",
	};
	const struct task_manager *tm = &s->tms[i];
	struct sched_tm_state state;
	sched_tm_state(s->sched, i, time_mono_ns(), &state);
	bool quarantined = instance_is_quarantined(tm->instance);
	wq_cbor_put_map(out, 10);
	wq_cbor_put_pair(out, "name", tm->config->name);
	put_number(out, "lost", lost_count(s, i));
	wq_cbor_put_text(out, "late");
	wq_cbor_put_bool(out, tm->is_late);
	wq_cbor_put_pair(out, "plugin", tm->plugin->desc.name);
	wq_cbor_put_pair(out, "on-crash", on_crash_name(tm->on_crash));
	put_number(out, "max-running", sched_max_running(s->sched, i));
	put_number(out, "running", state.running);
	put_number(out, "waiting", state.waiting);
	wq_cbor_put_pair(out, "why", quarantined ? "quarantined" : whys[state.why]);
	put_number(out, "strikes", (int64_t)instance_strikes(tm->instance));
}

/* What is known of it, where that is less than that it runs. */
static const char *fate_of(const struct task *task)
{
	static const char *const lost[] = {
		[TASK_NOT_LOST] = "running",
		[TASK_LOST_UNSEEN] = "unseen",
		[TASK_LOST_CLEARING] = "clearing",
		[TASK_LOST_UNKNOWN] = "unknown",
	};
	return task->adopting ? "recovering" : lost[task->lost];
}

static void put_running(const struct server *s, const struct task *task, struct wq_cbor_out *out)
{
	char text[256] = "";
	const struct task_manager *tm = task->tm >= 0 ? &s->tms[task->tm] : NULL;
	int32_t permille = tm ? instance_progress(tm->instance, task->tid, text, sizeof text) : -1;
	if (task->lost)
		snprintf(text, sizeof text, "%s", task->text);
	wq_cbor_put_map(out, 9);
	wq_cbor_put_pair(out, "id", ID_TEXT(task->id));
	wq_cbor_put_pair(out, "fate", fate_of(task));
	put_number(out, "attempt", task->attempt);
	wq_cbor_put_pair(out, "task-manager", tm ? tm->config->name : "");
	wq_cbor_put_pair(out, "label", task->label);
	wq_cbor_put_pair(out, "key", task->key);
	put_number(out, "since-us", time_wall_us_at(task->started_ns));
	put_number(out, "permille", permille);
	wq_cbor_put_pair(out, "progress", text);
}

static int answer_status(const struct server *s, struct buf *ret)
{
	struct wq_cbor_out out, running;
	struct sched_counts c = sched_counts(s->sched);
	uint64_t shown = 0;
	char reason[128], trouble[LOG_ERROR_MAX];
	wq_cbor_out_init(&running);
	for (const struct task *t = tasks_next(&s->tasks, 0); t; t = tasks_next(&s->tasks, t->ref))
		if ((t->started_ns || t->lost) && (!t->ended_ns || t->lost) &&
			running.len < RUNNING_MAX_BYTES) {
			put_running(s, t, &running);
			shown++;
		}
	wq_cbor_out_init(&out);
	wq_cbor_put_map(&out, s->children ? 18 : 16);
	wq_cbor_put_pair(&out, "version", WQ_VERSION);
	put_number(&out, "pid", getpid());
	put_number(&out, "started-us", s->started_us);
	wq_cbor_put_text(&out, "accepting");
	wq_cbor_put_bool(&out, !page_why(s)[0]);
	wq_cbor_put_pair(&out, "why", page_why(s));
	wq_cbor_put_pair(&out, "reason", page_reason(s, reason, sizeof reason));
	log_last_error(TROUBLE_NS, trouble);
	wq_cbor_put_pair(&out, "trouble", trouble);
	put_number(&out, "depth", (int64_t)c.seen + c.pending);
	put_number(&out, "queue-limit", s->config.queue_limit);
	wq_cbor_put_pair(&out, "durability", s->config.durability);
	wq_cbor_put_pair(&out, "config", s->config.file);
	if (s->children) {
		bool up = children_is_up(s->children);
		wq_cbor_put_text(&out, "shepherd");
		wq_cbor_put_bool(&out, up);
		wq_cbor_put_pair(&out, "containment", children_containment(s->children));
	}
	put_number(&out, "requested", c.seen);
	put_number(&out, "unsorted", c.unsorted);
	put_number(&out, "n-running", c.running);
	wq_cbor_put_text(&out, "task-managers");
	wq_cbor_put_array(&out, s->n_tms);
	for (uint32_t i = 0; i < s->n_tms; i++)
		put_task_manager(s, i, &out);
	wq_cbor_put_text(&out, "running");
	wq_cbor_put_array(&out, shown);
	wq_cbor_put_raw(&out, running.buf, running.len);
	int rc = out.err || running.err ? -ENOMEM : buf_add(ret, out.buf, out.len);
	wq_cbor_out_free(&running);
	wq_cbor_out_free(&out);
	return rc;
}

int answer_question(void *server, uid_t uid, const char *what, struct wq_bytes args,
	struct buf *ret, struct wq_err *err)
{
	struct server *s = server;
	if (strcmp(what, "set") == 0)
		return settings_answer(s, args, ret, err);
	if (strcmp(what, "forget") == 0)
		return forget_answer(s, uid, args, ret, err);
	if (strcmp(what, "status") == 0)
		return answer_status(s, ret);
	if (strcmp(what, "metrics") == 0)
		return metrics_answer(s, ret);
	return err_set_name(err, -WQ_E_UNSUPPORTED, "unknown-question",
		"'%s' is not known here; known are 'status', 'metrics', 'set' and 'forget'", what);
}
