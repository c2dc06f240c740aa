/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/task.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

struct task *tasks_add(struct tasks *t, struct reqid id, int tm)
{
	uint32_t at = t->first_free;
	while (at < t->n && t->slots[at])
		at++;
	if (at == t->cap) {
		uint32_t cap = t->cap ? t->cap * 2 : 64;
		struct task **slots = realloc(t->slots, cap * sizeof *slots);
		if (!slots)
			return NULL;
		t->slots = slots;
		t->cap = cap;
	}
	struct task *task = calloc(1, sizeof *task);
	if (!task)
		return NULL;
	*task = (struct task){ .id = id, .ref = at + 1, .tm = tm };
	if (at == t->n)
		t->n++;
	t->slots[at] = task;
	t->first_free = at + 1;
	return task;
}

struct task *tasks_get(const struct tasks *t, uint32_t ref)
{
	wq_check(ref > 0 && ref <= t->n && t->slots[ref - 1]);
	return t->slots[ref - 1];
}

void tasks_keep(struct tasks *t, struct task *task)
{
	t->n_kept += !task->is_kept;
	task->is_kept = true;
}

void tasks_drop(struct tasks *t, uint32_t ref)
{
	if (ref == 0)
		return;
	struct task *task = tasks_get(t, ref);
	t->n_kept -= task->is_kept;
	buf_fini(&task->payload);
	buf_fini(&task->result);
	free(task);
	t->slots[ref - 1] = NULL;
	if (ref - 1 < t->first_free)
		t->first_free = ref - 1;
}

void tasks_fini(struct tasks *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (t->slots[i])
			tasks_drop(t, i + 1);
	free(t->slots);
	*t = (struct tasks){ 0 };
}

char *task_name(const struct task *task, const char *uuid, char ret[TASK_NAME_MAX])
{
	char id[REQID_SIZE];
	snprintf(ret, TASK_NAME_MAX, "%s.%s.%u", uuid, reqid_format(task->id, id), task->attempt);
	return ret;
}

struct task *tasks_next(const struct tasks *t, uint32_t ref)
{
	for (; ref < t->n; ref++)
		if (t->slots[ref])
			return t->slots[ref];
	return NULL;
}

void task_describe(struct task *task, const struct request *req)
{
	snprintf(task->key, sizeof task->key, "%s", req->key);
	snprintf(task->label, sizeof task->label, "%s", req->label);
	task->keep_for_ns = req->keep_for_ns;
}

void task_set_outcome(
	struct task *task, enum result_status status, const char *error, const char *text)
{
	task->status = status;
	snprintf(task->error, sizeof task->error, "%s", error);
	snprintf(task->text, sizeof task->text, "%s", text);
}
