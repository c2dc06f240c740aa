/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/census.h"

#include <errno.h>
#include <stdlib.h>

#include "spool/scan.h"

static int note(void *arg, struct reqid id, const char *name)
{
	struct census *c = arg;
	if (name) /* no id, so no request */
		return 0;
	if (c->n == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 256;
		struct census_item *items = realloc(c->items, cap * sizeof *items);
		if (!items)
			return -ENOMEM;
		c->items = items;
		c->cap = cap;
	}
	c->items[c->n++] = (struct census_item){ id, c->place };
	return 0;
}

static int by_id_then_place(const void *a, const void *b)
{
	const struct census_item *x = a, *y = b;
	int order = reqid_cmp(x->id, y->id);
	return order ? order : x->place - y->place;
}

int census_take(struct census *c, const struct spool *sp, const int *places, size_t n_places)
{
	for (size_t i = 0; i < n_places; i++) {
		c->place = places[i];
		int rc = c->place == CENSUS_TMP
				 ? scan_io(sp->io, sp->tmp_fd, note, c)
				 : scan_state(sp, (enum spool_state)c->place, note, c);
		if (rc < 0)
			return rc;
	}
	if (c->n > 1)
		qsort(c->items, c->n, sizeof *c->items, by_id_then_place);
	return 0;
}

void census_fini(struct census *c)
{
	free(c->items);
	*c = (struct census){ 0 };
}

bool census_next(struct census *c, struct reqid *ret, unsigned *ret_places)
{
	if (c->at == c->n)
		return false;
	*ret = c->items[c->at].id;
	*ret_places = 0;
	for (; c->at < c->n && reqid_is(c->items[c->at].id, *ret); c->at++)
		*ret_places |= 1u << c->items[c->at].place;
	return true;
}
