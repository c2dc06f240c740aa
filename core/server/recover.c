/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recovery at start-up: list names only, decide by the table of spool/classify, and bring the spool
 * and sched to where run time would have left them, with the same moves that run time makes.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/fdio.h"
#include "base/log.h"
#include "base/time.h"
#include "codec/result.h"
#include "spool/classify.h"
#include "spool/complete.h"
#include "spool/move.h"
#include "spool/read.h"
#include "spool/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	IN_TMP = SPOOL_STATE_MAX
}; /* one more place than there are states */

struct sighting {
	struct reqid id;
	int place;
};

struct survey {
	struct server *server;
	struct sighting *seen;
	size_t n, cap;
	int place; /* being listed */
	unsigned lost, published, aborted;
};

/* ---- list ---------------------------------------------------------------------------------------
 */

static int note(void *arg, struct reqid id, const char *name)
{
	struct survey *v = arg;
	if (name)
		return 0; /* run time sets strange names aside; tmp may hold probes of its own */
	if (v->n == v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 1024;
		struct sighting *seen = realloc(v->seen, cap * sizeof *seen);
		if (!seen)
			return -ENOMEM;
		v->seen = seen;
		v->cap = cap;
	}
	v->seen[v->n++] = (struct sighting){ id, v->place };
	return 0;
}

static int list_all(struct survey *v)
{
	/* Markers before requests, see look_rescan. */
	static const int order[] = { SPOOL_ABORTING, SPOOL_REQUESTED, SPOOL_PENDING, SPOOL_RUNNING,
		SPOOL_COMPLETE };
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		v->place = order[i];
		int rc = scan_state(&v->server->spool, (enum spool_state)order[i], note, v);
		if (rc < 0)
			return rc;
	}
	v->place = IN_TMP;
	return scan_fd(v->server->spool.tmp_fd, note, v);
}

static int by_id(const void *a, const void *b)
{
	const struct sighting *x = a, *y = b;
	int order = reqid_cmp(x->id, y->id);
	return order ? order : x->place - y->place;
}

/* ---- look at one id -----------------------------------------------------------------------------
 */

static int dir_of(const struct server *s, int place)
{
	return place == IN_TMP ? s->spool.tmp_fd : s->spool.dir_fd[place];
}

static enum finding kind_of(struct server *s, struct reqid id, int place)
{
	static const enum finding kinds[] = { FIND_REQUEST, FIND_RESULT };
	size_t limit = (size_t)(s->config.request_limit > s->config.result_limit
					? s->config.request_limit
					: s->config.result_limit) +
		       REQUEST_ENVELOPE_MAX;
	auto_close int fd = openat(dir_of(s, place), ID_TEXT(id),
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	struct buf bytes = { 0 };
	enum finding found = FIND_NEITHER;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		fdio_read_all(fd, limit, &bytes) == 0) {
		int kind = codec_kind(bytes.data, bytes.len);
		if (kind >= 0)
			found = kinds[kind];
	}
	buf_fini(&bytes);
	return found;
}

static bool same_file(const struct server *s, struct reqid id, int place_a, int place_b)
{
	struct stat a, b;
	return fstatat(dir_of(s, place_a), ID_TEXT(id), &a, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(dir_of(s, place_b), ID_TEXT(id), &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static struct findings examine(struct server *s, struct reqid id, const bool in[IN_TMP + 1])
{
	struct findings f = {
		.in_1 = in[SPOOL_REQUESTED], .in_2 = in[SPOOL_PENDING], .in_5 = in[SPOOL_ABORTING]
	};
	if (in[SPOOL_RUNNING])
		f.in_3 = kind_of(s, id, SPOOL_RUNNING);
	if (in[IN_TMP])
		f.in_tmp = kind_of(s, id, IN_TMP);
	/* A complete one alone is the common case, and good by the order of its publication. */
	bool others = f.in_1 || f.in_2 || f.in_5 || in[SPOOL_RUNNING] || in[IN_TMP];
	if (in[SPOOL_COMPLETE])
		f.in_4 = others ? kind_of(s, id, SPOOL_COMPLETE) : FIND_RESULT;
	for (int later = SPOOL_PENDING; f.in_1 && later <= SPOOL_COMPLETE; later++)
		f.same_1 |= in[later] && same_file(s, id, SPOOL_REQUESTED, later);
	f.same_2 = f.in_2 && in[SPOOL_RUNNING] && same_file(s, id, SPOOL_PENDING, SPOOL_RUNNING);
	return f;
}

/* ---- act ----------------------------------------------------------------------------------------
 */

/* It ends as lost; what a crash has torn is kept for a person to see. */
static int lose(struct survey *v, struct reqid id, bool torn, const char *error, const char *text)
{
	struct server *s = v->server;
	struct buf bytes = { 0 };
	struct request req;
	uid_t uid = 0;
	struct task *task = tasks_add(&s->tasks, id, TASK_NO_TM);
	if (!task)
		return -ENOMEM;
	if (read_request(&s->spool, SPOOL_RUNNING, id, (size_t)s->config.request_limit, 0, &bytes,
		    &uid, NULL) == 0 &&
		request_decode_envelope(bytes.data, bytes.len, &req, NULL) == 0) {
		task_describe(task, &req);
		task->tm = task_managers_find(s, req.task_manager);
	}
	buf_fini(&bytes);
	task->uid = uid;
	task->attempt = 1;
	task->set_aside = torn;
	task_refuse(task, RESULT_LOST, error, text);
	v->lost++;
	return sched_found_running(s->sched, id, task->ref, time_mono_ns());
}

static void warn_left(struct reqid id, const char *what, int rc)
{
	if (rc < 0 && rc != -ENOENT)
		log_warn("%s: recovery: cannot %s: %s", ID_TEXT(id), what, strerror(-rc));
}

/* What stands under the id too often goes. */
static void tidy(struct server *s, struct reqid id, uint32_t what)
{
	static const char twice[] = "another request has this id";
	struct spool *sp = &s->spool;
	if (what & CLASSIFY_UNLINK_1)
		warn_left(id, "unlink its first name", move_remove(sp, id, SPOOL_REQUESTED));
	if (what & CLASSIFY_QUARANTINE_1)
		set_aside(s, sp->dir_fd[SPOOL_REQUESTED], ID_TEXT(id), "duplicate-id", twice);
	if (what & CLASSIFY_UNLINK_2)
		warn_left(id, "unlink its second name", move_remove(sp, id, SPOOL_PENDING));
	if (what & CLASSIFY_QUARANTINE_2)
		set_aside(s, sp->dir_fd[SPOOL_PENDING], ID_TEXT(id), "duplicate-id", twice);
	if (what & CLASSIFY_EXCHANGE)
		warn_left(id, "exchange request and result", complete_exchange(sp, id));
	if (what & CLASSIFY_UNLINK_TMP)
		warn_left(id, "remove a left-over", complete_drop_tmp(sp, id));
	if ((what & CLASSIFY_QUARANTINE_4) && !(what & CLASSIFY_LOST_4))
		set_aside(s, sp->dir_fd[SPOOL_COMPLETE], ID_TEXT(id), "torn", "no whole result");
	if (what & CLASSIFY_UNLINK_3)
		warn_left(id, "unlink what its result has replaced",
			move_remove(sp, id, SPOOL_RUNNING));
}

/* Carry out the mask of classify, in the order of its bits. */
static int act(struct survey *v, struct reqid id, uint32_t what)
{
	struct server *s = v->server;
	struct wq_err err = { 0 };
	int64_t now = time_mono_ns();
	tidy(s, id, what);
	if (what & CLASSIFY_LOST_4)
		warn_left(id, "take back a torn result", move_take_back(&s->spool, id));
	if (what & (CLASSIFY_QUARANTINE_3 | CLASSIFY_LOST_4))
		return lose(v, id, true, "torn", "a crash left no whole request or result");
	if (what & CLASSIFY_PUBLISH) {
		if (complete_resume(&s->spool, id, &err) < 0)
			log_err("%s: recovery: %s", ID_TEXT(id), err.text);
		v->published++;
	}
	/* Tasks ended with the server that ran them, so an abort needs nobody's leave. */
	if (what & CLASSIFY_REMOVE) {
		warn_left(id, "carry out its abort", move_remove_all(&s->spool, id));
		v->aborted++;
	}
	if (what & CLASSIFY_UNMARK) {
		warn_left(id, "remove its marker", move_unmark(&s->spool, id));
		return 0;
	}
	if (what & CLASSIFY_IS_REQUESTED)
		return sched_seen(s->sched, id, now);
	if (what & CLASSIFY_IS_PENDING)
		return sched_found_pending(s->sched, id, now);
	if (what & CLASSIFY_IS_RUNNING)
		return lose(v, id, false, "server-restart",
			"the server ended while it ran; it may or may not have run to its end");
	return 0;
}

static int settle_all(struct survey *v)
{
	for (size_t i = 0; i < v->n;) {
		struct reqid id = v->seen[i].id;
		bool in[IN_TMP + 1] = { 0 };
		for (; i < v->n && reqid_is(v->seen[i].id, id); i++)
			in[v->seen[i].place] = true;
		struct findings f = examine(v->server, id, in);
		int rc = act(v, id, classify(&f));
		if (rc < 0)
			return rc;
	}
	return 0;
}

int recover_spool(struct server *s, struct wq_err *err)
{
	struct survey v = { .server = s };
	int rc = list_all(&v);
	if (rc == 0) {
		if (v.n > 1)
			qsort(v.seen, v.n, sizeof *v.seen, by_id);
		/* Ids from before the last start keep their order with those that come now. */
		if (v.n > 0)
			spool_note_id(&s->spool, v.seen[v.n - 1].id);
		rc = settle_all(&v);
	}
	if (rc == 0)
		rc = spool_commit(&s->spool, (1u << SPOOL_STATE_MAX) - 1);
	free(v.seen);
	if (rc < 0)
		return err_set(err, rc, "cannot recover the spool");
	struct sched_counts c = sched_counts(s->sched);
	log_notice("recovered: %u requested, %u pending, %u lost, %u results published, %u aborts",
		c.seen, c.unsorted, v.lost, v.published, v.aborted);
	return 0;
}
