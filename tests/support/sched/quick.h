/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sched/quick: assertions for loops of a million.  Check's own tell the parent process each time
 * that they hold; these are silent until they fail.
 */
#pragma once

#include <check.h>

#define quick_assert(cond)                                                                         \
	do {                                                                                       \
		if (!(cond))                                                                       \
			ck_abort_msg("'%s' failed", #cond);                                        \
	} while (0)

#define quick_assert_uint_eq(a, b)                                                                 \
	do {                                                                                       \
		unsigned long long a_ = (a), b_ = (b);                                             \
		if (a_ != b_)                                                                      \
			ck_abort_msg("'%s == %s' failed: %llu, %llu", #a, #b, a_, b_);             \
	} while (0)
