/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sched/deadline: ids and the time of each.  A heap by that time, and a table that finds an id's
 * place in it: an id whose time no longer matters is taken out at once, so what is here is never
 * more than what runs.
 */
#pragma once

#include "sched/table.h"

struct deadlines {
	struct table table; /* ref: the place in the heap; since_ns: the time */
	uint32_t *heap;     /* handles */
	uint32_t n, cap;
};

bool deadline_init(struct deadlines *d, const uint64_t hash_key[2]);
void deadline_fini(struct deadlines *d);

/* Set it, or move it.  False when memory is short; one that was set stays as it is then. */
bool deadline_set(struct deadlines *d, struct reqid id, int64_t at_ns);

/* One that has none is fine. */
void deadline_drop(struct deadlines *d, struct reqid id);

/* The earliest of all; TIME_NEVER for none. */
int64_t deadline_first(const struct deadlines *d);

/* Take out one whose time has come, the earliest first. */
bool deadline_take(struct deadlines *d, int64_t now_ns, struct reqid *ret);
