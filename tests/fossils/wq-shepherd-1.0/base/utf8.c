/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/utf8.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

size_t utf8_char_len(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	if (len == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || len < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* RFC 3629 section 4: no overlong form, no surrogate, nothing above U+10FFFF. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
		(p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

bool utf8_is_valid(const char *p, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = utf8_char_len(p + i, len - i);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

bool utf8_is_deceptive(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	if (len == 2)
		return p[0] == 0xc2 && p[1] < 0xa0;
	if (len != 3 || p[0] != 0xe2)
		return false;
	return (p[1] == 0x80 && (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xaa && p[2] <= 0xae))) ||
	       (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9);
}

char *utf8_escape(const char *text, size_t len, char *ret, size_t size)
{
	size_t used = 0;
	for (size_t i = 0; i < len;) {
		size_t n = utf8_char_len(text + i, len - i);
		unsigned char c = (unsigned char)text[i];
		char piece[8];
		/* C1 controls and the bidirectional overrides can rewrite what a person sees. */
		if (n == 0 || c < 0x20 || c == 0x7f || utf8_is_deceptive(text + i, n)) {
			size_t bytes = n ? n : 1;
			if (used + 4 * bytes + 1 > size)
				break;
			for (size_t k = 0; k < bytes; k++) {
				snprintf(
					piece, sizeof piece, "\\x%02x", (unsigned char)text[i + k]);
				memcpy(ret + used, piece, 4);
				used += 4;
			}
			i += bytes;
			continue;
		}
		if (used + n + 1 > size)
			break;
		memcpy(ret + used, text + i, n);
		used += n;
		i += n;
	}
	if (size)
		ret[used] = '\0';
	return ret;
}

void utf8_clean(char *text)
{
	size_t len = strlen(text);
	for (size_t at = 0; at < len;) {
		size_t n = utf8_char_len(text + at, len - at);
		unsigned char c = (unsigned char)text[at];
		if (n == 0)
			text[at] = '?';
		else if (c < 0x20 || c == 0x7f)
			text[at] = ' ';
		else if (utf8_is_deceptive(text + at, n))
			memset(text + at, '?', n);
		at += n ? n : 1;
	}
}
