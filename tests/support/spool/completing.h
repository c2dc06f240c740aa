/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * completing: all steps of a completion in a row, as a server at this spool's durability does them.
 */
#pragma once

#include "spool/complete.h"
#include "spool/sync.h"

static inline int complete_all(struct spool *sp, struct reqid id, const void *result, size_t len,
	const void *reason, size_t reason_len, struct wq_err *err)
{
	int fd = -1;
	int written = complete_write(sp, id, result, len, false, &fd, err);
	if (written < 0)
		return written;
	struct sync_file file = { .fd = fd };
	int rc = sync_now(sp, 1u << SPOOL_RUNNING, &file, fd >= 0);
	if (fd >= 0)
		(void)sp->io->close(fd);
	if (rc == 0)
		rc = file.rc;
	return rc < 0 ? rc
		      : complete_show(sp, id, written == COMPLETE_BESIDE, reason, reason_len, err);
}
