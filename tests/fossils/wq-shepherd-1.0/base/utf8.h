/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/utf8: is this text UTF-8 (RFC 3629), and can a person trust what they see of it; else, make
 * it so.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed character at `p` (1 to 4), or 0 when there is none. */
size_t utf8_char_len(const char *p, size_t len);

bool utf8_is_valid(const char *p, size_t len);

/* A C1 control or a bidirectional override (U+200E/F, U+202A-E, U+2066-9) of `len` bytes. */
bool utf8_is_deceptive(const char *p, size_t len);

/*
 * Write `text` so that it is safe in one line of a log or a terminal: control bytes, what is deceptive
 * and invalid UTF-8 become C escapes.  A backslash stays, so that what is escaped already does not
 * change.  Always ends in NUL; a too long text is cut.
 * Returns `ret`.
 */
char *utf8_escape(const char *text, size_t len, char *ret, size_t size);

/* The same in place, with a loss: control bytes become blanks, the others '?'. */
void utf8_clean(char *text);
