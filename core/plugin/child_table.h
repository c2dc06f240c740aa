/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plugin/child_table: children by task, by name and by number.  Private to children.c.
 *
 * The children of one task are a family.  A family is found by the name of its task, and by the
 * task's number while an instance has it; a child by its number, and by its name, which is the
 * family's, and "." and a label.  Removing and finding cannot fail.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "shepherd/frame.h"

struct instance;

enum {
	CHILD_TABLE_FIRST_SLOTS = 64
};

/* What all three indexes are made of. */
struct child_node {
	struct child_node *next;
	uint64_t hash;
};

struct child_index {
	struct child_node **slots; /* `first`, or allocated; a power of two of them */
	size_t n_slots;
	size_t n;
	struct child_node *first[CHILD_TABLE_FIRST_SLOTS];
};

enum family_state {
	FAMILY_UNCLAIMED, /* the shepherd told of it, and no task has been given it yet */
	FAMILY_OWNED,     /* `instance` has the task */
	FAMILY_OVER,      /* the task was given back, or there is none: what runs is ended */
	FAMILY_LEFT       /* its instance went away before the task's end, or could not say what is
			   * to become of it: left to itself */
};

struct child {
	struct child_node by_number; /* first: its hash is the number */
	struct family *family;
	LIST_ENTRY(child) sibling;
	TAILQ_ENTRY(child) news; /* in the row of ends that are to be told */
	bool is_news;
	bool has_ended;
	bool was_told;   /* its instance knows the end */
	bool was_listed; /* a shepherd has told of it at least once */
	bool is_imagined; /* stands for what may have been, and was forgotten; the shepherd has none */
	uint32_t end_how; /* WQ_TERM_... that was ordered, or 0 */
	uint32_t end_grace_ms;
	uint32_t grace_ms;     /* of its spawn */
	uint64_t listed_round; /* in which of the listings it was, see children.c */
	pid_t pid;             /* as it was listed; 0: it was not */
	char name[FRAME_NAME_MAX + 1];
	const char *label; /* in `name`, or "" */
	struct wq_child_end end;
	char end_error[WQ_ERR_NAME_SIZE];
	char *end_text; /* or NULL */
};

struct family {
	struct child_node by_name; /* first */
	struct child_node by_tid;
	TAILQ_ENTRY(family) link;
	LIST_HEAD(, child) children;
	enum family_state state;
	bool is_acked;             /* forget each child when it has ended */
	bool is_cleared;           /* somebody waits until none of it runs */
	struct instance *instance; /* FAMILY_OWNED only, with `tid` */
	uint64_t tid;
	size_t name_len;
	char name[FRAME_NAME_MAX + 1];
};

struct child_table {
	TAILQ_HEAD(, family) families;
	struct child_index names, tids, numbers;
	uint64_t key[2]; /* ids are the clients' choice: of a hash that they cannot foresee */
	uint64_t last_number;
	size_t n_running; /* not ended */
};

int child_table_init(struct child_table *t); /* 0 or -errno */
void child_table_fini(struct child_table *t);

/* How much of a child's name is that of its task: up to the fourth '.', or all of it. */
size_t child_task_len(const char *name);

struct family *family_find(const struct child_table *t, const char *name, size_t len);
struct family *family_of_task(const struct child_table *t, uint64_t tid);
/* A new one, FAMILY_UNCLAIMED.  NULL: no memory. */
struct family *family_add(struct child_table *t, const char *name, size_t len);
void family_give(struct child_table *t, struct family *f, struct instance *i, uint64_t tid);
/* It is no instance's any more, but in `state`. */
void family_take(struct child_table *t, struct family *f, enum family_state state);
void family_remove(struct child_table *t, struct family *f); /* it has no children */

struct child *child_find(const struct child_table *t, const char *name);
struct child *child_by_number(const struct child_table *t, uint64_t number);
/* A new one of `f`, whose name begins with the family's, with the next number.  NULL: no memory. */
struct child *child_add(struct child_table *t, struct family *f, const char *name);
void child_remove(struct child_table *t, struct child *ch); /* not while it is news */
static inline uint64_t child_number(const struct child *ch)
{
	return ch->by_number.hash;
}

/* Keep how it ended, with copies of the texts; where memory is short without the long one. */
void child_set_end(struct child_table *t, struct child *ch, const struct wq_child_end *end);
