/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/name: words that name things in files and messages: [a-z][a-z0-9-]*.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The two lengths in use, in bytes without the NUL. */
enum {
	NAME_SHORT_MAX = 32,
	NAME_LONG_MAX = 63
};

/* Are the `len` bytes at `s` such a word, of 1 to `max` bytes? */
bool name_is_valid(const char *s, size_t len, size_t max);
