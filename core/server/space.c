/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done about a file system that gets full.
 *
 * Below min-free no new requests are taken: the gate is closed, and the page says why.  When a write
 * of ours has failed for want of space, the ballast is dropped so that results can be written, and
 * nothing is started until it could be made again.  Both end by themselves; only while one of them
 * lasts is the file system looked at each second.
 */
#include "server/server.h"

#include "base/log.h"
#include "base/quantity.h"
#include "base/time.h"
#include "spool/space.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	LOOK_MS = 1000,
	SPARE_INODES = 16, /* free ones with which it is no more short of them */
	MORE_PART = 5      /* of min-free: so much more than it, and the gate opens again */
};

/* ---- what is enough ---------------------------------------------------------------------------- */

/* What is to stay free; UINT64_MAX where there is no such rule. */
static uint64_t min_bytes(const struct server *s, const struct space_left *left)
{
	const struct config *c = &s->config;
	uint64_t min = UINT64_MAX;
	if (c->min_free_percent >= 0)
		min = left->bytes / 100 * (uint64_t)c->min_free_percent;
	if (c->min_free_bytes >= 0 && (uint64_t)c->min_free_bytes < min)
		min = (uint64_t)c->min_free_bytes;
	return min;
}

static uint64_t min_inodes(const struct server *s, const struct space_left *left)
{
	if (s->config.min_free_percent < 0 || left->inodes == 0)
		return 0;
	return left->inodes * (uint64_t)s->config.min_free_percent / 100;
}

/* What the ballast will take when it is made again is not free. */
static uint64_t free_bytes(const struct server *s, const struct space_left *left)
{
	if (s->space.has_ballast || s->space.no_ballast)
		return left->free_bytes;
	return left->free_bytes > SPACE_BALLAST ? left->free_bytes - SPACE_BALLAST : 0;
}

/* Is it too little?  Once it was, only with a part more than the minimum it is not. */
static bool is_low(uint64_t is, uint64_t min, bool was_low)
{
	return is < min || (was_low && is < min + min / MORE_PART);
}

/* ---- words ------------------------------------------------------------------------------------- */

static void say_why(struct server *s, const struct space_left *left, bool of_bytes)
{
	char is[32], min[32];
	struct space *sp = &s->space;
	if (sp->no_space)
		snprintf(sp->reason, sizeof sp->reason,
			"the file system is full: nothing is started until there is space");
	else if (of_bytes)
		snprintf(sp->reason, sizeof sp->reason,
			"only %s are free on the file system, and min-free is %s",
			quantity_format_size((int64_t)(free_bytes(s, left) >> 10) << 10, is),
			quantity_format_size((int64_t)(min_bytes(s, left) >> 10) << 10, min));
	else
		snprintf(sp->reason, sizeof sp->reason,
			"only %" PRIu64 " inodes are free on the file system, and min-free is "
			"%" PRId64 "%% of %" PRIu64,
			left->free_inodes, s->config.min_free_percent, left->inodes);
}

/* ---- the ballast ------------------------------------------------------------------------------- */

/* Short of space it is made only when as much again is free: else the next small file would be the
 * end of it. */
static bool may_make_ballast(const struct server *s, const struct space_left *left)
{
	uint64_t needed = s->space.no_space ? 2 * SPACE_BALLAST : SPACE_BALLAST;
	bool has_inodes = left->inodes == 0 || left->free_inodes >= SPARE_INODES;
	return left->free_bytes >= needed && (has_inodes || !s->space.no_space);
}

static void make_ballast(struct server *s)
{
	struct space *sp = &s->space;
	int rc = space_make_ballast(&s->spool);
	sp->has_ballast = rc == 0;
	/* Without it there is less to be done when the disk is full, and that is all. */
	if (rc < 0 && !space_is_short(rc)) {
		log_warn(".wq/ballast cannot be made, going on without it: %s", strerror(-rc));
		sp->no_ballast = true;
	}
}

static void end_no_space(struct server *s)
{
	s->space.no_space = false;
	sched_set_no_space(s->sched, false);
	log_notice("there is space again; requests are started");
}

/* ---- the gate ---------------------------------------------------------------------------------- */

static void set_gate(struct server *s, bool closed)
{
	struct space *sp = &s->space;
	int rc = closed ? space_close_gate(&s->spool) : space_open_gate(&s->spool);
	if (rc < 0 && closed != sp->closed)
		log_err("%s cannot be %s, trying again: %s", spool_state_name(SPOOL_REQUESTED),
			closed ? "closed" : "opened", strerror(-rc));
	if (closed && !sp->closed) {
		metrics_count(&s->metrics, METRICS_CLOSED);
		log_warn("no more requests are taken: %s", sp->reason);
	} else if (!closed && sp->closed) {
		log_notice("requests are taken again");
	}
	/* What could not be opened is to be opened still. */
	sp->closed = closed || rc < 0;
}

/* ---- looking ----------------------------------------------------------------------------------- */

static void set_timer(struct server *s)
{
	struct space *sp = &s->space;
	bool soon = sp->closed || sp->no_space || !(sp->has_ballast || sp->no_ballast);
	loop_set_timer(s->loop, sp->timer,
		soon ? time_after(time_mono_ns(), LOOK_MS * NS_PER_MS) : TIME_NEVER);
}

void space_check(struct server *s)
{
	struct space *sp = &s->space;
	struct space_left left;
	int rc = space_look(&s->spool, &left);
	if (rc == 0 && !sp->has_ballast && !sp->no_ballast && may_make_ballast(s, &left)) {
		make_ballast(s);
		rc = space_look(&s->spool, &left);
	}
	if (rc < 0) {
		log_err("cannot look at what is free on the file system: %s", strerror(-rc));
		set_timer(s);
		return;
	}
	sp->left = left;
	if (sp->no_space && (sp->has_ballast || (sp->no_ballast && may_make_ballast(s, &left))))
		end_no_space(s);
	bool was = sp->closed;
	bool bytes = is_low(free_bytes(s, &left), min_bytes(s, &left), was);
	bool inodes = is_low(left.free_inodes, min_inodes(s, &left), was);
	bool closed = sp->no_space || bytes || inodes;
	if (closed)
		say_why(s, &left, bytes);
	if (closed || was)
		set_gate(s, closed);
	s->page_changed = s->page_changed || was || closed;
	set_timer(s);
}

bool space_failed(struct server *s, int rc)
{
	struct space *sp = &s->space;
	if (!space_is_short(rc))
		return false;
	if (!sp->no_space) {
		sp->no_space = true;
		sched_set_no_space(s->sched, true);
		metrics_count(&s->metrics, METRICS_NO_SPACE);
		log_err("there is no space on the file system; nothing is started until there is");
		say_why(s, &sp->left, true);
		set_gate(s, true);
		s->page_changed = true;
	}
	loop_set_timer(s->loop, sp->timer, time_after(time_mono_ns(), LOOK_MS * NS_PER_MS));
	if (!sp->has_ballast)
		return false;
	sp->has_ballast = false;
	int dropped = space_drop_ballast(&s->spool);
	if (dropped < 0)
		log_err("the ballast cannot be dropped: %s", strerror(-dropped));
	return dropped == 0;
}

void space_end(struct server *s)
{
	/* Nobody would open it when there is space again. */
	if (s->space.closed)
		set_gate(s, false);
}
