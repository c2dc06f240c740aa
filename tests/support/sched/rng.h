/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sched/rng: numbers that look random and are the same in each run (SplitMix64).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t rng_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline uint32_t rng_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)((rng_next(state) >> 32) * n >> 32);
}

static inline bool rng_percent(uint64_t *state, uint32_t percent)
{
	return rng_below(state, 100) < percent;
}
