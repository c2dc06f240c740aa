/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sched/fifo: handles in the order of their ids.
 *
 * Ids nearly always come in order: those append to a ring.  One that comes late goes to a heap. The
 * next is the smaller of the two fronts.  Taking one out of the middle only marks it; it is
 * released when it surfaces, or when half of all are such.
 */
#pragma once

#include "sched/table.h"

struct fifo {
	uint32_t *ring, head, len, cap; /* cap is a power of two */
	uint32_t *heap, heap_len, heap_cap;
	uint32_t dead;
};

void fifo_fini(struct fifo *f);

/* Make sure that one more can be pushed or appended.  False when memory is short. */
bool fifo_reserve(struct fifo *f);

/* False when memory is short, which after fifo_reserve it is not. */
bool fifo_push(struct fifo *f, const struct table *t, uint32_t handle);

/* The one with the smallest id, or TABLE_NONE. */
uint32_t fifo_peek(struct fifo *f, struct table *t);
uint32_t fifo_pop(struct fifo *f, struct table *t);

/* For a queue in order of arrival, whatever the ids: append, and take the first (len > 0). */
bool fifo_append(struct fifo *f, uint32_t handle);
uint32_t fifo_shift(struct fifo *f);

/* Take one out of the middle: its entry, unlinked already, now belongs to the fifo. */
void fifo_kill(struct fifo *f, struct table *t, uint32_t handle);

static inline uint32_t fifo_count(const struct fifo *f)
{
	return f->len + f->heap_len - f->dead;
}

/* The state byte of an entry that was killed. */
enum {
	ENTRY_DEAD = 0xff
};
