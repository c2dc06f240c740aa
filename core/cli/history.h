/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/history: list what has an end: complete requests, and those that the history keeps.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct cli;

/* The newest `n` (0: all), newest last, one line each; `json`: each an object.  An exit status. */
int history_list(struct cli *cli, size_t n, bool json);
