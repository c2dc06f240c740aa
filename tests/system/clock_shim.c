/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock_shim: preloaded into a program of wq, it sets its CLOCK_REALTIME as the file of $WQ_TEST_CLOCK
 * says: two numbers of microseconds, to be added to the real one, or, when not 0, to take its place.
 * The other clocks, and the times of files, stay as they are.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct setting {
	int64_t offset_us, frozen_us;
};

static const volatile struct setting *setting;

__attribute__((constructor)) static void open_setting(void)
{
	const char *path = getenv("WQ_TEST_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *setting, PROT_READ, MAP_SHARED, fd, 0);
	if (fd >= 0)
		(void)close(fd);
	if (at != MAP_FAILED)
		setting = at;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, ret);
	if (rc != 0 || !setting || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
		return rc;
	int64_t us = setting->frozen_us;
	if (us == 0)
		us = ret->tv_sec * INT64_C(1000000) + ret->tv_nsec / 1000 + setting->offset_us;
	ret->tv_sec = us / 1000000;
	ret->tv_nsec = us % 1000000 * 1000;
	return 0;
}
