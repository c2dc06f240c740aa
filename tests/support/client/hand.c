/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/client/hand.h"

#include "base/buf.h"
#include "codec/result.h"
#include "codec/status.h"
#include "spool/move.h"
#include "spool/status.h"
#include "support/spool/completing.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void hand_open(struct hand *h)
{
	struct wq_err err = { 0 };
	const char *tmp = getenv("TMPDIR");
	snprintf(h->path, sizeof h->path, "%s/wq-client-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(h->path));
	int rc = spool_open_server(&h->spool, h->path, &spool_io_real, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void hand_close(struct hand *h)
{
	spool_close(&h->spool);
	ck_assert_int_eq(nftw(h->path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

struct reqid hand_id(const char *id)
{
	struct reqid ret = { 0 };
	ck_assert_msg(reqid_parse(id, strlen(id), &ret), "%s", id);
	return ret;
}

void hand_accept(struct hand *h, const char *id)
{
	ck_assert_int_eq(move_accept(&h->spool, hand_id(id)), 0);
}

void hand_start(struct hand *h, const char *id)
{
	ck_assert_int_eq(move_start(&h->spool, hand_id(id)), 0);
}

void hand_withdraw(struct hand *h, const char *id)
{
	ck_assert_int_eq(move_remove(&h->spool, hand_id(id), SPOOL_PENDING), 0);
}

void hand_complete(struct hand *h, const char *id, uint8_t payload)
{
	struct wq_err err = { 0 };
	struct buf bytes = { 0 };
	struct result result = { .status = RESULT_FAILED,
		.code = 7,
		.attempt = 1,
		.error = "exit-status",
		.text = "it said no",
		.task_manager = "build",
		.plugin = "fork-exec 1.0",
		.key = "a key",
		.label = "a label",
		.accepted_us = 1000000,
		.started_us = 2000000,
		.ended_us = 3000000,
		.waiting_ns = 4,
		.running_ns = 5,
		.payload = { .ptr = &payload, .len = 1 } };
	snprintf(result.id, sizeof result.id, "%s", id);
	ck_assert_int_eq(result_encode(&result, &bytes), 0);
	int rc = complete_all(&h->spool, hand_id(id), bytes.data, bytes.len, NULL, 0, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	buf_fini(&bytes);
}

void hand_run(struct hand *h, const char *id, uint8_t payload)
{
	hand_accept(h, id);
	hand_start(h, id);
	hand_complete(h, id, payload);
}

void hand_put_complete(struct hand *h, const char *id, const void *bytes, size_t len)
{
	int fd = openat(
		h->spool.dir_fd[SPOOL_COMPLETE], id, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

bool hand_has(const struct hand *h, enum spool_state state, const char *id)
{
	return faccessat(h->spool.dir_fd[state], id, F_OK, 0) == 0;
}

void hand_page(struct hand *h, const struct status_page *page)
{
	struct buf bytes = { 0 };
	ck_assert_int_eq(status_page_encode(page, &bytes), 0);
	ck_assert_int_eq(status_write(&h->spool, bytes.data, bytes.len), 0);
	buf_fini(&bytes);
}

void hand_status(struct hand *h, bool accepting, const char *reason, int64_t pid,
	uint64_t request_limit, uint64_t depth, uint64_t hwm_us)
{
	struct status_page page = { .accepting = accepting,
		.pid = pid,
		.request_limit = request_limit,
		.depth = depth,
		.hwm_us = hwm_us,
		.durability = "none",
		.version = "9.8.7" };
	snprintf(page.reason, sizeof page.reason, "%s", reason);
	hand_page(h, &page);
}
