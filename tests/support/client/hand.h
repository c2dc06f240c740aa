/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * support/client/hand: a spool in a directory of its own, and a server played by hand: the test
 * says which request moves when.
 */
#pragma once

#include <wq/client.h>

#include "spool/spool.h"

struct hand {
	char path[64];
	struct spool spool; /* opened as the server */
};

void hand_open(struct hand *h);

/* Close, and remove all that the spool holds. */
void hand_close(struct hand *h);

struct reqid hand_id(const char *id);

void hand_accept(struct hand *h, const char *id);   /* 1 -> 2 */
void hand_start(struct hand *h, const char *id);    /* 2 -> 3 */
void hand_withdraw(struct hand *h, const char *id); /* an abort: out of 2 */

/* 3 -> 4, with a payload of one byte. */
void hand_complete(struct hand *h, const char *id, uint8_t payload);

/* All the way from 1 to 4. */
void hand_run(struct hand *h, const char *id, uint8_t payload);

/* Bytes in the result's place in 4, whatever they are. */
void hand_put_complete(struct hand *h, const char *id, const void *bytes, size_t len);

bool hand_has(const struct hand *h, enum spool_state state, const char *id);

struct status_page;
void hand_page(struct hand *h, const struct status_page *page); /* wq.status */

/* The same; request_limit 0: none. */
void hand_status(struct hand *h, bool accepting, const char *reason, int64_t pid,
	uint64_t request_limit, uint64_t depth, uint64_t hwm_us);
