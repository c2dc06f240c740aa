/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/utf8: is this text UTF-8 (RFC 3629), and can a person trust what they see of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed character at `p` (1 to 4), or 0 when there is none. */
size_t utf8_char_len(const char *p, size_t len);

bool utf8_is_valid(const char *p, size_t len);

/* A C1 control or a bidirectional override (U+200E/F, U+202A-E, U+2066-9) of `len` bytes. */
bool utf8_is_deceptive(const char *p, size_t len);
