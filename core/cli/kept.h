/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/kept: how much of what a task wrote was kept, as the report of wq-fork-exec(7) says it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct wq_result_info;

/* Of one of the two. */
struct kept {
	const char *name; /* for people */
	uint64_t bytes;   /* that were written; 0 where the result does not say it */
	uint64_t kept;
};

/* `which`: WQ_STDOUT or WQ_STDERR. */
void kept_read(const struct wq_result_info *info, int32_t which, struct kept *ret);

/* Was less kept than was written?  That is said then, and why. */
bool kept_say_cut(const struct wq_result_info *info, const struct kept *k);
