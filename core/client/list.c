/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/buf.h"
#include "base/err.h"
#include "client/client_priv.h"
#include "codec/request.h"
#include "codec/result.h"
#include "spool/read.h"
#include "spool/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Three rounds, as requests move while we read. */
enum {
	DETAILS_ROUNDS = 3
};

/* ---- list ------------------------------------------------------------------------------------ */

struct seen {
	struct reqid id;
	enum spool_state state;
};

struct listing {
	struct buf all;         /* struct seen */
	enum spool_state state; /* that is being read */
};

static int add(void *arg, struct reqid id, const char *name)
{
	struct listing *l = arg;
	struct seen seen = { .id = id, .state = l->state };
	return name ? 0 : buf_add(&l->all, &seen, sizeof seen); /* `name`: no id, so no request */
}

static int by_id_then_state(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	int order = reqid_cmp(x->id, y->id);
	return order ? order : (int)x->state - (int)y->state;
}

/* In the order in which requests move: one that moves on meanwhile is seen twice, not never. */
static int read_states(wq_client *c, struct listing *l, struct wq_err *err)
{
	for (l->state = SPOOL_REQUESTED; l->state < SPOOL_STATE_MAX; l->state++) {
		int rc = scan_state(&c->spool, l->state, add, l);
		if (rc < 0)
			return err_set(err, rc, "cannot list '%s'", spool_state_name(l->state));
	}
	return 0;
}

static int tell(
	const struct seen *seen, size_t n, int (*fn)(void *, const struct wq_entry *), void *arg)
{
	char id[REQID_SIZE];
	for (size_t i = 0; i < n;) {
		struct reqid reqid = seen[i].id;
		struct wq_entry entry = { .struct_size = sizeof entry };
		for (; i < n && reqid_is(seen[i].id, reqid); i++) {
			if (seen[i].state == SPOOL_ABORTING)
				entry.aborting = 1;
			else
				entry.state = (int32_t)seen[i].state + WQ_STATE_REQUESTED;
		}
		/* A mark alone: what it was for is gone. */
		if (entry.state == 0)
			continue;
		entry.id = reqid_format(reqid, id);
		entry.made_us = (int64_t)reqid.us;
		int rc = fn(arg, &entry);
		if (rc)
			return rc;
	}
	return 0;
}

int wq_list(wq_client *c, int (*fn)(void *arg, const struct wq_entry *entry), void *arg,
	struct wq_err *err)
{
	struct listing l = { 0 };
	int rc = read_states(c, &l, err);
	struct seen *seen = (void *)l.all.data;
	size_t n = l.all.len / sizeof *seen;
	if (n)
		qsort(seen, n, sizeof *seen, by_id_then_state);
	if (rc == 0)
		rc = tell(seen, n, fn, arg);
	buf_fini(&l.all);
	return rc;
}

/* ---- details --------------------------------------------------------------------------------- */

void wq_details_free(struct wq_details *d)
{
	free(d->task_manager);
	free(d->key);
	free(d->label);
	free(d->payload);
	d->task_manager = d->key = d->label = NULL;
	d->payload = NULL;
	d->payload_len = 0;
}

int client_fill_details(struct wq_details *d, const struct request *req, struct wq_err *err)
{
	d->task_manager = strdup(req->task_manager);
	d->key = strdup(req->key);
	d->label = strdup(req->label);
	d->payload = malloc(req->payload.len);
	d->payload_len = req->payload.len;
	if (!d->task_manager || !d->key || !d->label || !d->payload) {
		wq_details_free(d);
		return err_set(err, -ENOMEM, "cannot keep the request");
	}
	memcpy(d->payload, req->payload.ptr, req->payload.len);
	return 0;
}

/* -ENOENT: not in this state, or no longer a request. */
static int read_from(wq_client *c, enum spool_state state, struct reqid id, struct wq_details *d,
	struct wq_err *err)
{
	struct request req;
	struct buf bytes = { 0 };
	uid_t uid = 0;
	int rc = read_request(&c->spool, state, id, CLIENT_FILE_MAX, 0, &bytes, &uid, err);
	/* Shortly before the end the result has taken the request's place in 3. */
	if (rc == 0 && state == SPOOL_RUNNING && codec_kind(bytes.data, bytes.len) == 1)
		rc = -ENOENT;
	if (rc == 0)
		rc = request_decode(bytes.data, bytes.len, &req, err);
	if (rc == 0)
		rc = client_fill_details(d, &req, err);
	buf_fini(&bytes);
	d->state = (int32_t)state + WQ_STATE_REQUESTED;
	d->uid = uid;
	return rc;
}

void client_give_details(const struct wq_details *d, struct wq_details *ret)
{
	memcpy(ret, d,
		client_struct_size(ret->struct_size, CLIENT_SIZE_UP_TO(struct wq_details, reserved),
			sizeof *d));
}

int wq_details(wq_client *c, const char *id, struct wq_details *ret, struct wq_err *err)
{
	struct wq_details d = { .struct_size = ret->struct_size };
	struct reqid reqid;
	int rc = client_parse_id(id, &reqid, err);
	if (rc < 0)
		return rc;
	for (int i = 0; i < DETAILS_ROUNDS; i++) {
		for (enum spool_state s = SPOOL_REQUESTED; s <= SPOOL_RUNNING; s++) {
			rc = read_from(c, s, reqid, &d, err);
			if (rc == 0)
				client_give_details(&d, ret);
			if (rc != -ENOENT)
				return rc;
		}
	}
	if (client_find(c, reqid) == WQ_STATE_COMPLETE)
		return err_set(err, -WQ_E_GONE, "'%s' is complete: only its result is left", id);
	return err_set(err, -WQ_E_GONE, "'%s' is gone", id);
}
