/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `wq abort --forget`: a task that is lost, and of which nobody can prove that nothing of it runs, is
 * over all the same, because the operator says so.  Its result says who did.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"
#include "spool/move.h"

#include <wq/cbor.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int bad(struct wq_err *err, const char *what)
{
	return err_set_name(err, -WQ_E_FORMAT, "bad-value", "forget: %s", what);
}

/* { "id": text } */
static int read_id(struct wq_bytes args, struct reqid *ret, struct wq_err *err)
{
	struct wq_cbor_in in;
	struct wq_cbor_item item;
	wq_cbor_in_init(&in, args.ptr, args.len);
	if (args.len == 0 || wq_cbor_next(&in, &item) != 1 || item.type != WQ_CBOR_MAP ||
		item.u != 1)
		return bad(err, "it wants a map with 'id'");
	if (wq_cbor_next(&in, &item) != 1 || item.type != WQ_CBOR_TEXT || item.len != 2 ||
		memcmp(item.ptr, "id", 2) != 0)
		return bad(err, "it takes 'id' and nothing else");
	if (wq_cbor_next(&in, &item) != 1 || item.type != WQ_CBOR_TEXT ||
		!reqid_parse((const char *)item.ptr, item.len, ret))
		return bad(err, "'id' is not the id of a request");
	return 0;
}

static struct task *find(const struct server *s, struct reqid id)
{
	struct task *t = tasks_next(&s->tasks, 0);
	while (t && !reqid_is(t->id, id))
		t = tasks_next(&s->tasks, t->ref);
	return t;
}

/* Why this one is not to be forgotten. */
static int refuse(
	const struct server *s, struct reqid id, const struct task *task, struct wq_err *err)
{
	int state = move_find(&s->spool, id);
	if (state < 0)
		return err_set(err, state, "cannot look for '%s'", ID_TEXT(id));
	if (state == SPOOL_STATE_MAX)
		return err_set_name(
			err, -WQ_E_UNKNOWN, "not-lost", "'%s' is gone already", ID_TEXT(id));
	if (state != SPOOL_RUNNING)
		return err_set_name(err, -WQ_E_STATE, "not-lost",
			"'%s' is not lost: it stands in %s", ID_TEXT(id),
			spool_state_name((enum spool_state)state));
	if (task && task->adopting)
		return err_set_name(err, -WQ_E_STATE, "recovering",
			"'%s' may be found yet: its task manager is asked what became of it, for "
			"as long as recovery-limit says",
			ID_TEXT(id));
	bool runs = task && task->started_ns && !task->ended_ns;
	return err_set_name(err, -WQ_E_STATE, "not-lost", "'%s' is not lost: %s", ID_TEXT(id),
		runs ? "it runs, and 'wq abort' ends it" : "its result is about to come");
}

static void forget(struct server *s, struct task *task, uid_t uid)
{
	char text[WQ_ERR_TEXT_SIZE];
	snprintf(text, sizeof text, "uid %u had it forgotten, and its end was not proved: %s",
		(unsigned)uid, task->text);
	log_warn("%s: forgotten, as uid %u wants it, and its slot is free; what may still run of "
		 "it is "
		 "that user's to look after: %s",
		ID_TEXT(task->id), (unsigned)uid, task->text);
	task_set_outcome(task, RESULT_LOST, "forgotten", text);
	task->lost = TASK_NOT_LOST;
	task->ended_ns = time_mono_ns();
	sched_ended(s->sched, task->id, task->ended_ns);
}

int forget_answer(
	struct server *s, uid_t uid, struct wq_bytes args, struct buf *ret, struct wq_err *err)
{
	struct reqid id;
	struct wq_cbor_out out;
	int rc = read_id(args, &id, err);
	if (rc < 0)
		return rc;
	struct task *task = find(s, id);
	if (!task || !task->lost)
		return refuse(s, id, task, err);
	forget(s, task, uid);
	wq_cbor_out_init(&out);
	wq_cbor_put_map(&out, 1);
	wq_cbor_put_pair(&out, "forgotten", ID_TEXT(id));
	rc = out.err ? -ENOMEM : buf_add(ret, out.buf, out.len);
	wq_cbor_out_free(&out);
	return rc;
}
