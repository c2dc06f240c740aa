/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/reqid.h"

enum {
	SECOND_DIGITS = 10,
	MICRO_DIGITS = 6,
	SUFFIX_DIGITS = 13
};
enum {
	DOT_AT = SECOND_DIGITS,
	DASH_AT = DOT_AT + 1 + MICRO_DIGITS,
	SUFFIX_AT = DASH_AT + 1
};

static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

/* The value of a digit in `base`, or -1.  Bytes are compared as they are: no locale, no Unicode. */
static int value_of(char c, int base)
{
	int v = -1;
	if (c >= '0' && c <= '9')
		v = c - '0';
	else if (c >= 'a' && c <= 'v')
		v = c - 'a' + 10;
	return v < base ? v : -1;
}

static bool parse_number(const char *text, int len, int base, uint64_t *ret)
{
	uint64_t n = 0;
	for (int i = 0; i < len; i++) {
		int v = value_of(text[i], base);
		if (v < 0)
			return false;
		n = n * (uint64_t)base + (uint64_t)v;
	}
	*ret = n;
	return true;
}

static void format_number(uint64_t n, char *text, int len, int base)
{
	for (int i = len - 1; i >= 0; i--) {
		text[i] = digits[n % (uint64_t)base];
		n /= (uint64_t)base;
	}
}

bool reqid_parse(const char *text, size_t len, struct reqid *ret)
{
	if (len != REQID_LEN || text[DOT_AT] != '.' || text[DASH_AT] != '-')
		return false;
	uint64_t seconds, micros, suffix;
	if (!parse_number(text, SECOND_DIGITS, 10, &seconds) ||
		!parse_number(text + DOT_AT + 1, MICRO_DIGITS, 10, &micros))
		return false;
	/* Thirteen digits hold 65 bits, a suffix has 64: the first digit ends at f. */
	if (value_of(text[SUFFIX_AT], 16) < 0 ||
		!parse_number(text + SUFFIX_AT, SUFFIX_DIGITS, 32, &suffix))
		return false;
	*ret = (struct reqid){ .us = seconds * 1000000 + micros, .suffix = suffix };
	return true;
}

char *reqid_format(struct reqid id, char ret[REQID_SIZE])
{
	format_number(id.us / 1000000, ret, SECOND_DIGITS, 10);
	ret[DOT_AT] = '.';
	format_number(id.us % 1000000, ret + DOT_AT + 1, MICRO_DIGITS, 10);
	ret[DASH_AT] = '-';
	format_number(id.suffix, ret + SUFFIX_AT, SUFFIX_DIGITS, 32);
	ret[REQID_LEN] = '\0';
	return ret;
}
