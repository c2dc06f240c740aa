/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * support/cli/command: run a command of wq as a process of its own, and see what it said.
 */
#pragma once

#include "cli/cli.h"

struct said {
	int status; /* exit status; -1: it was ended by a signal */
	char out[4096];
	char err[4096];
};

/* argv ends in NULL.  `stdout_to` NULL: said->out, else that file. */
void command_run(struct said *ret, const char *spool, cli_fn *fn, const char *const *argv,
	const char *stdout_to);

#define COMMAND(ret, spool, fn, ...)                                                               \
	command_run(ret, spool, fn, (const char *const[]){ __VA_ARGS__, NULL }, NULL)
