/* SPDX-License-Identifier: BSD-2-Clause */
#include "loop/heap.h"

#include <errno.h>
#include <stdlib.h>

enum {
	FIRST_CAP = 16
};

int heap_reserve(struct heap *h)
{
	if (h->reserved == h->cap) {
		size_t cap = h->cap ? 2 * h->cap : FIRST_CAP;
		struct loop_timer **timers = reallocarray(h->timers, cap, sizeof(*timers));
		if (!timers)
			return -ENOMEM;
		h->timers = timers;
		h->cap = cap;
	}
	h->reserved++;
	return 0;
}

void heap_release(struct heap *h)
{
	h->reserved--;
}

static bool comes_before(const struct loop_timer *a, const struct loop_timer *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void put(struct heap *h, size_t place, struct loop_timer *t)
{
	h->timers[place] = t;
	t->place = place;
}

static void rise(struct heap *h, struct loop_timer *t, size_t place)
{
	while (place > 0 && comes_before(t, h->timers[(place - 1) / 2])) {
		put(h, place, h->timers[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	put(h, place, t);
}

static void sink(struct heap *h, struct loop_timer *t, size_t place)
{
	for (size_t child; (child = 2 * place + 1) < h->n; place = child) {
		if (child + 1 < h->n && comes_before(h->timers[child + 1], h->timers[child]))
			child++;
		if (!comes_before(h->timers[child], t))
			break;
		put(h, place, h->timers[child]);
	}
	put(h, place, t);
}

void heap_add(struct heap *h, struct loop_timer *t)
{
	t->order = h->order++;
	rise(h, t, h->n++);
}

void heap_remove(struct heap *h, struct loop_timer *t)
{
	if (t->place == HEAP_OUT)
		return;
	size_t place = t->place;
	struct loop_timer *last = h->timers[--h->n];
	t->place = HEAP_OUT;
	if (last == t)
		return;
	if (place > 0 && comes_before(last, h->timers[(place - 1) / 2]))
		rise(h, last, place);
	else
		sink(h, last, place);
}

struct loop_timer *heap_first(const struct heap *h)
{
	return h->n ? h->timers[0] : NULL;
}

void heap_fini(struct heap *h)
{
	free(h->timers);
	*h = (struct heap){ 0 };
}
