/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * LOOK: tell sched all that is visible in 1-requested and 5-aborting, up to the barrier.
 */
#include "server/server.h"

#include "base/log.h"
#include "base/time.h"
#include "spool/scan.h"

#include <string.h>

static void tell(void *arg, enum spool_state state, struct reqid id, const char *name)
{
	struct server *s = arg;
	int rc;
	if (name) {
		/* Names with a dot are of clients that have not finished writing. */
		if (name[0] != '.')
			set_aside(s, s->spool.dir_fd[state], name, "bad-name", "not a request id");
		return;
	}
	if (state == SPOOL_REQUESTED)
		rc = sched_seen(s->sched, id, time_mono_ns());
	else
		rc = sched_marked(s->sched, id, time_mono_ns());
	if (rc < 0) /* the safety look finds it again */
		log_err("%s: out of memory, not taken yet", ID_TEXT(id));
}

struct rescan {
	struct server *server;
	enum spool_state state;
};

static int tell_listed(void *arg, struct reqid id, const char *name)
{
	struct rescan *r = arg;
	tell(r->server, r->state, id, name);
	return 0;
}

int look_rescan(struct server *s)
{
	/*
	 * Markers are listed before requests, so that a request published with its marker between
	 * the two listings is not run; sched probes for the subject of a marker that it does not
	 * know.
	 */
	struct rescan aborting = { s, SPOOL_ABORTING }, requested = { s, SPOOL_REQUESTED };
	metrics_count(&s->metrics, METRICS_RESCANS);
	int rc = scan_state(&s->spool, SPOOL_ABORTING, tell_listed, &aborting);
	if (rc == 0)
		rc = scan_state(&s->spool, SPOOL_REQUESTED, tell_listed, &requested);
	if (rc < 0)
		log_err("cannot list the spool: %s", strerror(-rc));
	return rc;
}

static void stop_trusting(struct server *s)
{
	if (!s->directory_moved)
		log_err("a state directory was renamed, removed or unmounted under the server; "
			"nothing more is started");
	s->directory_moved = true;
	s->page_changed = true;
	sched_stop(s->sched);
}

void look_carry_out(struct server *s, const struct sched_decision *d)
{
	(void)d;
	if (!s->watch) {
		look_rescan(s);
	} else {
		int rc = watch_look(s->watch, tell, s);
		if (rc < 0)
			log_err("cannot read inotify events: %s", strerror(-rc));
		if (rc > 0 && (rc & WATCH_MOVED))
			stop_trusting(s);
		if (rc < 0 || (rc & WATCH_OVERFLOW)) {
			metrics_count(&s->metrics, METRICS_OVERFLOWS);
			look_rescan(s);
		}
	}
	sched_looked(s->sched);
}
