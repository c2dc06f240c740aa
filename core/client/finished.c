/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/finished.h"

#include "base/buf.h"
#include "base/err.h"
#include "client/client_priv.h"
#include "spool/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- one ------------------------------------------------------------------------------------- */

bool client_is_finished(const struct wq_client *c, struct reqid id)
{
	char name[REQID_SIZE];
	struct stat st;
	return c->spool.finished_fd >= 0 &&
	       c->spool.io->fstatat(
		       c->spool.finished_fd, reqid_format(id, name), &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The history is a directory of results as 4 is, under the same rules. */
static int read_history(const wq_client *c, struct reqid id, wq_result **ret, struct wq_err *err)
{
	struct wq_err why = { 0 };
	char name[REQID_SIZE];
	if (c->spool.finished_fd < 0)
		return -ENOENT;
	struct spool history = c->spool;
	history.dir_fd[SPOOL_COMPLETE] = c->spool.finished_fd;
	int rc = client_read_result(&history, id, ret, &why);
	if (rc >= 0 || rc == -ENOENT)
		return rc;
	/* Its words are those of 4. */
	if (err_is_system(rc))
		return err_set(err, rc, "cannot read the result of '%s' in the history",
			reqid_format(id, name));
	return err_set_name(err, rc, why.name, "what the history holds of '%s' is no result (%s)",
		reqid_format(id, name), why.name[0] ? why.name : err_code_name(rc));
}

int wq_read_finished(wq_client *c, const char *id, wq_result **ret, struct wq_err *err)
{
	struct reqid reqid;
	int rc = client_parse_id(id, &reqid, err);
	if (rc < 0)
		return rc;
	/* In the direction in which results move, so that none is missed between the two. */
	rc = client_read_result(&c->spool, reqid, ret, err);
	if (rc == -ENOENT)
		rc = read_history(c, reqid, ret, err);
	if (rc == -ENOENT)
		return err_set(err, -WQ_E_GONE, "'%s' has no result, and none in the history", id);
	return rc;
}

int wq_collect(wq_client *c, const char *id, struct wq_err *err)
{
	struct reqid reqid;
	int rc = client_parse_id(id, &reqid, err);
	if (rc < 0)
		return rc;
	rc = finished_collect(&c->spool, reqid);
	if (rc == -ENOENT)
		return err_set(
			err, -WQ_E_GONE, "the result of '%s' has been taken away already", id);
	if (rc < 0)
		return err_set(err, rc, "cannot take the result of '%s' away", id);
	return 0;
}

/* ---- all ------------------------------------------------------------------------------------- */

static int add(void *arg, struct reqid id, const char *name)
{
	return name ? 0 : buf_add(arg, &id, sizeof id); /* `name`: no id, so no result */
}

static int by_id(const void *a, const void *b)
{
	const struct reqid *x = a, *y = b;
	return reqid_cmp(*x, *y);
}

static int tell(
	const struct reqid *ids, size_t n, int (*fn)(void *, const struct wq_entry *), void *arg)
{
	char id[REQID_SIZE];
	for (size_t i = 0; i < n; i++) {
		struct wq_entry entry = {
			.struct_size = sizeof entry,
			.state = WQ_STATE_FINISHED,
			.id = reqid_format(ids[i], id),
			.made_us = (int64_t)ids[i].us,
		};
		int rc = fn(arg, &entry);
		if (rc)
			return rc;
	}
	return 0;
}

int wq_list_finished(wq_client *c, int (*fn)(void *arg, const struct wq_entry *entry), void *arg,
	struct wq_err *err)
{
	struct buf all = { 0 };
	int rc = 0;
	if (c->spool.finished_fd >= 0)
		rc = scan_io(c->spool.io, c->spool.finished_fd, add, &all);
	if (rc < 0)
		err_set(err, rc, "cannot list the history");
	struct reqid *ids = (void *)all.data;
	size_t n = all.len / sizeof *ids;
	if (n)
		qsort(ids, n, sizeof *ids, by_id);
	if (rc == 0)
		rc = tell(ids, n, fn, arg);
	buf_fini(&all);
	return rc;
}
