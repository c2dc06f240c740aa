/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/server_start: a server for who has none.  Only the spool that the configuration of wq-server
 * names gets one; it runs in a session of its own and goes on when wq ends.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "cli/served.h"

struct cli;
struct wq_err;

enum {
	SERVER_START_LIMIT_S = 10, /* for a server to become ready, and for the lock of another */
	SERVER_START_LINES = 5,    /* of its log that are shown when it does not */
	SERVER_START_TAIL = 2048   /* bytes of it that are looked at for them */
};

/*
 * Find and open the spool, as cli_open does; where no server serves it and it is the configured one,
 * start one first.  0, and whether one serves it now, said where none does; or EXIT_WQ with the
 * reason said.
 */
int server_start_open(struct cli *cli, enum served *ret);

/* Where the log of a server that is started goes: "$XDG_STATE_HOME/wq/server.log", else below
 * ~/.local/state.  0; -WQ_E_UNKNOWN: neither is an absolute path; -ENAMETOOLONG. */
int server_start_log_path(char ret[PATH_MAX], struct wq_err *err);

/* How it began. */
struct server_start {
	pid_t pid;
	int status;    /* of waitpid(2), when it has ended */
	bool ready;    /* else it has ended, or */
	bool too_slow; /* it is not ready yet, and goes on */
};

/* Run `program` as a server with its standard output and error in `log_fd`, without the soft limits
 * and, where that may be, the niceness of ours, and wait until it says that it is ready.  0 or -errno with the reason. */
int server_start_run(const char *program, int log_fd, struct server_start *ret, struct wq_err *err);
