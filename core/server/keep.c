/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stays of a task when it is over, its work directory; and the end of what was kept for a
 * crash.
 */
#include "server/server.h"

#include "base/log.h"
#include "base/time.h"
#include "spool/work.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void keep_find_work(const struct server *s, const struct task *task, char *ret, size_t size)
{
	char name[WORK_NAME_SIZE];
	snprintf(
		ret, size, "%s/work/%s", s->config.spool, work_name(task->id, task->attempt, name));
}

int keep_make_work(struct server *s, struct task *task, char *ret, size_t size)
{
	/* It is told to others by its path. */
	if (!whereabouts_root(s))
		return -ESTALE;
	int rc = work_make(&s->spool, task->id, task->attempt);
	if (rc < 0)
		return rc;
	task->has_work = true;
	keep_find_work(s, task, ret, size);
	return 0;
}

static void remove_work(struct server *s, struct task *task)
{
	if (!task->has_work)
		return;
	task->has_work = false;
	int rc = work_remove(&s->spool, task->id, task->attempt);
	if (rc < 0) /* the next round of retain.c tries again */
		log_warn("%s: its work directory cannot be removed: %s", ID_TEXT(task->id),
			strerror(-rc));
}

/* What its plugin and the shepherd keep so that a crash loses nothing is of no more use. */
static void acknowledge(struct server *s, struct task *task)
{
	char name[TASK_NAME_MAX];
	if (task->has_handle)
		(void)work_drop_handle(&s->spool, task->id, task->attempt);
	if (task->tid)
		instance_ack(s->tms[task->tm].instance, task->tid);
	if (task->attempt && s->children)
		children_ack(s->children, task_name(task, s->spool.uuid, name));
}

static bool keeps_work(const struct server *s, const struct task *task, bool ok)
{
	const char *how = task->tm >= 0 ? s->tms[task->tm].config->keep_work : "never";
	return strcmp(how, "never") != 0 && !(ok && strcmp(how, "failed") == 0);
}

void keep_after(struct server *s, struct task *task)
{
	acknowledge(s, task);
	if (!keeps_work(s, task, task->status == RESULT_OK)) {
		remove_work(s, task);
		if (task->attempt > 1)
			keep_no_work(s, task->id);
	}
}

void keep_between(struct server *s, struct task *task)
{
	acknowledge(s, task);
	if (!keeps_work(s, task, false))
		remove_work(s, task);
}

void keep_nothing(struct server *s, struct task *task)
{
	acknowledge(s, task);
	remove_work(s, task);
}

void keep_no_work(struct server *s, struct reqid id)
{
	bool any = false;
	for (uint32_t i = 0; i < s->n_tms; i++)
		any = any || (s->tms[i].plugin->desc.caps & WQ_CAP_WORK_DIR);
	int rc = any ? work_remove_all(&s->spool, id) : 0;
	if (rc < 0)
		log_warn(
			"%s: its work directory cannot be removed: %s", ID_TEXT(id), strerror(-rc));
}

int64_t keep_now_us(struct server *s)
{
	return age_now_us(&s->age, time_wall_us(), time_mono_ns());
}
