/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/reqid: the id of a request, "1511472984.123456-0k3v9q2m7t1dh".
 *
 * Ten digits of seconds, six of microseconds, then 64 random bits as 13 characters of base32hex
 * (RFC 4648 section 7, lower case).  So ids are unique without coordination, cannot be guessed, and
 * the order of their text is the order of (us, suffix): first in, first out.  In memory an id is
 * that pair; the text is made when it is needed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	REQID_LEN = 31,
	REQID_SIZE = REQID_LEN + 1
};

struct reqid {
	uint64_t us; /* CLOCK_REALTIME, microseconds */
	uint64_t suffix;
};

#define REQID_MAX ((struct reqid){ UINT64_MAX, UINT64_MAX })

/* The last time that ten digits of seconds can say, in the year 2286. */
#define REQID_US_MAX UINT64_C(9999999999999999)

static inline int reqid_cmp(struct reqid a, struct reqid b)
{
	if (a.us != b.us)
		return a.us < b.us ? -1 : 1;
	if (a.suffix != b.suffix)
		return a.suffix < b.suffix ? -1 : 1;
	return 0;
}

static inline bool reqid_is(struct reqid a, struct reqid b)
{
	return a.us == b.us && a.suffix == b.suffix;
}

/* Read exactly one id, all of `len` bytes.  False, and `ret` untouched, for anything else. */
bool reqid_parse(const char *text, size_t len, struct reqid *ret);

/* Write the text of an id, whose time is at most REQID_US_MAX.  Returns `ret`. */
char *reqid_format(struct reqid id, char ret[REQID_SIZE]);
