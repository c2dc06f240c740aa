/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/suggest.h"

#include <string.h>

enum {
	LONGEST = 63
};

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;
	return m < c ? m : c;
}

/* Optimal string alignment distance, two rows back kept for the swap. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t rows[3][LONGEST + 2];
	for (size_t j = 0; j <= m; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *now = rows[i % 3], *last = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];
		now[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t change = last[j - 1] + (a[i - 1] != b[j - 1]);
			now[j] = min3(last[j] + 1, now[j - 1] + 1, change);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
	}
	return rows[n % 3][m];
}

const char *suggest_nearest(const char *word, const char *const *names, size_t n_names)
{
	size_t len = strlen(word);
	if (len == 0 || len > LONGEST)
		return NULL;
	const char *best = NULL;
	size_t best_distance = len / 3 + 1; /* one more than is allowed */
	for (size_t i = 0; i < n_names; i++) {
		size_t m = strlen(names[i]);
		if (m == 0 || m > LONGEST)
			continue;
		size_t d = distance(word, len, names[i], m);
		if (d < best_distance) {
			best = names[i];
			best_distance = d;
		}
	}
	return best;
}
