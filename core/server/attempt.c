/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/attempt.h"

#include "base/err.h"
#include "base/log.h"
#include "server/server.h"
#include "spool/attempt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table ---------------------------------------------------------------------------------- */

/* Where it is, or where it would go. */
static size_t place_of(const struct attempts *a, struct reqid id)
{
	size_t low = 0, high = a->n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (reqid_cmp(a->items[middle].id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct attempt *find(const struct attempts *a, struct reqid id)
{
	size_t at = place_of(a, id);
	return at < a->n && reqid_is(a->items[at].id, id) ? &a->items[at] : NULL;
}

/* NULL when memory is short. */
static struct attempt *find_or_add(struct attempts *a, struct reqid id)
{
	struct attempt *found = find(a, id);
	if (found)
		return found;
	if (a->n == a->cap) {
		size_t cap = a->cap ? a->cap * 2 : 16;
		struct attempt *items = reallocarray(a->items, cap, sizeof *items);
		if (!items)
			return NULL;
		a->items = items;
		a->cap = cap;
	}
	size_t at = place_of(a, id);
	memmove(&a->items[at + 1], &a->items[at], (a->n - at) * sizeof *a->items);
	a->n++;
	a->items[at] = (struct attempt){ .id = id, .attempt = 1 };
	return &a->items[at];
}

static void take_out(struct attempts *a, struct attempt *item)
{
	size_t at = (size_t)(item - a->items);
	memmove(item, item + 1, (a->n - at - 1) * sizeof *item);
	a->n--;
}

void attempts_fini(struct attempts *a)
{
	free(a->items);
	*a = (struct attempts){ 0 };
}

/* ---- the files ---------------------------------------------------------------------------------- */

/* A server that ends between two of its steps leaves the file of an attempt that is over, too. */
static int take(void *arg, struct reqid id, uint32_t attempt, bool doubted)
{
	struct server *s = arg;
	struct attempt *item = find_or_add(&s->attempts, id);
	if (!item)
		return -ENOMEM;
	if (attempt < item->attempt)
		return attempt_drop(&s->spool, id, attempt);
	uint32_t before = item->attempt;
	item->doubted = (attempt == before && item->doubted) || doubted;
	item->attempt = attempt;
	return attempt > before ? attempt_drop(&s->spool, id, before) : 0;
}

int attempts_load(struct server *s, struct wq_err *err)
{
	int rc = attempt_each(&s->spool, take, s);
	return rc < 0 ? err_set(err, rc, "cannot read which attempts were begun") : 0;
}

/* A file that stays is found, and does no harm, the next time: its id is never used again. */
static void drop(struct server *s, struct attempt *item)
{
	int rc = attempt_drop(&s->spool, item->id, item->attempt);
	if (rc < 0)
		log_warn("%s: the number of its attempt cannot be removed: %s", ID_TEXT(item->id),
			strerror(-rc));
	take_out(&s->attempts, item);
}

void attempts_tidy(struct server *s)
{
	for (size_t i = s->attempts.n; i-- > 0;)
		if (!sched_is_known(s->sched, s->attempts.items[i].id))
			drop(s, &s->attempts.items[i]);
}

uint32_t attempt_of(const struct server *s, struct reqid id)
{
	const struct attempt *item = find(&s->attempts, id);
	return item ? item->attempt : 1;
}

int attempt_next(struct server *s, const struct task *task)
{
	struct attempt *item = find_or_add(&s->attempts, task->id);
	if (!item)
		return -ENOMEM;
	int rc = attempt_put(&s->spool, task->id, task->attempt + 1);
	if (rc < 0)
		return rc;
	item->attempt = task->attempt + 1;
	item->doubted = false;
	return 0;
}

int attempt_doubt_it(struct server *s, const struct task *task)
{
	struct attempt *item = find_or_add(&s->attempts, task->id);
	int rc = item ? attempt_doubt(&s->spool, task->id, task->attempt) : -ENOMEM;
	if (rc == 0)
		item->doubted = true;
	return rc;
}

bool attempt_is_doubted(const struct server *s, const struct task *task)
{
	const struct attempt *item = find(&s->attempts, task->id);
	return item && item->doubted;
}

void attempt_over(struct server *s, struct reqid id)
{
	struct attempt *item = find(&s->attempts, id);
	if (item)
		drop(s, item);
}
