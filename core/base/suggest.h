/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/suggest: the known name that a person probably meant.
 */
#pragma once

#include <stddef.h>

/*
 * The entry of `names` nearest to `word` by edit distance (insert, delete, change, swap of
 * neighbours), or NULL when none is near: at most one error for every three letters.
 */
const char *suggest_nearest(const char *word, const char *const *names, size_t n_names);
