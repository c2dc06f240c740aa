/* SPDX-License-Identifier: BSD-2-Clause */
#include "sched/fifo.h"

#include <stdlib.h>

enum {
	FIRST_RING = 64,
	COMPACT_FROM = 1024
};

void fifo_fini(struct fifo *f)
{
	free(f->ring);
	free(f->heap);
	*f = (struct fifo){ 0 };
}

static uint32_t *ring_at(const struct fifo *f, uint32_t i)
{
	return &f->ring[(f->head + i) & (f->cap - 1)];
}

static bool reserve_ring(struct fifo *f)
{
	if (f->len < f->cap)
		return true;
	uint32_t cap = f->cap ? f->cap * 2 : FIRST_RING;
	uint32_t *ring = malloc(cap * sizeof *ring);
	if (!ring)
		return false;
	for (uint32_t i = 0; i < f->len; i++)
		ring[i] = *ring_at(f, i);
	free(f->ring);
	f->ring = ring;
	f->cap = cap;
	f->head = 0;
	return true;
}

static bool reserve_heap(struct fifo *f)
{
	if (f->heap_len < f->heap_cap)
		return true;
	uint32_t cap = f->heap_cap ? f->heap_cap * 2 : FIRST_RING;
	uint32_t *heap = realloc(f->heap, cap * sizeof *heap);
	if (!heap)
		return false;
	f->heap = heap;
	f->heap_cap = cap;
	return true;
}

bool fifo_reserve(struct fifo *f)
{
	return reserve_ring(f) && reserve_heap(f);
}

bool fifo_append(struct fifo *f, uint32_t handle)
{
	if (!reserve_ring(f))
		return false;
	f->len++;
	*ring_at(f, f->len - 1) = handle;
	return true;
}

static bool before(const struct table *t, uint32_t a, uint32_t b)
{
	return reqid_cmp(table_at(t, a)->id, table_at(t, b)->id) < 0;
}

static void sift_down(struct fifo *f, const struct table *t, uint32_t i)
{
	for (;;) {
		uint32_t child = 2 * i + 1;
		if (child >= f->heap_len)
			return;
		if (child + 1 < f->heap_len && before(t, f->heap[child + 1], f->heap[child]))
			child++;
		if (!before(t, f->heap[child], f->heap[i]))
			return;
		uint32_t swap = f->heap[i];
		f->heap[i] = f->heap[child];
		f->heap[child] = swap;
		i = child;
	}
}

static bool heap_push(struct fifo *f, const struct table *t, uint32_t handle)
{
	if (!reserve_heap(f))
		return false;
	uint32_t i = f->heap_len++;
	while (i > 0 && before(t, handle, f->heap[(i - 1) / 2])) {
		f->heap[i] = f->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	f->heap[i] = handle;
	return true;
}

static uint32_t heap_pop(struct fifo *f, const struct table *t)
{
	uint32_t top = f->heap[0];
	f->heap[0] = f->heap[--f->heap_len];
	sift_down(f, t, 0);
	return top;
}

bool fifo_push(struct fifo *f, const struct table *t, uint32_t handle)
{
	if (f->len == 0 || before(t, *ring_at(f, f->len - 1), handle))
		return fifo_append(f, handle);
	return heap_push(f, t, handle);
}

uint32_t fifo_shift(struct fifo *f)
{
	uint32_t handle = *ring_at(f, 0);
	f->head = (f->head + 1) & (f->cap - 1);
	f->len--;
	return handle;
}

/* Which front is next: 'r', 'h', or 0. */
static char front(const struct fifo *f, const struct table *t)
{
	if (f->len == 0 && f->heap_len == 0)
		return 0;
	if (f->len == 0)
		return 'h';
	return f->heap_len > 0 && before(t, f->heap[0], *ring_at(f, 0)) ? 'h' : 'r';
}

static uint32_t take(struct fifo *f, const struct table *t, char which)
{
	return which == 'h' ? heap_pop(f, t) : fifo_shift(f);
}

uint32_t fifo_peek(struct fifo *f, struct table *t)
{
	for (;;) {
		char which = front(f, t);
		if (!which)
			return TABLE_NONE;
		uint32_t handle = which == 'h' ? f->heap[0] : *ring_at(f, 0);
		if (table_at(t, handle)->state != ENTRY_DEAD)
			return handle;
		take(f, t, which);
		f->dead--;
		table_release(t, handle);
	}
}

uint32_t fifo_pop(struct fifo *f, struct table *t)
{
	uint32_t handle = fifo_peek(f, t);
	if (handle != TABLE_NONE)
		take(f, t, front(f, t));
	return handle;
}

static void compact(struct fifo *f, struct table *t)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < f->len; i++) {
		uint32_t handle = *ring_at(f, i);
		if (table_at(t, handle)->state == ENTRY_DEAD)
			table_release(t, handle);
		else
			*ring_at(f, kept++) = handle;
	}
	f->len = kept;
	kept = 0;
	for (uint32_t i = 0; i < f->heap_len; i++) {
		if (table_at(t, f->heap[i])->state == ENTRY_DEAD)
			table_release(t, f->heap[i]);
		else
			f->heap[kept++] = f->heap[i];
	}
	f->heap_len = kept;
	for (uint32_t i = f->heap_len / 2; i-- > 0;)
		sift_down(f, t, i);
	f->dead = 0;
}

void fifo_kill(struct fifo *f, struct table *t, uint32_t handle)
{
	table_at(t, handle)->state = ENTRY_DEAD;
	f->dead++;
	if (f->dead > COMPACT_FROM && f->dead > (f->len + f->heap_len) / 2)
		compact(f, t);
}
