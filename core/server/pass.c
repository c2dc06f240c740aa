/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pass: ask sched for decisions and carry each out, until there is none or the bound is reached
 * (then the loop serves everybody else and comes back at once).
 */
#include "server/server.h"

#include "base/log.h"
#include "base/time.h"

#include <string.h>

enum {
	DECISIONS_A_PASS = 4096,
	AHEAD_A_PASS = 64, /* envelopes that nobody needs yet */
	RETRY_MS = 1000
};

typedef void carry_out_fn(struct server *s, const struct sched_decision *d);

static carry_out_fn *const carry_out[SCHED_KIND_MAX] = {
	[SCHED_LOOK] = look_carry_out,
	[SCHED_ACCEPT] = accept_carry_out,
	[SCHED_PROBE] = probe_carry_out,
	[SCHED_REMOVE] = remove_carry_out,
	[SCHED_UNMARK] = unmark_carry_out,
	[SCHED_SORT] = sort_carry_out,
	[SCHED_ASK] = ask_carry_out,
	[SCHED_START] = start_carry_out,
	[SCHED_EXPIRE] = expire_carry_out,
	[SCHED_PUT_BACK] = put_back_carry_out,
	[SCHED_TERMINATE] = terminate_carry_out,
	[SCHED_REAP] = reap_carry_out,
	[SCHED_COMPLETE] = complete_carry_out,
};

/* One line for each pass that changed something, as the Python original wrote it. */
static bool note_changes(struct server *s)
{
	const struct pass_changes *c = &s->changes;
	if (!c->accepted && !c->started && !c->aborted && !c->completed)
		return false;
	struct sched_counts now = sched_counts(s->sched);
	log_info("pass: %u new, %u started, %u aborted, %u completed; %u pending, %u running",
		c->accepted, c->started, c->aborted, c->completed, now.pending, now.running);
	s->page_changed = true;
	s->changes = (struct pass_changes){ 0 };
	return true;
}

void pass_defer(struct server *s, const struct sched_decision *d)
{
	sched_defer(s->sched, d->id, time_after(time_mono_ns(), RETRY_MS * NS_PER_MS));
}

/* With nothing else to do: what is found so may have to be answered before its turn comes. */
static unsigned look_ahead(struct server *s)
{
	struct sched_decision d;
	unsigned n = 0;
	while (n < AHEAD_A_PASS && sched_look_ahead(s->sched, time_mono_ns(), &d)) {
		carry_out[d.kind](s, &d);
		n++;
	}
	s->pass_unfinished = n > 0;
	return n;
}

void server_pass(struct server *s)
{
	struct sched_decision d;
	unsigned n = 0;
	while (n < DECISIONS_A_PASS && sched_next(s->sched, time_mono_ns(), &d)) {
		carry_out[d.kind](s, &d);
		n++;
	}
	commit_flush(s);
	s->pass_unfinished = n == DECISIONS_A_PASS || adopt_release(s);
	if (!s->pass_unfinished)
		n += look_ahead(s);
	if (n > 0)
		metrics_count(&s->metrics, METRICS_TICKS);
	int64_t due = sched_due(s->sched);
	due = due < s->rescan_at_ns ? due : s->rescan_at_ns;
	loop_set_timer(s->loop, s->due_timer, due < s->adopt_at_ns ? due : s->adopt_at_ns);
	if (note_changes(s))
		space_check(s);
	/* What a failing disk says of results is nothing to remove any by. */
	if (!s->stopping && !s->commits.error[0] && retain_step(s))
		s->pass_unfinished = true;
	page_update(s, true);
}
