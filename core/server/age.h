/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server/age: what time it is, for the question of what is old enough to be removed.
 *
 * Files bear the wall clock, and that may be wrong: a clock that is set ten years forward, and back when
 * somebody notices, must not have removed everything meanwhile.  So the wall clock is believed as far as
 * a ceiling, which follows it at most twice as fast as time passes while servers run.  A clock that is
 * behind is believed at once: all is younger then, and stays longer.  The ceiling is kept in .wq/age,
 * and after a time without a server, or a first one with a wrong clock, it catches up.
 */
#pragma once

#include <stdint.h>

struct spool;

struct age {
	int64_t ceiling_us;
	int64_t at_ns; /* when it was there */
};

void age_load(struct age *a, const struct spool *sp, int64_t wall_us, int64_t mono_ns);
int age_save(const struct age *a, struct spool *sp); /* 0 or -errno */

/* The wall clock, as far as it is believed. */
int64_t age_now_us(struct age *a, int64_t wall_us, int64_t mono_ns);
