/* SPDX-License-Identifier: BSD-2-Clause */
#include "environment.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int environment_compare(const char *a, const char *b)
{
	for (;; a++, b++) {
		int x = *a == '=' ? 0 : (unsigned char)*a;
		int y = *b == '=' ? 0 : (unsigned char)*b;
		if (x != y || x == 0)
			return x - y;
	}
}

char **environment_pick(const char *const *names, size_t n)
{
	size_t size = (n + 1) * sizeof(char *), at = 0;
	for (size_t i = 0; i < n; i++) {
		const char *value = getenv(names[i]);
		size += value ? strlen(names[i]) + strlen(value) + 2 : 0;
	}
	char **ret = malloc(size);
	if (!ret)
		return NULL;
	char *to = (char *)(ret + n + 1);
	for (size_t i = 0; i < n; i++) {
		const char *value = getenv(names[i]);
		if (!value)
			continue;
		ret[at++] = to;
		to = stpcpy(to, names[i]);
		*to++ = '=';
		to = stpcpy(to, value) + 1;
	}
	ret[at] = NULL;
	return ret;
}

static int compare(const void *a, const void *b)
{
	return environment_compare(*(const char *const *)a, *(const char *const *)b);
}

const char **environment_merge(const char *const *base, const char *const *own, size_t n_own)
{
	size_t n = 0, at = 0;
	while (base && base[n])
		n++;
	const char **ret = malloc((n + n_own + 1) * sizeof(*ret));
	if (!ret)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (n_own == 0 || !bsearch(&base[i], own, n_own, sizeof(*own), compare))
			ret[at++] = base[i];
	for (size_t i = 0; i < n_own; i++)
		ret[at++] = own[i];
	ret[at] = NULL;
	return ret;
}
