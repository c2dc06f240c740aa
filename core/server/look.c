/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * LOOK: tell sched all that is visible in 1-requested and 5-aborting, up to the barrier.
 */
#include "server/server.h"

#include "base/log.h"
#include "base/time.h"
#include "spool/scan.h"

#include <stdlib.h>
#include <string.h>

enum {
	AGAIN_MS = 500 /* after a listing that failed; and where there is no inotify, between two */
};

void look_again_soon(struct server *s)
{
	s->rescan_at_ns = time_after(time_mono_ns(), AGAIN_MS * NS_PER_MS);
}

static void tell(void *arg, enum spool_state state, struct reqid id, const char *name)
{
	struct server *s = arg;
	int rc;
	if (name) {
		/* Names with a dot are of clients that have not finished writing. */
		if (name[0] != '.')
			(void)set_aside(
				s, s->spool.dir_fd[state], name, "bad-name", "not a request id");
		return;
	}
	if (state == SPOOL_REQUESTED)
		rc = sched_seen(s->sched, id, time_mono_ns());
	else
		rc = sched_marked(s->sched, id, time_mono_ns());
	if (rc < 0) {
		log_err("%s: out of memory, not taken yet", ID_TEXT(id));
		look_again_soon(s);
	}
}

struct listing {
	struct server *server;
	enum spool_state state;
};

static int tell_listed(void *arg, struct reqid id, const char *name)
{
	struct listing *l = arg;
	tell(l->server, l->state, id, name);
	return 0;
}

void look_list(struct server *s)
{
	/*
	 * Requests before markers.  The other way round, one that is published and aborted between
	 * the two listings would be seen without its marker.  This way a marker may be seen whose
	 * request was not; sched probes for the subject of a marker that it does not know.
	 */
	struct listing requested = { s, SPOOL_REQUESTED }, aborting = { s, SPOOL_ABORTING };
	s->rescan_at_ns = TIME_NEVER;
	int rc = scan_state(&s->spool, SPOOL_REQUESTED, tell_listed, &requested);
	if (rc == 0)
		rc = scan_state(&s->spool, SPOOL_ABORTING, tell_listed, &aborting);
	if (rc < 0)
		log_err("cannot list the spool, trying again: %s", strerror(-rc));
	if (rc < 0 || !s->watch)
		look_again_soon(s);
}

void look_rescan(struct server *s)
{
	metrics_count(&s->metrics, METRICS_RESCANS);
	look_list(s);
}

static void stop_trusting(struct server *s, const char *name)
{
	if (s->directory_moved)
		return;
	log_err("the directory '%s' of the spool was renamed, removed or replaced under the "
		"server; "
		"nothing more is started",
		name);
	s->directory_moved = true;
	s->page_changed = true;
	s->exit_status = EXIT_FAILURE;
	server_drain(s, "the spool is not what it was");
}

void look_read(struct server *s)
{
	if (!s->watch) {
		look_rescan(s);
		return;
	}
	int rc = watch_look(s->watch, tell, s);
	if (rc < 0)
		log_err("cannot read inotify events: %s", strerror(-rc));
	if (rc > 0 && (rc & WATCH_MOVED))
		stop_trusting(s, watch_moved(s->watch));
	if (rc > 0 && (rc & WATCH_ROOT))
		(void)whereabouts_root(s);
	if (rc > 0 && (rc & WATCH_FILES))
		whereabouts_renew_soon(s);
	if (rc < 0 || (rc & WATCH_OVERFLOW)) {
		metrics_count(&s->metrics, METRICS_OVERFLOWS);
		look_rescan(s);
	}
}

void look_carry_out(struct server *s, const struct sched_decision *d)
{
	(void)d;
	look_read(s);
	sched_looked(s->sched);
}
