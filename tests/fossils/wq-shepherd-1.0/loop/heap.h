/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop/heap: the timers of a loop, earliest first; equal ones in the order in which they were set.
 * Private to the loop.  Room is reserved when a timer is made, so that setting one cannot fail.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "loop/loop.h"

#define HEAP_OUT SIZE_MAX

struct loop_timer {
	int64_t at_ns;
	uint64_t order; /* of setting */
	size_t place;   /* in the heap, or HEAP_OUT */
	loop_timer_fn *fn;
	void *arg;
	bool is_due; /* on the list of those to be called in this round */
	TAILQ_ENTRY(loop_timer) due;
	LIST_ENTRY(loop_timer) all;
};

struct heap {
	struct loop_timer **timers;
	size_t n;
	size_t cap;
	size_t reserved;
	uint64_t order;
};

/* Room for one more timer, or one less.  0 or -ENOMEM. */
int heap_reserve(struct heap *h);
void heap_release(struct heap *h);

void heap_add(struct heap *h, struct loop_timer *t);
void heap_remove(struct heap *h, struct loop_timer *t); /* one that is out: nothing */
struct loop_timer *heap_first(const struct heap *h);    /* NULL: none */
void heap_fini(struct heap *h);
