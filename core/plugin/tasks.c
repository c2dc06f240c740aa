/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/tasks.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_SLOTS = 16
};

/* Of the process, so that one instance's numbers are never another's. */
static _Atomic uint64_t last_tid;

static const char *add_text(char **to, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = memcpy(*to, text, size);
	*to += size;
	return copy;
}

struct plugin_task *task_new(const struct wq_task *info, uint32_t state_size)
{
	struct plugin_task *t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	t->info = *info;
	t->info.struct_size = sizeof t->info;
	t->permille = -1;
	t->texts = malloc(strlen(info->id) + strlen(info->name) + strlen(info->key) +
			  strlen(info->label) + (info->work_dir ? strlen(info->work_dir) : 0) + 5);
	t->info.state = state_size ? calloc(1, state_size) : NULL;
	if (!t->texts || (state_size && !t->info.state)) {
		task_free(t);
		return NULL;
	}
	char *to = t->texts;
	t->info.id = add_text(&to, info->id);
	t->info.name = add_text(&to, info->name);
	t->info.key = add_text(&to, info->key);
	t->info.label = add_text(&to, info->label);
	if (info->work_dir)
		t->info.work_dir = add_text(&to, info->work_dir);
	t->info.tid = ++last_tid;
	return t;
}

void task_free(struct plugin_task *t)
{
	if (!t)
		return;
	free(t->info.state);
	free(t->texts);
	free(t);
}

/* Numbers come one after the other, so the number itself spreads well. */
static struct plugin_task **slot_of(const struct task_table *tt, wq_tid tid)
{
	return &tt->slots[tid & (tt->n_slots - 1)];
}

static int grow(struct task_table *tt)
{
	struct task_table wider = { .n_slots = tt->n_slots ? 2 * tt->n_slots : FIRST_SLOTS };
	wider.slots = calloc(wider.n_slots, sizeof(*wider.slots));
	if (!wider.slots)
		return -ENOMEM;
	for (size_t i = 0; i < tt->n_slots; i++) {
		for (struct plugin_task *t = tt->slots[i], *next; t; t = next) {
			next = t->next;
			struct plugin_task **slot = slot_of(&wider, t->info.tid);
			t->next = *slot;
			*slot = t;
		}
	}
	wider.n = tt->n;
	free(tt->slots);
	*tt = wider;
	return 0;
}

int task_table_add(struct task_table *tt, struct plugin_task *t)
{
	if (tt->n == tt->n_slots && grow(tt) < 0)
		return -ENOMEM;
	struct plugin_task **slot = slot_of(tt, t->info.tid);
	t->next = *slot;
	*slot = t;
	tt->n++;
	return 0;
}

struct plugin_task *task_table_find(const struct task_table *tt, wq_tid tid)
{
	if (tt->n_slots == 0)
		return NULL;
	struct plugin_task *t = *slot_of(tt, tid);
	while (t && t->info.tid != tid)
		t = t->next;
	return t;
}

void task_table_remove(struct task_table *tt, struct plugin_task *t)
{
	struct plugin_task **p = slot_of(tt, t->info.tid);
	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	t->next = NULL;
	tt->n--;
}

void task_table_fini(struct task_table *tt)
{
	for (size_t i = 0; i < tt->n_slots; i++) {
		for (struct plugin_task *t = tt->slots[i], *next; t; t = next) {
			next = t->next;
			task_free(t);
		}
	}
	free(tt->slots);
	*tt = (struct task_table){ 0 };
}
