/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limit: the resource limits that a request may name and a task manager may set.
 */
#pragma once

#include <stdbool.h>

#include <wq/plugin.h>

enum limit {
	LIMIT_CPU,
	LIMIT_MEMORY,
	LIMIT_FILE_SIZE,
	LIMIT_OPEN_FILES,
	LIMIT_PROCESSES,
	LIMIT_CORE,
	LIMIT_MAX
};

struct limit_kind {
	const char *name; /* in a request */
	const char *unit; /* for people */
	int32_t resource; /* RLIMIT_... */
	int64_t least;    /* that a request may ask for */
};
extern const struct limit_kind limit_kinds[LIMIT_MAX];

struct limits {
	bool is_set[LIMIT_MAX];
	uint64_t value[LIMIT_MAX];
};

/* `own` where it is set, else `general`.  The number of entries written. */
uint32_t limits_merge(
	const struct limits *general, const struct limits *own, struct wq_limit ret[LIMIT_MAX]);
