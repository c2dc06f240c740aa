/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/time: the two clocks.  Waiting and durations use mono (CLOCK_BOOTTIME, so that a suspended
 * machine counts), ids and display use wall.  Only here are units converted.
 */
#pragma once

#include <stdint.h>

#define NS_PER_US  INT64_C(1000)
#define NS_PER_MS  INT64_C(1000000)
#define NS_PER_S   INT64_C(1000000000)
#define TIME_NEVER INT64_MAX

int64_t time_mono_ns(void);
int64_t time_wall_us(void);

/* The wall clock at a time of the other one, for people; 0 stays 0. */
int64_t time_wall_us_at(int64_t mono_ns);

/* When `ns` has passed from `now`; TIME_NEVER where that overflows. */
int64_t time_after(int64_t now_ns, int64_t ns);
