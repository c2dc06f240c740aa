/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/waiting: wait for results, print them, and only then take them away.  What `wq wait` does,
 * and `wq enqueue --wait` after it has enqueued.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct argp;
struct cli;

struct waiting {
	int64_t timeout_ns; /* WQ_FOREVER */
	bool peek, no_abort, cbor, json, progress;
	bool summary; /* of many: payloads only with --json, a bar, and a line that counts them */
	bool exist;   /* the caller knows that the requests are there, or were a moment ago */
};

/* The options, as a child of a command's argp; its input is a struct waiting. */
extern const struct argp waiting_argp;

/*
 * Wait for all; the first exit status that is not 0, in the order of `ids`.  One whose result somebody
 * else takes away meanwhile is told from the history.
 */
int waiting_run(struct cli *cli, const struct waiting *how, char *const *ids, size_t n);
