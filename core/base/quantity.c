/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/quantity.h"

#include "base/time.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A fraction of 10^9 times the largest factor needs more than 64 bits. */
__extension__ typedef __int128 wide;

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit durations[] = {
	{ "d", 86400 * NS_PER_S },
	{ "h", 3600 * NS_PER_S },
	{ "m", 60 * NS_PER_S },
	{ "s", NS_PER_S },
	{ "ms", NS_PER_MS },
	{ "us", NS_PER_US },
	{ "ns", 1 },
	{ NULL, 0 },
};
static const struct unit sizes[] = {
	{ "T", INT64_C(1) << 40 },
	{ "G", INT64_C(1) << 30 },
	{ "M", INT64_C(1) << 20 },
	{ "K", INT64_C(1) << 10 },
	{ "", 1 },
	{ NULL, 0 },
};

/* digits [ "." digits ] unit, in integers so that "0.1s" is exactly 100 ms. */
static int parse(const char *text, const struct unit *units, int64_t *ret)
{
	const char *p = text;
	int64_t whole = 0, fraction = 0, scale = 1;
	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
			__builtin_add_overflow(whole, *p - '0', &whole))
			return -ERANGE;
	if (*p == '.') {
		if (*++p < '0' || *p > '9')
			return -EINVAL;
		for (; *p >= '0' && *p <= '9'; p++) {
			if (scale >= NS_PER_S)
				continue;
			fraction = fraction * 10 + (*p - '0');
			scale *= 10;
		}
	}
	const struct unit *u = units;
	while (u->name && strcmp(u->name, p) != 0)
		u++;
	if (!u->name)
		return -EINVAL;
	int64_t value;
	if (__builtin_mul_overflow(whole, u->factor, &value))
		return -ERANGE;
	int64_t part = (int64_t)((wide)fraction * u->factor / scale);
	if (__builtin_add_overflow(value, part, &value))
		return -ERANGE;
	*ret = value;
	return 0;
}

static char *format(int64_t value, const struct unit *units, const char *zero, char ret[32])
{
	const struct unit *u = units;
	while (u->factor > 1 && (value % u->factor != 0 || value / u->factor == 0))
		u++;
	if (value == 0)
		snprintf(ret, 32, "%s", zero);
	else
		snprintf(ret, 32, "%" PRId64 "%s", value / u->factor, u->name);
	return ret;
}

int quantity_parse_duration(const char *text, int64_t *ret_ns)
{
	return parse(text, durations, ret_ns);
}

int quantity_parse_size(const char *text, int64_t *ret_bytes)
{
	return parse(text, sizes, ret_bytes);
}

char *quantity_format_duration(int64_t ns, char ret[32])
{
	return format(ns, durations, "0s", ret);
}

char *quantity_format_size(int64_t bytes, char ret[32])
{
	return format(bytes, sizes, "0", ret);
}
