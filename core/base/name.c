/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/name.h"

bool name_is_valid(const char *s, size_t len, size_t max)
{
	for (size_t i = 0; i < len; i++) {
		bool letter = s[i] >= 'a' && s[i] <= 'z';
		bool other = (s[i] >= '0' && s[i] <= '9') || s[i] == '-';
		if (!letter && (i == 0 || !other))
			return false;
	}
	return len > 0 && len <= max;
}
