/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/tally: many requests, counted by what came of them; one line that shows how far they are, and
 * one that says how it ended.  No clock and no output of its own.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum tally_kind {
	TALLY_OK,
	TALLY_FAILED,
	TALLY_REJECTED,
	TALLY_LOST,
	TALLY_EXPIRED,
	TALLY_KILLED,
	TALLY_GONE,
	TALLY_LATE,    /* no result in time */
	TALLY_UNCLEAR, /* there is something, and wq could not read or show it */
	TALLY_MAX
};

struct tally {
	size_t total;
	size_t count[TALLY_MAX];
	int64_t began_ns; /* of the same clock as `now_ns` */
};

enum {
	TALLY_LINE_MAX = 320,
	TALLY_WIDTH_MIN = 20
};

/* "ok", "failed"...; one that this version does not know is a failure. */
enum tally_kind tally_kind_of(const char *status);

size_t tally_done(const struct tally *t);

/*
 * "[#####.....] 120/240, 3 failed, 12.5/s, 10s left", at most `width` characters.  All that is not ok
 * has failed here.  Returns `ret`.
 */
char *tally_bar(const struct tally *t, int64_t now_ns, int width, char ret[TALLY_LINE_MAX]);

/* "117 ok, 3 failed, 1 rejected": the first two always, the others where there are any. */
char *tally_summary(const struct tally *t, char ret[TALLY_LINE_MAX]);
