/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/census: all ids of a spool and where each stands, in order of id.  Names only, so it is as
 * cheap as scan.  Requests go on moving meanwhile: listed in the order of their life, one that moves
 * is seen twice, not never.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "spool/spool.h"

/* The places: the states, and .wq/tmp.  A set of them is a mask of 1 << place. */
enum {
	CENSUS_TMP = SPOOL_STATE_MAX,
	CENSUS_PLACES
};

/* A zeroed one is empty. */
struct census {
	struct census_item {
		struct reqid id;
		int place;
	} * items;
	size_t n, cap, at;
	int place; /* being listed */
};

/* List these places, in this order.  0 or -errno; census_fini in both cases. */
int census_take(struct census *c, const struct spool *sp, const int *places, size_t n_places);
void census_fini(struct census *c);

/* The next id and the set of places where it stands; false at the end. */
bool census_next(struct census *c, struct reqid *ret, unsigned *ret_places);
