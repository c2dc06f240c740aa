/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the server set aside, for who wants to settle it.  Names here are anything but what a
 * directory cannot hold.  The server may put in and prune at the same moment: what has gone between
 * two looks is gone, and no failure of a listing.
 */
#include "base/err.h"
#include "base/fdio.h"
#include "base/utf8.h"
#include "client/client_priv.h"
#include "codec/request.h"
#include "codec/result.h"
#include "spool/scan.h"

#include <wq/cbor.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPEN_DIR = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
	REASON_MAX = 4096, /* the server writes less than a quarter of it */
	WORD_SIZE = 64,
	TEXT_SIZE = 1024,
	SHOWN_SIZE = 100 /* of a name in a sentence, which has room for little more */
};

static const char beside[] = ".why";

enum {
	BESIDE_LEN = sizeof beside - 1
};

struct shown {
	char text[SHOWN_SIZE];
};

/* A name as it may stand in a sentence. */
static const char *show(const char *name, struct shown *ret)
{
	return utf8_escape(name, strlen(name), ret->text, sizeof ret->text);
}

static int gone(const char *name, struct wq_err *err)
{
	struct shown s;
	return err_set(err, -WQ_E_GONE, "'%s' is not in quarantine", show(name, &s));
}

/* The quarantine's descriptor; -ENOENT where the server has made none yet. */
static int open_quarantine(const wq_client *c, struct wq_err *err)
{
	int fd = c->spool.io->openat(c->spool.root_fd, ".wq/quarantine", OPEN_DIR, 0);
	if (fd < 0)
		return err_set(err, fd, "cannot open the quarantine");
	return fd;
}

/* The same for one name, which must be one component. */
static int open_for(const wq_client *c, const char *name, struct wq_err *err)
{
	struct shown s;
	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return err_set(err, -WQ_E_FORMAT, "'%s' is no name of a file", show(name, &s));
	if (strlen(name) > NAME_MAX)
		return gone(name, err);
	int dir = open_quarantine(c, err);
	return dir == -ENOENT ? gone(name, err) : dir;
}

/* ---- the reason beside ------------------------------------------------------------------------ */

static bool is_there(const wq_client *c, int dir, const char *name)
{
	struct stat st;
	return c->spool.io->fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * The name of what says why.  A thing that is itself called "x.why" has "x.why.why" beside it, and so
 * is no reason of an "x".
 */
static bool name_reason(const wq_client *c, int dir, const char *name, char ret[NAME_MAX + 1])
{
	char its_own[NAME_MAX + 1];
	size_t len = strlen(name);
	if (len + BESIDE_LEN > NAME_MAX)
		return false;
	snprintf(ret, NAME_MAX + 1, "%.*s%s", NAME_MAX - BESIDE_LEN, name, beside);
	if (len + 2 * BESIDE_LEN > NAME_MAX)
		return true;
	snprintf(its_own, sizeof its_own, "%.*s%s", NAME_MAX - BESIDE_LEN, ret, beside);
	return !is_there(c, dir, its_own);
}

/* A text of the reason; "" where there is none. */
static void find_text(const uint8_t *map, size_t len, const char *key, char *ret, size_t size)
{
	const char *text;
	size_t text_len;
	*ret = '\0';
	if (wq_cbor_find_text(map, len, key, &text, &text_len) != 1)
		return;
	snprintf(ret, size, "%.*s", (int)(text_len < size ? text_len : size - 1), text);
	utf8_clean(ret);
}

struct reason {
	char error[WORD_SIZE];
	char text[TEXT_SIZE];
};

/* One that is not there or not as it should be says nothing: the thing is what matters. */
static void read_reason(const wq_client *c, int dir, const char *name, struct reason *ret)
{
	const struct spool_io *io = c->spool.io;
	char why[NAME_MAX + 1];
	uint8_t bytes[REASON_MAX];
	struct stat st;
	size_t used;
	*ret = (struct reason){ 0 };
	if (!name_reason(c, dir, name, why))
		return;
	auto_close int fd = io->openat(dir, why, SPOOL_IO_READ, 0);
	if (fd < 0 || io->fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	ssize_t n = spool_io_pread_all(io, fd, bytes, sizeof bytes, 0);
	if (n <= 0 || wq_cbor_check(bytes, (size_t)n, NULL, &used, NULL) < 0)
		return;
	find_text(bytes, used, "error", ret->error, sizeof ret->error);
	find_text(bytes, used, "text", ret->text, sizeof ret->text);
}

/* ---- list ------------------------------------------------------------------------------------- */

struct thing {
	struct stat st;
	bool told; /* it is there, and no reason of another */
	char name[NAME_MAX + 1];
};

static int add(void *arg, struct reqid id, const char *name)
{
	struct buf *all = arg;
	struct thing thing = { 0 };
	if (name)
		snprintf(thing.name, sizeof thing.name, "%s", name);
	else
		reqid_format(id, thing.name);
	return buf_add(all, &thing, sizeof thing);
}

static int by_name(const void *a, const void *b)
{
	const struct thing *x = a, *y = b;
	return strcmp(x->name, y->name);
}

static int by_time(const void *a, const void *b)
{
	const struct thing *x = a, *y = b;
	if (x->st.st_ctim.tv_sec != y->st.st_ctim.tv_sec)
		return x->st.st_ctim.tv_sec < y->st.st_ctim.tv_sec ? -1 : 1;
	if (x->st.st_ctim.tv_nsec != y->st.st_ctim.tv_nsec)
		return x->st.st_ctim.tv_nsec < y->st.st_ctim.tv_nsec ? -1 : 1;
	return strcmp(x->name, y->name);
}

static bool holds(const struct thing *all, size_t n, const char *name)
{
	struct thing key;
	snprintf(key.name, sizeof key.name, "%s", name);
	return bsearch(&key, all, n, sizeof *all, by_name) != NULL;
}

/* Is it what name_reason would name for another?  `all` is sorted by name. */
static bool is_reason(const struct thing *thing, const struct thing *all, size_t n)
{
	char other[NAME_MAX + 1];
	size_t len = strlen(thing->name);
	if (!S_ISREG(thing->st.st_mode) || len <= BESIDE_LEN ||
		strcmp(thing->name + len - BESIDE_LEN, beside) != 0)
		return false;
	snprintf(other, sizeof other, "%.*s", (int)(len - BESIDE_LEN), thing->name);
	if (!holds(all, n, other))
		return false;
	if (len + BESIDE_LEN > NAME_MAX)
		return true;
	snprintf(other, sizeof other, "%.*s%s", NAME_MAX - BESIDE_LEN, thing->name, beside);
	return !holds(all, n, other);
}

static int look(const wq_client *c, int dir, struct thing *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int rc = c->spool.io->fstatat(dir, all[i].name, &all[i].st, AT_SYMLINK_NOFOLLOW);
		if (rc < 0 && rc != -ENOENT)
			return rc;
		all[i].told = rc == 0 && !is_reason(&all[i], all, n);
	}
	return 0;
}

static bool is_number(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

/* The id of a thing that had one: its name, with ".N" behind where the same was there already. */
static const char *id_of(const char *name, char ret[REQID_SIZE])
{
	struct reqid id;
	ret[0] = '\0';
	if (strlen(name) >= REQID_LEN && reqid_parse(name, REQID_LEN, &id) &&
		(!name[REQID_LEN] || (name[REQID_LEN] == '.' && is_number(name + REQID_LEN + 1))))
		reqid_format(id, ret);
	return ret;
}

static int tell(const wq_client *c, int dir, const struct thing *thing,
	int (*fn)(void *, const struct wq_quarantined *), void *arg)
{
	char id[REQID_SIZE];
	struct reason reason;
	const struct stat *st = &thing->st;
	read_reason(c, dir, thing->name, &reason);
	struct wq_quarantined q = {
		.struct_size = sizeof q,
		.uid = st->st_uid,
		.name = thing->name,
		.id = strcmp(reason.error, "bad-name") == 0 ? "" : id_of(thing->name, id),
		.error = reason.error,
		.text = reason.text,
		.size = st->st_size,
		.since_us = st->st_ctim.tv_sec * INT64_C(1000000) + st->st_ctim.tv_nsec / 1000,
		.mode = st->st_mode,
	};
	return fn(arg, &q);
}

int wq_quarantine_list(wq_client *c, int (*fn)(void *arg, const struct wq_quarantined *q),
	void *arg, struct wq_err *err)
{
	struct wq_err why = { 0 };
	struct buf bytes = { 0 };
	auto_close int dir = open_quarantine(c, &why);
	if (dir < 0)
		return dir == -ENOENT ? 0 : err_set(err, dir, "cannot open the quarantine");
	int rc = scan_io(c->spool.io, dir, add, &bytes);
	struct thing *all = (void *)bytes.data;
	size_t n = bytes.len / sizeof *all;
	if (n)
		qsort(all, n, sizeof *all, by_name);
	if (rc == 0)
		rc = look(c, dir, all, n);
	if (rc < 0)
		err_set(err, rc, "cannot list the quarantine");
	if (n)
		qsort(all, n, sizeof *all, by_time);
	for (size_t i = 0; i < n && rc == 0; i++)
		if (all[i].told)
			rc = tell(c, dir, &all[i], fn, arg);
	buf_fini(&bytes);
	return rc;
}

/* ---- read ------------------------------------------------------------------------------------- */

static const char *kind_of(mode_t mode)
{
	return S_ISDIR(mode)    ? "a directory"
	       : S_ISLNK(mode)  ? "a symbolic link"
	       : S_ISFIFO(mode) ? "a FIFO"
	       : S_ISSOCK(mode) ? "a socket"
				: "a device";
}

/* Its descriptor and what fstat says of it; only of a plain file. */
static int open_file(
	const wq_client *c, int dir, const char *name, struct stat *ret, struct wq_err *err)
{
	const struct spool_io *io = c->spool.io;
	struct shown s;
	struct stat st;
	int rc = io->fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW);
	auto_close int fd =
		rc == 0 && S_ISREG(st.st_mode) ? io->openat(dir, name, SPOOL_IO_READ, 0) : -1;
	if (rc == 0 && S_ISREG(st.st_mode))
		rc = fd < 0 ? fd : io->fstat(fd, &st);
	if (rc == -ENOENT)
		return gone(name, err);
	if (rc < 0 && rc != -ELOOP)
		return err_set(err, rc, "cannot open '%s'", show(name, &s));
	if (rc == -ELOOP || !S_ISREG(st.st_mode))
		return err_set_name(err, -WQ_E_FORMAT, "not-regular", "'%s' is %s", show(name, &s),
			rc < 0 ? "a symbolic link" : kind_of(st.st_mode));
	*ret = st;
	rc = fd;
	fd = -1;
	return rc;
}

int wq_quarantine_open(wq_client *c, const char *name, struct wq_err *err)
{
	struct stat st;
	auto_close int dir = open_for(c, name, err);
	return dir < 0 ? dir : open_file(c, dir, name, &st, err);
}

static int read_bytes(const wq_client *c, int dir, const char *name, struct buf *ret,
	struct stat *ret_st, struct wq_err *err)
{
	struct shown s;
	struct stat st;
	auto_close int fd = open_file(c, dir, name, &st, err);
	if (fd < 0)
		return fd;
	if (st.st_size > CLIENT_FILE_MAX)
		return err_set_name(err, -WQ_E_LIMIT, "too-big",
			"'%s' has %lld bytes, more than %d: no request is as large", show(name, &s),
			(long long)st.st_size, CLIENT_FILE_MAX);
	size_t size = (size_t)st.st_size;
	ssize_t n = buf_reserve(ret, size + 1);
	if (n == 0)
		n = spool_io_pread_all(c->spool.io, fd, ret->data, size, 0);
	if (n < 0)
		return err_set(err, (int)n, "cannot read '%s'", show(name, &s));
	ret->len = (size_t)n;
	*ret_st = st;
	return 0;
}

/* Bytes that are a whole request; else the sentence says what they are. */
static int read_request_of(const wq_client *c, int dir, const char *name, struct buf *bytes,
	struct request *ret, struct stat *ret_st, struct wq_err *err)
{
	struct shown s;
	int rc = read_bytes(c, dir, name, bytes, ret_st, err);
	if (rc < 0)
		return rc;
	if (bytes->len == 0)
		return err_set_name(err, -WQ_E_FORMAT, "empty", "'%s' is empty", show(name, &s));
	if (codec_kind(bytes->data, bytes->len) == 1)
		return err_set_name(err, -WQ_E_FORMAT, "result",
			"'%s' is no request: it is a result", show(name, &s));
	rc = request_decode(bytes->data, bytes->len, ret, err);
	if (rc < 0)
		err_prefix(err, "'%s' is no whole request", show(name, &s));
	return rc;
}

int wq_quarantine_details(
	wq_client *c, const char *name, struct wq_details *ret, struct wq_err *err)
{
	struct wq_details d = { .struct_size = ret->struct_size };
	struct request req;
	struct stat st;
	struct buf bytes = { 0 };
	auto_close int dir = open_for(c, name, err);
	int rc = dir < 0 ? dir : read_request_of(c, dir, name, &bytes, &req, &st, err);
	if (rc == 0)
		rc = client_fill_details(&d, &req, err);
	buf_fini(&bytes);
	if (rc < 0)
		return rc;
	d.uid = st.st_uid;
	client_give_details(&d, ret);
	return 0;
}

/* ---- settle ----------------------------------------------------------------------------------- */

/*
 * First the thing, which may not be removed after all, then its reason.  A crash between the two
 * leaves a reason alone, which is listed and can be dropped.
 */
static int remove_both(
	const wq_client *c, int dir, const char *name, bool is_dir, struct wq_err *err)
{
	const struct spool_io *io = c->spool.io;
	char why[NAME_MAX + 1];
	struct shown s;
	bool has_reason = name_reason(c, dir, name, why);
	int rc = io->unlinkat(dir, name, is_dir ? AT_REMOVEDIR : 0);
	if (rc == -ENOTEMPTY || rc == -EEXIST)
		return err_set(err, -ENOTEMPTY,
			"'%s' is a directory that holds something, to be removed by hand",
			show(name, &s));
	if (rc < 0 && rc != -ENOENT)
		return err_set(err, rc, "cannot remove '%s'", show(name, &s));
	if (has_reason)
		(void)io->unlinkat(dir, why, 0); /* there need not be one */
	return rc == -ENOENT ? gone(name, err) : 0;
}

int wq_quarantine_drop(wq_client *c, const char *name, struct wq_err *err)
{
	struct stat st;
	struct shown s;
	auto_close int dir = open_for(c, name, err);
	if (dir < 0)
		return dir;
	int rc = c->spool.io->fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW);
	if (rc == -ENOENT)
		return gone(name, err);
	if (rc < 0)
		return err_set(err, rc, "cannot look at '%s'", show(name, &s));
	return remove_both(c, dir, name, S_ISDIR(st.st_mode), err);
}

/* Does the name still stand for what was read?  If not, that is the server's new find. */
static bool is_same(const wq_client *c, int dir, const char *name, const struct stat *was)
{
	struct stat st;
	return c->spool.io->fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_dev == was->st_dev && st.st_ino == was->st_ino;
}

int wq_quarantine_retry(wq_client *c, const char *name, char ret_id[WQ_ID_SIZE], struct wq_err *err)
{
	struct request req;
	struct stat st;
	struct buf bytes = { 0 };
	ret_id[0] = '\0';
	auto_close int dir = open_for(c, name, err);
	int rc = dir < 0 ? dir : read_request_of(c, dir, name, &bytes, &req, &st, err);
	if (rc == 0)
		rc = client_publish(c, &bytes, true, ret_id, err); /* the old one goes */
	buf_fini(&bytes);
	if (rc < 0 || !is_same(c, dir, name, &st))
		return rc;
	struct wq_err why = { 0 };
	rc = remove_both(c, dir, name, false, &why);
	if (rc == 0 || rc == -WQ_E_GONE)
		return 0;
	return err_set(err, rc, "it is enqueued as %s, and still in quarantine", ret_id);
}
