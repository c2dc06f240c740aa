/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec/status: what wq.status tells clients.  A map under tag 55799 and a check item, at most
 * STATUS_SIZE bytes; zeros may follow.  docs/wq-status.cddl.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct wq_err;

struct status_page {
	bool accepting;
	char why[24];           /* why not, a stable word; "" when accepting */
	char reason[128];       /* the same for people */
	uint64_t hwm_us;        /* id high-water mark */
	uint64_t request_limit; /* bytes */
	uint64_t result_limit;
	uint64_t depth;       /* requests not started yet */
	uint64_t queue_limit; /* and how many there may be; 0: not known */
	char durability[16];  /* "none", "batch", "strict" */
	char version[32];     /* of the server */
	int64_t pid;          /* 0: it has stopped in order */
	int64_t started_us;
};

int status_page_encode(const struct status_page *page, struct buf *ret);
int status_page_decode(const void *bytes, size_t len, struct status_page *ret, struct wq_err *err);
