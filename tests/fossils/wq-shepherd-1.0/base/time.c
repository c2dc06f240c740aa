/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/time.h"

#include <time.h>

int64_t time_mono_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t time_wall_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

int64_t time_wall_us_at(int64_t mono_ns)
{
	return mono_ns == 0 ? 0 : time_wall_us() - (time_mono_ns() - mono_ns) / NS_PER_US;
}

int64_t time_after(int64_t now_ns, int64_t ns)
{
	int64_t sum;
	return __builtin_add_overflow(now_ns, ns, &sum) ? TIME_NEVER : sum;
}
