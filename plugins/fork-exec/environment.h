/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * environment: "NAME=value" texts, where they come from and which of them wins.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The order of two such texts by their names alone; 0: the same name. */
int environment_compare(const char *a, const char *b);

/*
 * Those variables of this process that `names` names, as far as they are set.  NULL at the end; one
 * block, free(3) it.  NULL: no memory.
 */
char **environment_pick(const char *const *names, size_t n);

/*
 * All of `own`, and of `base` (NULL: nothing) what `own` does not name.  `own` is in order of
 * environment_compare.
 * The array is the caller's, its texts are borrowed.  NULL: no memory.
 */
const char **environment_merge(const char *const *base, const char *const *own, size_t n_own);
