/* SPDX-License-Identifier: BSD-2-Clause */
#include "sched/later.h"

#include "base/time.h"

#include <stdlib.h>

void later_fini(struct later *l)
{
	free(l->items);
	*l = (struct later){ 0 };
}

bool later_put(struct later *l, struct reqid id, int64_t until_ns)
{
	if (l->n == l->cap) {
		uint32_t cap = l->cap ? l->cap * 2 : 16;
		struct later_item *grown = realloc(l->items, cap * sizeof *grown);
		if (!grown)
			return false;
		l->items = grown;
		l->cap = cap;
	}
	uint32_t i = l->n++;
	for (; i > 0 && until_ns < l->items[(i - 1) / 2].until_ns; i = (i - 1) / 2)
		l->items[i] = l->items[(i - 1) / 2];
	l->items[i] = (struct later_item){ id, until_ns };
	return true;
}

int64_t later_until(const struct later *l, struct reqid id)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (reqid_is(l->items[i].id, id))
			return l->items[i].until_ns;
	return 0;
}

int64_t later_first(const struct later *l)
{
	return l->n > 0 ? l->items[0].until_ns : TIME_NEVER;
}

bool later_take(struct later *l, int64_t now_ns, struct reqid *ret)
{
	if (l->n == 0 || l->items[0].until_ns > now_ns)
		return false;
	*ret = l->items[0].id;
	struct later_item last = l->items[--l->n];
	uint32_t i = 0;
	for (uint32_t child = 1; child < l->n; child = 2 * i + 1) {
		if (child + 1 < l->n && l->items[child + 1].until_ns < l->items[child].until_ns)
			child++;
		if (last.until_ns <= l->items[child].until_ns)
			break;
		l->items[i] = l->items[child];
		i = child;
	}
	l->items[i] = last;
	return true;
}
