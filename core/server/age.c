/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/age.h"

#include "base/time.h"
#include "spool/layout.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char file_name[] = "age";

enum {
	CATCH_UP = 2 /* times as fast as time */
};

/* The ceiling as it was saved; what cannot be read is the same as none. */
static int64_t load(const struct spool *sp)
{
	char text[32], *end;
	int fd = sp->io->openat(sp->own_fd, file_name, SPOOL_IO_READ, 0);
	ssize_t n = fd < 0 ? fd : spool_io_pread_all(sp->io, fd, text, sizeof text - 1, 0);
	if (fd >= 0)
		(void)sp->io->close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	long long us = strtoll(text, &end, 10);
	return *end == '\n' && us > 0 && (uint64_t)us <= REQID_US_MAX ? us : 0;
}

void age_load(struct age *a, const struct spool *sp, int64_t wall_us, int64_t mono_ns)
{
	int64_t saved = load(sp);
	*a = (struct age){ .ceiling_us = saved > 0 ? saved : wall_us, .at_ns = mono_ns };
}

int age_save(const struct age *a, struct spool *sp)
{
	char text[32];
	snprintf(text, sizeof text, "%" PRId64 "\n", a->ceiling_us);
	return layout_put_own(sp, file_name, text, 0);
}

int64_t age_now_us(struct age *a, int64_t wall_us, int64_t mono_ns)
{
	int64_t ahead_us = wall_us - a->ceiling_us;
	int64_t most_us = (mono_ns - a->at_ns) / NS_PER_US * CATCH_UP;
	a->at_ns = mono_ns;
	if (ahead_us <= 0)
		return wall_us;
	a->ceiling_us += ahead_us < most_us ? ahead_us : most_us;
	return a->ceiling_us;
}
