/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/room: who enqueues while the server takes no requests, because as many wait already as may or
 * because its file system gets full, waits until it does; or fails at once where that is asked for.
 */
#pragma once

#include <stdbool.h>

struct argp;
struct cli;
struct wq_err;

struct room {
	bool no_block;
	bool said; /* that it is waited for */
};

/* --no-block, as a child of a command's argp; its input is a struct room. */
extern const struct argp room_argp;

/*
 * What to do about a failure of wq_enqueue.  0: there is room now, try again.  Else the exit status of
 * wq, and nothing has been said.
 */
int room_wait(struct cli *cli, struct room *room, int code, const struct wq_err *err);
