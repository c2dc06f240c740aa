/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/results: the results that lie in one directory, 4-complete or finished: since when, for how
 * long they may, and what they take.  What is known of one is kept from listing to listing, so it
 * is looked at once; and everything is done in small steps, because there may be very many.
 *
 * Clients take results away meanwhile: what is known here may be more than what is there.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "spool/scan.h"
#include "spool/spool.h"

/* What a result says of itself: the spool looks into no file. */
struct results_about {
	int64_t keep_us;  /* what its request asked for; 0: nothing */
	uint32_t attempt; /* whose work directory belongs to it; 0: none does */
};
/* From the first bytes of a file.  False: it is no result, or says nothing. */
typedef bool results_about_fn(const void *bytes, size_t len, struct results_about *ret);

enum {
	RESULTS_HEAD = 4096 /* so many first bytes */
};

struct results_item {
	struct reqid id;
	int64_t since_us; /* when it was written: wall clock */
	uint64_t bytes;   /* as du(1) counts */
	struct results_about about;
	bool known; /* it was looked at */
	bool gone;  /* it is not there any more, or cannot be removed */
};

/* A zeroed one is empty.  `items` are in order of id. */
struct results {
	struct results_item *items;
	size_t n, at;
	struct scan scan;
	enum {
		RESULTS_STALE,
		RESULTS_LISTING,
		RESULTS_LOOKING,
		RESULTS_READY
	} state;
	struct reqid *listed;
	size_t n_listed, cap_listed;
};

void results_fini(struct results *r, const struct spool *sp);

/* What is there may have changed: list it anew. */
void results_again(struct results *r);

/*
 * One step of listing `dir_fd`, or of looking at what is new in it; `with_work`: with the work
 * directory of each.  1: there is more to do; 0: all is known; -errno: and the next step begins anew.
 * [blocks: some file operations]
 */
int results_step(
	struct results *r, struct spool *sp, int dir_fd, bool with_work, results_about_fn *about);

struct results_limits {
	size_t keep;
	int64_t keep_us; /* none may be older; 0: no bound by age */
	uint64_t bytes;  /* of all together; 0: any */
	bool by_id;      /* age and order are those of the ids, not of when they were written */
};

/* The ids of those that are too old or too many, at most `max`, the oldest first within each of the
 * two; their count.  All must be known.  [at most a few milliseconds for each 100,000] */
size_t results_excess(const struct results *r, const struct results_limits *limits, int64_t now_us,
	struct reqid *ret, size_t max);

/*
 * Remove one of them and its work directory.  1; 0: somebody else has taken it away, and the work
 * directory is not ours to remove; -errno: what stays of it, the result or only the work directory,
 * is left alone until the next listing.
 */
int results_remove(struct results *r, struct spool *sp, int dir_fd, struct reqid id);

/* How many there are, as far as is known. */
size_t results_count(const struct results *r);

/* When the first of them will be too old; INT64_MAX: none will. */
int64_t results_due_us(const struct results *r, const struct results_limits *limits);
