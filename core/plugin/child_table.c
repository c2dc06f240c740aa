/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/child_table.h"

#include "base/err.h"
#include "base/siphash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	TASK_NAME_PARTS = 4 /* "<uuid>.<seconds>.<the rest of the id>.<attempt>" */
};

/* ---- an index -------------------------------------------------------------------------------- */

static void index_init(struct child_index *x)
{
	*x = (struct child_index){ .n_slots = CHILD_TABLE_FIRST_SLOTS };
	x->slots = x->first;
}

static void index_fini(struct child_index *x)
{
	if (x->slots != x->first)
		free(x->slots);
}

static struct child_node **slot_of(const struct child_index *x, uint64_t hash)
{
	return &x->slots[hash & (x->n_slots - 1)];
}

static void put(const struct child_index *x, struct child_node *node)
{
	struct child_node **slot = slot_of(x, node->hash);
	node->next = *slot;
	*slot = node;
}

/* Without memory the chains grow instead. */
static void widen(struct child_index *x)
{
	size_t n = 2 * x->n_slots;
	struct child_node **wider = calloc(n, sizeof(*wider));
	struct child_node **old = x->slots;
	size_t n_old = x->n_slots;
	if (!wider)
		return;
	x->slots = wider;
	x->n_slots = n;
	for (size_t k = 0; k < n_old; k++) {
		for (struct child_node *node = old[k], *next; node; node = next) {
			next = node->next;
			put(x, node);
		}
	}
	if (old != x->first)
		free(old);
}

static void index_add(struct child_index *x, struct child_node *node)
{
	if (x->n >= x->n_slots)
		widen(x);
	put(x, node);
	x->n++;
}

static void index_remove(struct child_index *x, struct child_node *node)
{
	struct child_node **p = slot_of(x, node->hash);
	while (*p != node)
		p = &(*p)->next;
	*p = node->next;
	node->next = NULL;
	x->n--;
}

/* The first at `node` or after it with this hash. */
static struct child_node *same_hash(struct child_node *node, uint64_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

static struct child_node *index_find(const struct child_index *x, uint64_t hash)
{
	return same_hash(*slot_of(x, hash), hash);
}

/* ---- the table ------------------------------------------------------------------------------- */

int child_table_init(struct child_table *t)
{
	*t = (struct child_table){ 0 };
	TAILQ_INIT(&t->families);
	index_init(&t->names);
	index_init(&t->tids);
	index_init(&t->numbers);
	return getrandom(t->key, sizeof t->key, 0) == (ssize_t)sizeof t->key ? 0 : -errno;
}

void child_table_fini(struct child_table *t)
{
	struct family *f;
	while ((f = TAILQ_FIRST(&t->families)) != NULL) {
		while (!LIST_EMPTY(&f->children))
			child_remove(t, LIST_FIRST(&f->children));
		family_remove(t, f);
	}
	index_fini(&t->names);
	index_fini(&t->tids);
	index_fini(&t->numbers);
}

size_t child_task_len(const char *name)
{
	size_t len = 0;
	for (int dots = 0; name[len]; len++)
		if (name[len] == '.' && ++dots == TASK_NAME_PARTS)
			break;
	return len;
}

static uint64_t hash_name(const struct child_table *t, const char *name, size_t len)
{
	uint64_t hash = len;
	while (len > 0) {
		uint64_t word = 0;
		size_t n = len < sizeof word ? len : sizeof word;
		memcpy(&word, name, n);
		hash = siphash_pair(t->key, hash, word);
		name += n;
		len -= n;
	}
	return hash;
}

/* ---- families -------------------------------------------------------------------------------- */

static struct family *family_at(struct child_node *by_tid)
{
	return (struct family *)(void *)((char *)by_tid - offsetof(struct family, by_tid));
}

struct family *family_find(const struct child_table *t, const char *name, size_t len)
{
	uint64_t hash = hash_name(t, name, len);
	struct child_node *node = index_find(&t->names, hash);
	for (; node; node = same_hash(node->next, hash)) {
		struct family *f = (struct family *)(void *)node;
		if (f->name_len == len && memcmp(f->name, name, len) == 0)
			return f;
	}
	return NULL;
}

struct family *family_of_task(const struct child_table *t, uint64_t tid)
{
	struct child_node *node = index_find(&t->tids, tid);
	return node ? family_at(node) : NULL;
}

struct family *family_add(struct child_table *t, const char *name, size_t len)
{
	struct family *f = calloc(1, sizeof *f);
	if (!f)
		return NULL;
	wq_check(len < sizeof f->name);
	memcpy(f->name, name, len);
	f->name_len = len;
	f->by_name.hash = hash_name(t, name, len);
	LIST_INIT(&f->children);
	index_add(&t->names, &f->by_name);
	TAILQ_INSERT_TAIL(&t->families, f, link);
	return f;
}

void family_give(struct child_table *t, struct family *f, struct instance *i, uint64_t tid)
{
	wq_check(!f->instance);
	f->state = FAMILY_OWNED;
	f->instance = i;
	f->tid = tid;
	f->by_tid.hash = tid;
	index_add(&t->tids, &f->by_tid);
}

void family_take(struct child_table *t, struct family *f, enum family_state state)
{
	if (f->instance)
		index_remove(&t->tids, &f->by_tid);
	f->instance = NULL;
	f->tid = 0;
	f->state = state;
}

void family_remove(struct child_table *t, struct family *f)
{
	wq_check(LIST_EMPTY(&f->children));
	family_take(t, f, FAMILY_OVER);
	index_remove(&t->names, &f->by_name);
	TAILQ_REMOVE(&t->families, f, link);
	free(f);
}

/* ---- children -------------------------------------------------------------------------------- */

struct child *child_find(const struct child_table *t, const char *name)
{
	const struct family *f = family_find(t, name, child_task_len(name));
	struct child *ch = f ? LIST_FIRST(&f->children) : NULL;
	while (ch && strcmp(ch->name, name) != 0)
		ch = LIST_NEXT(ch, sibling);
	return ch;
}

struct child *child_by_number(const struct child_table *t, uint64_t number)
{
	return (struct child *)(void *)index_find(&t->numbers, number);
}

struct child *child_add(struct child_table *t, struct family *f, const char *name)
{
	struct child *ch = calloc(1, sizeof *ch);
	if (!ch)
		return NULL;
	ch->family = f;
	snprintf(ch->name, sizeof ch->name, "%s", name);
	ch->label = ch->name + f->name_len;
	if (*ch->label == '.')
		ch->label++;
	ch->by_number.hash = ++t->last_number;
	index_add(&t->numbers, &ch->by_number);
	LIST_INSERT_HEAD(&f->children, ch, sibling);
	t->n_running++;
	return ch;
}

void child_remove(struct child_table *t, struct child *ch)
{
	if (!ch->has_ended)
		t->n_running--;
	index_remove(&t->numbers, &ch->by_number);
	LIST_REMOVE(ch, sibling);
	free(ch->end_text);
	free(ch);
}

void child_set_end(struct child_table *t, struct child *ch, const struct wq_child_end *end)
{
	if (!ch->has_ended)
		t->n_running--;
	ch->has_ended = true;
	ch->end = *end;
	ch->end.struct_size = sizeof ch->end;
	if (end->error) {
		snprintf(ch->end_error, sizeof ch->end_error, "%s", end->error);
		ch->end.error = ch->end_error;
	}
	free(ch->end_text);
	ch->end_text = end->text ? strdup(end->text) : NULL;
	ch->end.text = ch->end_text;
}
