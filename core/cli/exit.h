/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/exit: the exit statuses of wq, which scripts build on.  The table in wq(1) is this one.
 */
#pragma once

#include <stdint.h>

struct wq_result_info;

enum {
	EXIT_FULL = 119,     /* nothing was enqueued: there is no room now */
	EXIT_TIMEOUT = 120,  /* no result in time */
	EXIT_GONE = 121,     /* aborted, or taken away by somebody else */
	EXIT_LOST = 122,     /* lost or expired: nobody knows, or it never ran */
	EXIT_REJECTED = 123, /* the request cannot be used */
	EXIT_KILLED = 124,   /* ended by the server, no signal known */
	EXIT_WQ = 125,       /* wq itself failed */
	EXIT_SIGNAL = 128    /* plus the signal that ended the task */
};

/* Of a result: the task's own status where it has one. */
int exit_of_result(const struct wq_result_info *info);

/* Of a failure of libwq. */
int exit_of_code(int code);
