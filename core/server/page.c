/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wq.status: what clients may know without asking, kept up to date.
 */
#include "server/server.h"

#include "base/log.h"
#include "base/time.h"
#include "codec/status.h"
#include "spool/status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool page_accepts(const struct server *s)
{
	return !s->directory_moved && !s->commits.error[0];
}

const char *page_reason(const struct server *s)
{
	if (s->directory_moved)
		return "a state directory was moved under the server";
	if (s->commits.error[0])
		return s->commits.error;
	return s->stopping ? "draining" : "";
}

void page_update(struct server *s, bool running)
{
	if (!s->page_changed && running)
		return;
	struct sched_counts c = sched_counts(s->sched);
	struct status_page page = {
		.accepting = page_accepts(s),
		.hwm_us = s->spool.hwm_us,
		.request_limit = (uint64_t)s->config.request_limit,
		.result_limit = (uint64_t)s->config.result_limit,
		.depth = (uint64_t)c.seen + c.pending,
		.pid = running ? getpid() : 0,
		.started_us = s->started_us,
	};
	/* While it drains, too, what is enqueued is well: the next server has it. */
	if (!page.accepting)
		snprintf(page.reason, sizeof page.reason, "%s", page_reason(s));
	snprintf(page.durability, sizeof page.durability, "%s", s->config.durability);
	snprintf(page.version, sizeof page.version, "%s", WQ_VERSION);
	struct buf bytes = { 0 };
	int rc = status_page_encode(&page, &bytes);
	if (rc == 0)
		rc = status_write(&s->spool, bytes.data, bytes.len);
	buf_fini(&bytes);
	s->page_changed = rc < 0; /* tried again after the next pass */
	if (rc < 0)
		log_warn("cannot write wq.status, clients see an older one: %s", strerror(-rc));
}
