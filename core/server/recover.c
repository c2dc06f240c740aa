/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recovery at start-up: list names only, decide by the table of spool/classify, and bring the spool
 * and sched to where run time would have left them, with the same moves that run time makes.  When
 * the system fails one of them the server does not start: nothing is guessed, and the next start
 * begins again.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"
#include "codec/result.h"
#include "spool/census.h"
#include "spool/classify.h"
#include "spool/complete.h"
#include "spool/examine.h"
#include "spool/move.h"
#include "spool/quarantine.h"
#include "spool/read.h"
#include "spool/sync.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char error_torn[] = "torn";

struct recovery {
	struct server *server;
	unsigned running, lost, published, aborted;
	/* What may be done only when all before it is on disk: publish results, and remove markers. */
	struct last_step {
		struct reqid id;
		uint32_t what;
	} * last;
	size_t n_last, cap_last;
};

static enum finding kind_of(const void *bytes, size_t len)
{
	int kind = codec_kind(bytes, len);
	return kind < 0 ? FIND_NEITHER : kind == 0 ? FIND_REQUEST : FIND_RESULT;
}

/* What its file in 3 says of a task that had been started, as far as it can be read. */
static int read_task(struct server *s, struct reqid id, struct task **ret)
{
	struct buf bytes = { 0 };
	struct request req;
	uid_t uid = 0;
	int rc = read_request(
		&s->spool, SPOOL_RUNNING, id, EXAMINE_MAX_BYTES, 0, &bytes, &uid, NULL);
	struct task *task = err_is_system(rc) ? NULL : tasks_add(&s->tasks, id, TASK_NO_TM);
	if (!task) {
		buf_fini(&bytes);
		return err_is_system(rc) ? rc : -ENOMEM;
	}
	if (rc == 0 && request_decode_envelope(bytes.data, bytes.len, &req, NULL) == 0) {
		task_describe(task, &req);
		task->tm = task_managers_find(s, req.task_manager);
		task->on_crash = policy_of(s, task->tm, &req);
		if (task->tm >= 0)
			task->run_limit_ns = task_managers_run_limit(s, task->tm, &req);
	}
	buf_fini(&bytes);
	task->uid = uid;
	task->attempt = attempt_of(s, id);
	*ret = task;
	return 0;
}

/* It ends as lost; what a crash has torn is kept for a person to see. */
static int lose(
	struct recovery *v, struct task *task, bool torn, const char *error, const char *text)
{
	task->set_aside = torn;
	task_set_outcome(task, RESULT_LOST, error, text);
	v->lost++;
	return sched_found_lost(v->server->sched, task->id, task->ref, time_mono_ns());
}

static int lose_torn(struct recovery *v, struct reqid id)
{
	struct task *task;
	int rc = read_task(v->server, id, &task);
	return rc < 0 ? rc
		      : lose(v, task, true, error_torn, "a crash left no whole request or result");
}

/* Its task manager says what became of it, when it can be asked; what cannot outlive a server has
 * not.  The slot of one whose task manager is no more is one of the default one's. */
static int find_running(struct recovery *v, struct reqid id)
{
	struct server *s = v->server;
	struct task *task;
	int rc = read_task(s, id, &task);
	if (rc < 0)
		return rc;
	uint32_t tm = task->tm >= 0 ? (uint32_t)task->tm : s->default_tm;
	rc = sched_found_running(s->sched, id, tm, task->ref, time_mono_ns());
	if (rc < 0)
		return rc;
	adopt_found(s, task);
	v->running += task->adopting;
	v->lost += !task->adopting;
	return 0;
}

/* Its client may have withdrawn it since the names were listed. */
static int unless_gone(int rc)
{
	return rc == -ENOENT ? 0 : rc;
}

static int set_twin_aside(struct server *s, struct reqid id, enum spool_state state)
{
	return unless_gone(set_aside(s, s->spool.dir_fd[state], ID_TEXT(id), "duplicate-id",
		"another request has this id"));
}

/* 1: the request that this result answers was unusable, so it goes to quarantine when the result is
 * out, whoever comes to do that; 0; -errno. */
static int read_reason(struct server *s, int dir_fd, struct reqid id, struct wq_cbor_out *ret_why)
{
	struct buf bytes = { 0 };
	struct result r;
	int rc = examine_read(&s->spool, dir_fd, ID_TEXT(id), &bytes);
	if (rc == 0 && result_decode(bytes.data, bytes.len, &r, NULL) == 0 &&
		(r.status == RESULT_REJECTED ||
			(r.status == RESULT_LOST && strcmp(r.error, error_torn) == 0))) {
		aside_explain(ret_why, r.uid, r.error, r.text);
		rc = 1;
	}
	buf_fini(&bytes);
	return rc == -ENOENT || rc == -EMEDIUMTYPE ? 0 : rc;
}

/* What its result has replaced: unlinked, or kept in quarantine. */
static int retire(struct server *s, struct reqid id, int from_fd)
{
	const int answers[] = { s->spool.dir_fd[SPOOL_COMPLETE], s->spool.finished_fd };
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		uint8_t why[ASIDE_WHY_SIZE];
		struct wq_cbor_out out;
		wq_cbor_out_fixed(&out, why, sizeof why);
		int rc = read_reason(s, answers[i], id, &out);
		if (rc < 0)
			return rc;
		if (rc == 1 && quarantine_put(&s->spool, from_fd, ID_TEXT(id), why, out.len) == 0) {
			metrics_count(&s->metrics, METRICS_QUARANTINED);
			return 0;
		}
	}
	return from_fd == s->spool.tmp_fd ? complete_drop_tmp(&s->spool, id)
					  : move_remove(&s->spool, id, SPOOL_RUNNING);
}

/* What stands under the id too often goes. */
static int tidy(struct server *s, struct reqid id, uint32_t what)
{
	struct spool *sp = &s->spool;
	int rc = 0;
	if (what & CLASSIFY_UNLINK_1)
		rc = unless_gone(move_remove(sp, id, SPOOL_REQUESTED));
	if (what & CLASSIFY_QUARANTINE_1)
		rc = set_twin_aside(s, id, SPOOL_REQUESTED);
	if (rc == 0 && (what & CLASSIFY_UNLINK_2))
		rc = move_remove(sp, id, SPOOL_PENDING);
	if (rc == 0 && (what & CLASSIFY_QUARANTINE_2))
		rc = set_twin_aside(s, id, SPOOL_PENDING);
	if (rc == 0 && (what & CLASSIFY_EXCHANGE))
		rc = complete_exchange(sp, id);
	if (rc == 0 && (what & CLASSIFY_UNLINK_TMP))
		rc = retire(s, id, sp->tmp_fd);
	if (rc == 0 && (what & CLASSIFY_QUARANTINE_4) && !(what & CLASSIFY_LOST_4))
		rc = unless_gone(set_aside(
			s, sp->dir_fd[SPOOL_COMPLETE], ID_TEXT(id), "torn", "no whole result"));
	if (rc == 0 && (what & CLASSIFY_UNLINK_3))
		rc = retire(s, id, sp->dir_fd[SPOOL_RUNNING]);
	return rc;
}

static int publish(struct recovery *v, struct reqid id)
{
	struct spool *sp = &v->server->spool;
	struct wq_err err = { 0 };
	uint8_t why[ASIDE_WHY_SIZE];
	struct wq_cbor_out out;
	wq_cbor_out_fixed(&out, why, sizeof why);
	int rc = read_reason(v->server, sp->dir_fd[SPOOL_RUNNING], id, &out);
	if (rc < 0)
		return rc;
	rc = complete_show(sp, id, false, rc == 1 ? why : NULL, out.len, &err);
	if (rc == -EEXIST) { /* it is in quarantine */
		log_warn("%s: recovery: %s", ID_TEXT(id), err.text);
		return 0;
	}
	if (rc == COMPLETE_LEFT)
		left_add(v->server, id, false, why, out.len);
	v->published += rc >= 0;
	return rc < 0 ? rc : 0;
}

static int put_last(struct recovery *v, struct reqid id, uint32_t what)
{
	if (v->n_last == v->cap_last) {
		size_t cap = v->cap_last ? v->cap_last * 2 : 64;
		struct last_step *last = realloc(v->last, cap * sizeof *last);
		if (!last)
			return -ENOMEM;
		v->last = last;
		v->cap_last = cap;
	}
	v->last[v->n_last++] = (struct last_step){ id, what };
	return 0;
}

static int act_last(struct recovery *v, const struct last_step *last)
{
	int rc = last->what & CLASSIFY_PUBLISH ? publish(v, last->id) : 0;
	if (rc == 0 && (last->what & CLASSIFY_UNMARK))
		rc = unless_gone(move_unmark(&v->server->spool, last->id));
	return rc < 0 ? rc : 0;
}

/* A result that a crash has left in 3 is on disk perhaps; its name comes with the directory. */
static int sync_result(const struct spool *sp, struct reqid id)
{
	if (sp->durability == SPOOL_DURABILITY_NONE || sp->sync_whole)
		return 0;
	struct sync_file file = { .fd = complete_open(sp, id) };
	if (file.fd < 0)
		return file.fd;
	(void)sync_now(sp, 0, &file, 1);
	(void)sp->io->close(file.fd);
	return file.rc;
}

/* What it is now goes to sched. */
static int tell(struct recovery *v, struct reqid id, uint32_t what)
{
	struct sched *sched = v->server->sched;
	if (what & CLASSIFY_IS_REQUESTED)
		return sched_seen(sched, id, time_mono_ns());
	if (what & CLASSIFY_IS_PENDING)
		return sched_found_pending(sched, id, time_mono_ns());
	if (what & CLASSIFY_IS_RUNNING)
		return find_running(v, id);
	return 0;
}

/*
 * Carry out the mask of classify, in the order of its bits; but a torn result is taken back first,
 * because one that is left alone in 4 would not be looked at by the next start; and what others see is
 * left for last.
 */
static int act(struct recovery *v, struct reqid id, uint32_t what)
{
	struct spool *sp = &v->server->spool;
	int rc = what & CLASSIFY_LOST_4 ? move_take_back(sp, id) : 0;
	if (rc == 0)
		rc = tidy(v->server, id, what);
	if (rc == 0 && (what & (CLASSIFY_QUARANTINE_3 | CLASSIFY_LOST_4)))
		return lose_torn(v, id);
	if (rc == 0 && (what & CLASSIFY_PUBLISH))
		rc = sync_result(sp, id);
	if (rc == 0 && (what & CLASSIFY_REMOVE)) {
		rc = move_remove_all(sp, id);
		v->aborted++;
	}
	if (rc == 0 && (what & (CLASSIFY_PUBLISH | CLASSIFY_UNMARK)))
		return put_last(v, id, what);
	return rc < 0 ? rc : tell(v, id, what);
}

/*
 * An abort of a request that was running takes effect when its task has ended, not before: the marker
 * stays, and is met again when the directories are listed.
 */
static int keep_if_running(
	struct recovery *v, struct reqid id, const struct findings *f, uint32_t *what)
{
	struct task *task;
	if (!(*what & CLASSIFY_REMOVE) || f->in_3 != FIND_REQUEST || f->in_4 != FIND_NONE ||
		f->in_tmp == FIND_RESULT)
		return 0;
	int rc = read_task(v->server, id, &task);
	if (rc < 0)
		return rc;
	if (adopt_may_run(v->server, task)) {
		struct findings unmarked = *f;
		unmarked.in_5 = false;
		*what = classify(&unmarked);
	}
	tasks_drop(&v->server->tasks, task->ref);
	return 0;
}

static int settle_all(struct recovery *v, struct census *c, struct wq_err *err)
{
	struct reqid id;
	unsigned places;
	while (census_next(c, &id, &places)) {
		struct findings f;
		int rc = examine(&v->server->spool, id, places, kind_of, &f);
		uint32_t what = rc == 0 ? classify(&f) : 0;
		if (rc == 0)
			rc = keep_if_running(v, id, &f, &what);
		if (rc == 0)
			rc = act(v, id, what);
		if (rc < 0)
			return err_set(err, rc, "cannot recover request '%s'", ID_TEXT(id));
		/* Accepted ids keep their order with those that come now. */
		if (places & (1u << SPOOL_PENDING | 1u << SPOOL_RUNNING))
			spool_note_id(&v->server->spool, id);
	}
	return 0;
}

static int settle_last(struct recovery *v, struct wq_err *err)
{
	int rc = sync_now(&v->server->spool, SYNC_ALL, NULL, 0);
	if (rc < 0)
		return err_set(err, rc, "cannot bring the recovered spool to disk");
	for (size_t i = 0; i < v->n_last; i++) {
		rc = act_last(v, &v->last[i]);
		if (rc < 0)
			return err_set(
				err, rc, "cannot recover request '%s'", ID_TEXT(v->last[i].id));
	}
	return 0;
}

/* What is found may be there for processes only: it counts when it is on disk. */
static int settle(struct recovery *v, struct census *c, struct wq_err *err)
{
	int rc = sync_now(&v->server->spool, SYNC_ALL, NULL, 0);
	if (rc < 0)
		return err_set(err, rc, "cannot bring the spool to disk before recovery");
	rc = settle_all(v, c, err);
	return rc < 0 ? rc : settle_last(v, err);
}

int recover_spool(struct server *s, struct wq_err *err)
{
	/* Markers first, then in the order of a life: so the request of each marker that is seen is
	 * seen too, and a marker that stands alone has none.  One that comes later stays, and is met
	 * when the directories are looked at. */
	static const int places[] = { SPOOL_ABORTING, SPOOL_REQUESTED, SPOOL_PENDING, SPOOL_RUNNING,
		SPOOL_COMPLETE, CENSUS_TMP };
	struct recovery v = { .server = s };
	struct census c = { 0 };
	int rc = attempts_load(s, err);
	if (rc < 0)
		return rc;
	rc = census_take(&c, &s->spool, places, sizeof places / sizeof *places);
	if (rc < 0)
		err_set(err, rc, "cannot list the spool");
	else
		rc = settle(&v, &c, err);
	census_fini(&c);
	free(v.last);
	if (rc < 0)
		return rc;
	attempts_tidy(s);
	struct sched_counts counts = sched_counts(s->sched);
	log_notice("recovered: %u requested, %u pending, %u running, %u lost, %u results "
		   "published, %u aborts",
		counts.seen, counts.pending, v.running, v.lost, v.published, v.aborted);
	return 0;
}
