/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shepherd/launch: what start.c and its child share while execve is on its way, and what a failure
 * of it means.
 */
#pragma once

#include <limits.h>

#include "shepherd/start.h"

/* Where the child was when something failed. */
enum launch_stage {
	LAUNCH_RUNS, /* nothing failed */
	LAUNCH_CGROUP,
	LAUNCH_FILES,
	LAUNCH_DIR,
	LAUNCH_ALLOWED,
	LAUNCH_LIMIT,
	LAUNCH_EXEC
};

enum {
	LAUNCH_PATH_MAX = PATH_MAX + NAME_MAX + 2
};

struct launch {
	const struct start_order *order;
	const char *search; /* PATH, where argv[0] is looked for; NULL: it is a path */
	char **allowed;     /* dirs_allowed, symbolic links followed; NULL: anywhere */

	/* Written by the child. */
	enum launch_stage stage;
	int error;       /* errno */
	uint32_t n;      /* LAUNCH_LIMIT: which one */
	char *directory; /* LAUNCH_ALLOWED: where it was; PATH_MAX */
	char *candidate; /* LAUNCH_PATH_MAX: of the search, what is tried */
	char *noted;     /* LAUNCH_PATH_MAX: what is worth a word; "" for none */
};

/* Put the sentence and the name.  -errno of the failure. */
int launch_explain(const struct launch *l, struct wq_err *err);
