/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plugin/tasks: the tasks that an instance has accepted and not given back, by number.  Private to
 * core/plugin.  The loop thread alone changes the table; others may look while they hold the
 * instance's lock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wq/plugin.h>

enum {
	PROGRESS_TEXT_MAX = 159
};

struct plugin_task {
	struct wq_task info; /* what its plugin sees; the texts are in `texts` */
	struct plugin_task *next;
	uint32_t ref;     /* of the host of the host */
	int32_t permille; /* -1: none */
	char progress[PROGRESS_TEXT_MAX + 1];
	char *texts;
};

struct task_table {
	struct plugin_task **slots; /* chains, a power of two of them */
	size_t n_slots;
	size_t n;
};

/* A task with a new number, copies of the texts and `state_size` zeroed bytes.  NULL: no memory. */
struct plugin_task *task_new(const struct wq_task *info, uint32_t state_size);
void task_free(struct plugin_task *t);

int task_table_add(struct task_table *tt, struct plugin_task *t); /* 0 or -ENOMEM */
struct plugin_task *task_table_find(const struct task_table *tt, wq_tid tid);
void task_table_remove(struct task_table *tt, struct plugin_task *t);
void task_table_fini(struct task_table *tt); /* frees the tasks too */
