/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of a task that a crash has taken: on-crash of wq.conf, which a request may narrow.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Its tasks can be found again, as far as the plugin says. */
static bool can_adopt(const struct task_manager *tm)
{
	return tm->plugin->desc.recover != NULL;
}

int policy_load(struct server *s, struct task_manager *tm, const struct problem_at *section,
	struct problems *p)
{
	struct config_tm *c = &s->config.tms[tm->index];
	if (!c->on_crash) {
		c->on_crash = strdup(on_crash_name(can_adopt(tm) ? ON_CRASH_ADOPT : ON_CRASH_FAIL));
		if (!c->on_crash)
			return -ENOMEM;
	}
	tm->on_crash = (enum on_crash)on_crash_parse(c->on_crash);
	if (tm->on_crash != ON_CRASH_ADOPT || can_adopt(tm))
		return 0;
	struct problem_at at = *section;
	at.line = c->on_crash_line;
	at.key = "on-crash";
	at.value = c->on_crash;
	problems_add(p, &at,
		"tasks of the plugin '%s' end with the server, so none can be adopted; it must be "
		"'fail' or 'requeue'",
		tm->plugin->desc.name);
	return -WQ_E_CONFIG;
}

enum on_crash policy_of(const struct server *s, int tm, const struct request *req)
{
	enum on_crash most = tm >= 0 ? s->tms[tm].on_crash : ON_CRASH_FAIL;
	return req->on_crash != ON_CRASH_UNSAID && req->on_crash < most ? req->on_crash : most;
}

int policy_check(const struct server *s, int tm, const struct request *req, struct wq_err *err)
{
	enum on_crash most = s->tms[tm].on_crash;
	if (req->on_crash <= most)
		return 0;
	return err_set_name(err, -WQ_E_REFUSED, "on-crash-too-wide",
		"'on-crash' is '%s', and task manager '%s' allows no more than '%s'",
		on_crash_name(req->on_crash), s->config.tms[tm].name, on_crash_name(most));
}

/* It may itself be what crashes. */
static void give_up(struct task *task, int64_t max_attempts)
{
	char text[WQ_ERR_TEXT_SIZE];
	snprintf(text, sizeof text, "lost in attempt %u, and no more than %lld are made: %s",
		task->attempt, (long long)max_attempts, task->text);
	task_set_outcome(task, RESULT_LOST, "poison", text);
}

void policy_lost(struct server *s, struct task *task)
{
	int64_t now = time_mono_ns();
	bool again = task->tm >= 0 && task->on_crash == ON_CRASH_REQUEUE && !task->over_limit;
	task->lost = TASK_NOT_LOST;
	task->ended_ns = task->ended_ns ? task->ended_ns : now;
	if (again && task->attempt < s->tms[task->tm].config->max_attempts) {
		log_notice("%s: attempt %u was lost, starting it again: %s", ID_TEXT(task->id),
			task->attempt, task->text);
		metrics_count_tm(&s->metrics, task->tm, METRICS_REQUEUED);
		task->again = true;
		sched_not_begun(s->sched, task->id, now);
		return;
	}
	if (again)
		give_up(task, s->tms[task->tm].config->max_attempts);
	log_info("%s: lost: %s", ID_TEXT(task->id), task->text);
	sched_ended(s->sched, task->id, now);
}
