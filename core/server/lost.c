/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tasks that are lost.  One keeps its slot, and nothing is said or started of it, until it is certain
 * that nothing of it runs any more: by the word of its task manager, and when wq-shepherd has ended
 * what children it had.  No time that passes makes that certain; the operator may say that it does
 * not matter.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"
#include "spool/move.h"
#include "spool/work.h"

#include <wq/cbor.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A child has a work directory, made before its task was started; but a task may remove its own. */
bool lost_may_have_children(const struct server *s, const struct task *task)
{
	if (!s->children || task->attempt == 0)
		return false;
	if (task->tm >= 0 && (s->tms[task->tm].plugin->desc.caps & WQ_CAP_CHILDREN))
		return true;
	return work_exists(&s->spool, task->id, task->attempt) != 0;
}

/* Is there nothing of its children left, as far as that can be said? */
static bool end_children(struct server *s, struct task *task)
{
	char name[TASK_NAME_MAX];
	if (!lost_may_have_children(s, task))
		return true;
	if (!children_is_up(s->children)) {
		task->lost = TASK_LOST_UNSEEN;
		return false;
	}
	size_t left = children_clear(s->children, task_name(task, s->spool.uuid, name));
	if (left && task->lost != TASK_LOST_CLEARING)
		log_notice("%s: it is lost, but %zu children of it run; ending them",
			ID_TEXT(task->id), left);
	if (left)
		task->lost = TASK_LOST_CLEARING;
	return left == 0;
}

static void look(struct server *s, struct task *task)
{
	if (!end_children(s, task))
		return;
	if (task->proved) {
		policy_lost(s, task);
		return;
	}
	task->lost = TASK_LOST_UNKNOWN;
	log_warn("%s: nobody can say whether it still runs, so it keeps its slot, until the next "
		 "start "
		 "or 'wq abort --forget': %s",
		ID_TEXT(task->id), task->text);
}

void lost_lose(
	struct server *s, struct task *task, bool proved, const char *error, const char *text)
{
	task_set_outcome(task, RESULT_LOST, error, text);
	task->proved = proved;
	look(s, task);
}

void lost_unanswered(struct server *s, struct task *task, const char *text)
{
	char name[TASK_NAME_MAX];
	task_set_outcome(task, RESULT_LOST, "server-restart", text);
	task->lost = TASK_LOST_UNKNOWN;
	if (s->children)
		children_leave(s->children, task_name(task, s->spool.uuid, name));
	log_warn("%s: %s; it keeps its slot, until the next start or 'wq abort --forget'",
		ID_TEXT(task->id), text);
}

void lost_reaped(struct server *s, struct task *task)
{
	task->proved = true;
	look(s, task);
}

void lost_look(struct server *s)
{
	struct task *t = tasks_next(&s->tasks, 0);
	for (; t; t = tasks_next(&s->tasks, t->ref))
		if (t->lost == TASK_LOST_UNSEEN || t->lost == TASK_LOST_CLEARING)
			look(s, t);
}

unsigned lost_count(const struct server *s, uint32_t tm)
{
	unsigned n = 0;
	const struct task *t = tasks_next(&s->tasks, 0);
	for (; t; t = tasks_next(&s->tasks, t->ref))
		n += t->lost && (t->tm >= 0 ? (uint32_t)t->tm : s->default_tm) == tm;
	return n;
}
