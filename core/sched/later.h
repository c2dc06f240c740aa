/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sched/later: ids that have to wait for a time, what a full disk or a lease has held up.  A heap by
 * that time, because a full disk can hold up very many.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "spool/reqid.h"

struct later {
	struct later_item {
		struct reqid id;
		int64_t until_ns;
	} * items;
	uint32_t n, cap;
};

void later_fini(struct later *l);

/* False when memory is short. */
bool later_put(struct later *l, struct reqid id, int64_t until_ns);

/* Until when it has to wait; 0: it does not.  Looks at all: for lists that stay short. */
int64_t later_until(const struct later *l, struct reqid id);

/* The earliest of all; TIME_NEVER for none. */
int64_t later_first(const struct later *l);

/* Take out one whose time has come, the earliest first. */
bool later_take(struct later *l, int64_t now_ns, struct reqid *ret);
