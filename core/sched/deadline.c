/* SPDX-License-Identifier: BSD-2-Clause */
#include "sched/deadline.h"

#include "base/time.h"

#include <stdlib.h>

enum {
	FIRST_HEAP = 16
};

bool deadline_init(struct deadlines *d, const uint64_t hash_key[2])
{
	*d = (struct deadlines){ 0 };
	return table_init(&d->table, hash_key);
}

void deadline_fini(struct deadlines *d)
{
	table_fini(&d->table);
	free(d->heap);
	*d = (struct deadlines){ 0 };
}

static int64_t time_of(const struct deadlines *d, uint32_t handle)
{
	return table_at(&d->table, handle)->since_ns;
}

static void place(struct deadlines *d, uint32_t i, uint32_t handle)
{
	d->heap[i] = handle;
	table_at(&d->table, handle)->ref = i;
}

/* Put it at place i, which is free, or where it belongs above or below that. */
static void settle(struct deadlines *d, uint32_t i, uint32_t handle)
{
	int64_t at = time_of(d, handle);
	for (; i > 0 && at < time_of(d, d->heap[(i - 1) / 2]); i = (i - 1) / 2)
		place(d, i, d->heap[(i - 1) / 2]);
	for (uint32_t child = 2 * i + 1; child < d->n; child = 2 * i + 1) {
		if (child + 1 < d->n && time_of(d, d->heap[child + 1]) < time_of(d, d->heap[child]))
			child++;
		if (at <= time_of(d, d->heap[child]))
			break;
		place(d, i, d->heap[child]);
		i = child;
	}
	place(d, i, handle);
}

static bool reserve(struct deadlines *d)
{
	if (d->n < d->cap)
		return true;
	uint32_t cap = d->cap ? d->cap * 2 : FIRST_HEAP;
	if (cap <= d->cap)
		return false;
	uint32_t *grown = realloc(d->heap, cap * sizeof *grown);
	if (!grown)
		return false;
	d->heap = grown;
	d->cap = cap;
	return true;
}

bool deadline_set(struct deadlines *d, struct reqid id, int64_t at_ns)
{
	uint32_t h = table_find(&d->table, id);
	if (h != TABLE_NONE) {
		table_at(&d->table, h)->since_ns = at_ns;
		settle(d, table_at(&d->table, h)->ref, h);
		return true;
	}
	if (!reserve(d))
		return false;
	h = table_add(&d->table, id);
	if (h == TABLE_NONE)
		return false;
	table_at(&d->table, h)->since_ns = at_ns;
	uint32_t last = d->n++;
	settle(d, last, h);
	return true;
}

static void take_out(struct deadlines *d, uint32_t handle)
{
	uint32_t i = table_at(&d->table, handle)->ref, last = d->heap[--d->n];
	if (last != handle)
		settle(d, i, last);
	table_unlink(&d->table, handle);
	table_release(&d->table, handle);
}

void deadline_drop(struct deadlines *d, struct reqid id)
{
	uint32_t h = table_find(&d->table, id);
	if (h != TABLE_NONE)
		take_out(d, h);
}

int64_t deadline_first(const struct deadlines *d)
{
	return d->n > 0 ? time_of(d, d->heap[0]) : TIME_NEVER;
}

bool deadline_take(struct deadlines *d, int64_t now_ns, struct reqid *ret)
{
	if (d->n == 0 || time_of(d, d->heap[0]) > now_ns)
		return false;
	*ret = table_at(&d->table, d->heap[0])->id;
	take_out(d, d->heap[0]);
	return true;
}
