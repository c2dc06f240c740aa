/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wq.status: what clients may know without asking, kept up to date.
 */
#include "server/server.h"

#include "base/log.h"
#include "base/time.h"
#include "codec/status.h"
#include "spool/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint64_t depth(const struct server *s)
{
	struct sched_counts c = sched_counts(s->sched);
	return (uint64_t)c.seen + c.pending;
}

const char *page_why(const struct server *s)
{
	if (s->directory_moved)
		return "directory-moved";
	if (s->commits.error[0])
		return "storage-error";
	if (s->space.closed)
		return "no-space";
	return depth(s) >= (uint64_t)s->config.queue_limit ? "queue-full" : "";
}

const char *page_reason(const struct server *s, char *ret, size_t size)
{
	if (s->directory_moved)
		snprintf(ret, size, "a state directory was moved under the server");
	else if (s->commits.error[0])
		snprintf(ret, size, "%s", s->commits.error);
	else if (s->space.closed)
		snprintf(ret, size, "%s", s->space.reason);
	else if (page_why(s)[0])
		snprintf(ret, size,
			"the queue is full: %" PRIu64 " requests wait, and queue-limit is %" PRId64,
			depth(s), s->config.queue_limit);
	else
		snprintf(ret, size, "%s", s->stopping ? "draining" : "");
	return ret;
}

void page_update(struct server *s, bool running)
{
	if (!s->page_changed && running)
		return;
	const char *why = running || s->directory_moved ? page_why(s) : "";
	struct status_page page = {
		.accepting = !why[0],
		.hwm_us = s->spool.hwm_us,
		.request_limit = (uint64_t)s->config.request_limit,
		.result_limit = (uint64_t)s->config.result_limit,
		.depth = depth(s),
		.queue_limit = (uint64_t)s->config.queue_limit,
		.pid = running ? getpid() : 0,
		.started_us = s->started_us,
	};
	/* While it drains, too, what is enqueued is well: the next server has it. */
	snprintf(page.why, sizeof page.why, "%s", why);
	if (!page.accepting)
		page_reason(s, page.reason, sizeof page.reason);
	snprintf(page.durability, sizeof page.durability, "%s", s->config.durability);
	snprintf(page.version, sizeof page.version, "%s", WQ_VERSION);
	struct buf bytes = { 0 };
	int rc = status_page_encode(&page, &bytes);
	if (rc == 0)
		rc = status_write(&s->spool, bytes.data, bytes.len);
	buf_fini(&bytes);
	s->page_changed = rc < 0; /* tried again after the next pass */
	if (rc == 0)
		return;
	log_warn("cannot write wq.status, clients see an older one: %s", strerror(-rc));
	if (running)
		whereabouts_renew_soon(s); /* and that comes */
}
