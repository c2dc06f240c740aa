/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/err.h"
#include "base/quantity.h"
#include "base/time.h"
#include "client/client_priv.h"
#include "spool/publish.h"
#include "spool/read.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* Ids in one call; events taken before the deadline is looked at again. */
enum {
	WAIT_MAX = 1000000,
	EVENTS_MAX = 1024
};

#define SAFETY_NS   (30 * NS_PER_S)
#define POLL_MIN_NS (1 * NS_PER_MS)
#define POLL_MAX_NS (1 * NS_PER_S)

/* One call of wq_wait or wq_wait_any. */
struct wait {
	wq_client *client;
	const uint8_t *done; /* NULL: none is */
	size_t n;
	size_t unwatched; /* of those: no event will come, they must be looked at */
	bool only_look;   /* no time to wait: watches would be for nothing */
	size_t index;     /* what the answer is about */
	wq_result *result;
	struct wq_err *err;
};

static bool is_meant(const struct wait *w, size_t i)
{
	return i < w->n && !(w->done && w->done[i]);
}

/* ---- the table of what is watched ------------------------------------------------------------ */

static void unwatch(wq_client *c, size_t i)
{
	if (c->await)
		await_drop(c->await, (unsigned)i);
	c->waited[i].watched = false;
}

static void forget(wq_client *c, size_t i)
{
	unwatch(c, i);
	c->waited[i].id[0] = '\0';
}

static int grow(wq_client *c, size_t n)
{
	if (n <= c->n_waited)
		return 0;
	struct waited *more = realloc(c->waited, n * sizeof *more);
	if (!more)
		return -ENOMEM;
	memset(more + c->n_waited, 0, (n - c->n_waited) * sizeof *more);
	c->waited = more;
	c->n_waited = n;
	return 0;
}

/* Place i is for `id` now.  What is known of the same id from the call before stays. */
static int place(wq_client *c, size_t i, const char *id, struct wq_err *err)
{
	struct waited *w = &c->waited[i];
	if (strncmp(w->id, id, sizeof w->id) == 0 && *id)
		return 0;
	struct reqid reqid;
	int rc = client_parse_id(id, &reqid, err);
	if (rc < 0)
		return rc;
	forget(c, i);
	w->reqid = reqid;
	w->look = true;
	memcpy(w->id, id, sizeof w->id);
	return 0;
}

/* True also for fewer places than before: the others stay for later calls. */
static int prepare(struct wait *w, const char *const *ids)
{
	wq_client *c = w->client;
	size_t meant = 0;
	if (w->n > WAIT_MAX)
		return err_set(
			w->err, -WQ_E_LIMIT, "%zu ids at once, more than %d", w->n, WAIT_MAX);
	if (grow(c, w->n) < 0)
		return err_set(w->err, -ENOMEM, "cannot wait for %zu ids", w->n);
	/* Where there was no inotify instance the last time, there may be one now. */
	if (!w->only_look && (!c->await || await_fd(c->await) < 0)) {
		await_free(c->await);
		c->await = await_new();
		if (!c->await)
			return err_set(w->err, -ENOMEM, "cannot wait");
	}
	for (size_t i = 0; i < w->n; i++) {
		if (!is_meant(w, i)) {
			if (c->waited[i].id[0])
				forget(c, i);
			continue;
		}
		meant++;
		w->index = i;
		int rc = place(c, i, ids[i], w->err);
		if (rc < 0)
			return rc;
		w->unwatched += !c->waited[i].watched;
	}
	return meant ? 0 : err_set(w->err, -EINVAL, "there is nothing to wait for");
}

/* ---- looking --------------------------------------------------------------------------------- */

/* Watch the request where it stands.  Where that fails it is looked at from time to time. */
static void watch(struct wait *w, size_t i)
{
	wq_client *c = w->client;
	struct waited *at = &c->waited[i];
	bool before = at->watched;
	/* Again after each event: the name may stand for another inode by now. */
	unwatch(c, i);
	at->watched = await_add(c->await, &c->spool, at->reqid, (unsigned)i) == 0;
	if (before && !at->watched)
		w->unwatched++;
	else if (!before && at->watched)
		w->unwatched--;
}

static int read_it(struct wait *w, size_t i)
{
	return client_read_result(
		&w->client->spool, w->client->waited[i].reqid, &w->result, w->err);
}

/*
 * Is there a result?  0 and it is in w->result, -EAGAIN: not yet, else a failure.  The order
 * matters: watch, then look, so that what happens after the look is told by an event; and only
 * who stands nowhere, looked for in the direction in which requests move, is gone.
 */
static int find_result(struct wait *w, size_t i)
{
	struct waited *at = &w->client->waited[i];
	at->look = false;
	int rc = read_it(w, i);
	if (rc == -ENOENT && !w->only_look) {
		watch(w, i);
		rc = read_it(w, i);
		if (rc == -ENOENT && at->watched)
			return -EAGAIN;
	}
	if (rc != -ENOENT)
		return rc;
	int state = client_find(w->client, at->reqid);
	if (state < 0)
		return err_set(w->err, state, "cannot look for '%s'", at->id);
	if (state == WQ_STATE_COMPLETE) {
		rc = read_it(w, i);
		if (rc != -ENOENT)
			return rc;
		state = WQ_STATE_GONE;
	}
	if (state != WQ_STATE_GONE)
		return -EAGAIN;
	if (client_is_finished(w->client, at->reqid))
		return err_set(w->err, -WQ_E_GONE,
			"'%s' is finished, and its result has been taken away already; the history "
			"has it",
			at->id);
	return err_set(w->err, -WQ_E_GONE,
		"'%s' is gone: aborted, taken away by somebody else, or never there", at->id);
}

/* -EAGAIN: nothing to report yet; all else is the answer of the call. */
static int look(struct wait *w, size_t i)
{
	int rc = find_result(w, i);
	if (rc == -EAGAIN) {
		w->client->waited[i].look = w->only_look;
		return rc;
	}
	w->index = i;
	if (!w->client->waited[i].watched)
		w->unwatched--;
	forget(w->client, i);
	return rc;
}

enum which {
	LOOK_MARKED,
	LOOK_UNWATCHED,
	LOOK_ALL
};

static int look_over(struct wait *w, enum which which)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct waited *at = &w->client->waited[i];
		if (!is_meant(w, i) || (which == LOOK_MARKED && !at->look) ||
			(which == LOOK_UNWATCHED && at->watched))
			continue;
		int rc = look(w, i);
		if (rc != -EAGAIN)
			return rc;
	}
	return -EAGAIN;
}

/* After an overflow nobody knows what happened to whom. */
static int look_at_all(struct wait *w)
{
	for (size_t i = 0; i < w->client->n_waited; i++)
		w->client->waited[i].look = true;
	return look_over(w, LOOK_MARKED);
}

/* -EAGAIN: nothing to report; `ret_all` says whether all events have been taken. */
static int take_events(struct wait *w, bool *ret_all)
{
	wq_client *c = w->client;
	*ret_all = false;
	for (int n = 0; n < EVENTS_MAX; n++) {
		unsigned slot;
		int rc = await_next(c->await, &slot);
		if (rc == -EAGAIN) {
			*ret_all = true;
			return rc;
		}
		if (rc == -EOVERFLOW) {
			rc = look_at_all(w);
		} else if (rc < 0) {
			return err_set(w->err, rc, "cannot read what happened in the spool");
		} else {
			/* One that is not meant now is looked at when it is. */
			c->waited[slot].look = true;
			rc = is_meant(w, slot) ? look(w, slot) : -EAGAIN;
		}
		if (rc != -EAGAIN)
			return rc;
	}
	return -EAGAIN;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static int sleep_until(struct wait *w, int64_t until_ns)
{
	int64_t left = until_ns - time_mono_ns();
	if (left < 0)
		left = 0;
	struct pollfd p = { .fd = await_fd(w->client->await), .events = POLLIN };
	struct timespec ts = { .tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S };
	if (ppoll(&p, 1, &ts, NULL) < 0)
		return err_set(w->err, -errno, "interrupted while waiting");
	return 0;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int wait_until(struct wait *w, int64_t deadline_ns)
{
	int64_t now = time_mono_ns();
	int64_t safety = time_after(now, SAFETY_NS), pause = POLL_MIN_NS,
		poll_at = time_after(now, pause);
	int rc = look_over(w, LOOK_MARKED);
	while (rc == -EAGAIN) {
		bool all;
		rc = take_events(w, &all);
		if (rc != -EAGAIN)
			break;
		now = time_mono_ns();
		if (now >= deadline_ns) {
			rc = look_over(w, LOOK_ALL);
			return rc == -EAGAIN ? -WQ_E_TIMEOUT : rc;
		}
		if (now >= safety) {
			rc = look_over(w, LOOK_ALL);
			safety = time_after(now, SAFETY_NS);
		} else if (w->unwatched && now >= poll_at) {
			rc = look_over(w, LOOK_UNWATCHED);
			pause = least(2 * pause, POLL_MAX_NS);
			poll_at = time_after(time_mono_ns(), pause);
		} else if (all) {
			int slept = sleep_until(w,
				least(deadline_ns, w->unwatched ? least(safety, poll_at) : safety));
			if (slept < 0)
				return slept;
		}
	}
	return rc;
}

/* The result is in memory.  Of several who take it away, he has it whose unlink succeeds. */
static int take_away(struct wait *w, const char *id, uint32_t flags)
{
	int rc = 0;
	if (!(flags & WQ_WAIT_KEEP))
		rc = wq_collect(w->client, id, w->err);
	if (rc < 0) {
		wq_result_free(w->result);
		w->result = NULL;
	}
	return rc;
}

static int wait_for(struct wait *w, const char *const *ids, int64_t timeout_ns, uint32_t flags)
{
	w->only_look = timeout_ns == 0;
	int rc = prepare(w, ids);
	if (rc < 0)
		return rc;
	if (w->only_look) {
		rc = look_over(w, LOOK_ALL);
		rc = rc == -EAGAIN ? -WQ_E_TIMEOUT : rc;
	} else {
		rc = wait_until(
			w, timeout_ns < 0 ? TIME_NEVER : time_after(time_mono_ns(), timeout_ns));
	}
	return rc == 0 ? take_away(w, ids[w->index], flags) : rc;
}

/* The time has passed.  Say so, and what became of the request. */
static int time_out(
	wq_client *c, const char *id, int64_t timeout_ns, uint32_t flags, struct wq_err *err)
{
	char text[32];
	struct reqid reqid;
	struct wq_err why = { 0 };
	quantity_format_duration(timeout_ns, text);
	int rc = client_parse_id(id, &reqid, err);
	if (rc < 0)
		return rc;
	forget(c, 0);
	if (timeout_ns == 0)
		return err_set(err, -WQ_E_TIMEOUT, "'%s' has no result yet", id);
	if (flags & WQ_WAIT_NO_ABORT)
		return err_set(err, -WQ_E_TIMEOUT, "'%s' has no result after %s; it was left alone",
			id, text);
	if (client_abort(c, reqid, &why) < 0)
		return err_set(err, -WQ_E_TIMEOUT,
			"'%s' has no result after %s, and aborting it failed: %s", id, text,
			why.text);
	return err_set(err, -WQ_E_TIMEOUT, "'%s' has no result after %s; it was aborted", id, text);
}

int wq_wait(wq_client *c, const char *id, int64_t timeout_ns, uint32_t flags, wq_result **ret,
	struct wq_err *err)
{
	struct wait w = { .client = c, .n = 1, .err = err };
	int rc = wait_for(&w, &id, timeout_ns, flags);
	if (rc == -WQ_E_TIMEOUT)
		return time_out(c, id, timeout_ns, flags, err);
	if (rc == 0)
		*ret = w.result;
	return rc;
}

int wq_wait_any(wq_client *c, const char *const *ids, const uint8_t *done, size_t n,
	int64_t timeout_ns, uint32_t flags, size_t *ret_index, wq_result **ret, struct wq_err *err)
{
	struct wait w = { .client = c, .done = done, .n = n, .err = err };
	char text[32];
	int rc = wait_for(&w, ids, timeout_ns, flags);
	if (rc == -WQ_E_TIMEOUT)
		return err_set(
			err, rc, "no result within %s", quantity_format_duration(timeout_ns, text));
	if (n > 0)
		*ret_index = w.index;
	if (rc == 0)
		*ret = w.result;
	return rc;
}
