/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copy: one file to another name, at a limited rate.
 *
 * The copy is made under a temporary name beside the target and renamed when it is whole and on
 * disk: at every instant the target is what it was before or the whole copy.  Whatever ends the
 * copy early removes the temporary file.
 */
#include "args.h"
#include "file.h"
#include "standard.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <wq/plugin-util.h>

#define NS_PER_S INT64_C(1000000000)

/* What a copy that was held up may catch up with, beyond its rate. */
#define BURST_NS (NS_PER_S / 8)

struct args {
	char from[PATH_MAX], to[PATH_MAX];
	int64_t rate; /* bytes a second; 0: as fast as it goes */
	int32_t mode; /* -1: that of the source */
};

struct copy {
	const struct wq_call *call;
	struct wq_err *err;
	struct args args;
	const char *name; /* the target's, in its directory */
	char temp[NAME_MAX + 1];
	int in, dir, out; /* `out` is open exactly while the temporary name exists */
	struct stat st;   /* of the source */
	struct file_meter meter;
	int64_t due_ns; /* when the bytes so far are paid for */
};

static int32_t parse(struct wq_bytes request, struct args *ret, struct wq_err *err)
{
	static const char *const known[] = { "from", "to", "rate", "mode", NULL };
	char shown[ARGS_SHOWN_SIZE];
	ret->rate = 0;
	ret->mode = -1;
	int32_t rc = args_check_keys(request, known, err);
	if (rc == WQ_OK)
		rc = args_path(request, "from", ret->from, err);
	if (rc == WQ_OK)
		rc = args_path(request, "to", ret->to, err);
	if (rc == WQ_OK)
		rc = args_size(request, "rate", &ret->rate, err);
	if (rc == WQ_OK)
		rc = args_mode(request, "mode", &ret->mode, err);
	if (rc != WQ_OK)
		return rc;
	const char *name = strrchr(ret->to, '/') + 1; /* it is absolute */
	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return wq_fail(err, WQ_CALL_REJECTED, "bad-request",
			"'to' must name a file, not '%s'", args_show(ret->to, shown));
	return WQ_OK;
}

int32_t copy_check(struct wq_bytes request, struct wq_err *err)
{
	struct args args;
	return parse(request, &args, err);
}

static const char *name_of_write(int errno_code)
{
	switch (errno_code) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return "no-space";
	case ENOENT:
	case ENOTDIR:
		return "no-such-directory";
	case EISDIR:
		return "is-a-directory";
	default:
		return "unwritable";
	}
}

static int32_t fail_write(const struct copy *c, const char *what, int errno_code)
{
	return file_fail(c->err, name_of_write(errno_code), what, c->args.to, errno_code);
}

/* A new name may replace a file or a symbolic link, nothing else. */
static int32_t check_target(const struct copy *c)
{
	char shown[ARGS_SHOWN_SIZE];
	struct stat st;
	const char *to = args_show(c->args.to, shown);
	if (stat(c->args.to, &st) == 0 && st.st_dev == c->st.st_dev && st.st_ino == c->st.st_ino)
		return wq_fail(c->err, WQ_CALL_FAILED, "same-file",
			"'from' and 'to' are the same file, '%s'", to);
	if (stat(c->args.to, &st) < 0 && lstat(c->args.to, &st) < 0)
		return WQ_OK; /* not there, or opening its directory will tell */
	if (S_ISDIR(st.st_mode))
		return wq_fail(c->err, WQ_CALL_FAILED, "is-a-directory",
			"'%s' is a directory: 'to' must name a file", to);
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return wq_fail(c->err, WQ_CALL_FAILED, "not-a-file",
			"'%s' is not a regular file and is left alone", to);
	return WQ_OK;
}

static int32_t open_directory(struct copy *c)
{
	char path[PATH_MAX];
	c->name = strrchr(c->args.to, '/') + 1;
	(void)snprintf(path, sizeof(path), "%.*s", (int)(c->name - c->args.to), c->args.to);
	c->dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return c->dir < 0 ? fail_write(c, "cannot open the directory of", errno) : WQ_OK;
}

static int32_t make_temp(struct copy *c)
{
	size_t id = strlen(c->call->id) + strlen("..wq-");
	int keep = id < NAME_MAX ? (int)(NAME_MAX - id) : 0; /* the name's part, when it is long */
	(void)snprintf(c->temp, sizeof(c->temp), ".%.*s.wq-%s", keep, c->name, c->call->id);
	for (int i = 0; i < 2 && c->out < 0; i++) {
		c->out = openat(c->dir, c->temp,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (c->out >= 0 || errno != EEXIST)
			break;
		/* An earlier attempt at this request, ended with its server: no other has the id.
		 */
		(void)unlinkat(c->dir, c->temp, 0);
	}
	if (c->out < 0)
		return fail_write(c, "cannot make a file beside", errno);
	/* Early news of a full disk.  Where the file system cannot reserve, writing will tell. */
	if (c->st.st_size > 0 && fallocate(c->out, FALLOC_FL_KEEP_SIZE, 0, c->st.st_size) < 0 &&
		(errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
		return fail_write(c, "no room for", errno);
	return WQ_OK;
}

static int32_t write_all(const struct copy *c, const char *buf, size_t n)
{
	while (n > 0) {
		ssize_t w = write(c->out, buf, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return fail_write(c, "cannot write", errno);
		buf += w;
		n -= (size_t)w;
	}
	return WQ_OK;
}

/*
 * A token bucket of BURST_NS, kept as a time: wait until `n` more bytes are paid for.  What was not
 * used is credit, up to the bucket's depth; so `bytes` never take less than `bytes / rate`.
 */
static int32_t pay(struct copy *c, int64_t n)
{
	if (c->args.rate == 0)
		return WQ_OK;
	int64_t now = file_clock_ns();
	if (c->due_ns < now - BURST_NS)
		c->due_ns = now - BURST_NS;
	c->due_ns += n * NS_PER_S / c->args.rate; /* n is a chunk: no overflow */
	if (c->due_ns <= now)
		return WQ_OK;
	return wq_call_pause(c->call, c->due_ns - now) ? WQ_CALL_CANCELLED : WQ_OK;
}

static int32_t transfer(struct copy *c)
{
	int64_t chunk = c->args.rate == 0 ? FILE_CHUNK : c->args.rate / 8;
	chunk = chunk < 1 ? 1 : chunk > FILE_CHUNK ? FILE_CHUNK : chunk;
	char *buf = malloc((size_t)chunk);
	int32_t rc = buf ? WQ_OK : -ENOMEM;
	c->due_ns = file_clock_ns();
	while (rc == WQ_OK) {
		int64_t n = file_read(c->in, buf, (size_t)chunk);
		if (n == 0)
			break;
		if (n < 0)
			rc = file_fail(c->err, "unreadable", "cannot read", c->args.from, (int)-n);
		else if (wq_call_cancelled(c->call))
			rc = WQ_CALL_CANCELLED;
		else
			rc = write_all(c, buf, (size_t)n);
		if (rc == WQ_OK) {
			file_meter_add(&c->meter, n);
			rc = pay(c, n);
		}
	}
	free(buf);
	return rc;
}

/* Not every file system can sync a directory, and not every directory may be read: best effort. */
static void sync_directory(const struct copy *c)
{
	int fd = openat(c->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	(void)close(fd);
}

static int32_t commit(struct copy *c)
{
	mode_t mode = c->args.mode < 0 ? c->st.st_mode & 0777u : (mode_t)c->args.mode;
	/* The source became shorter while it was read: give back what was reserved for it. */
	if (c->meter.done < c->st.st_size && ftruncate(c->out, c->meter.done) < 0)
		return fail_write(c, "cannot cut", errno);
	if (fchmod(c->out, mode) < 0)
		return fail_write(c, "cannot set the mode of", errno);
	if (fsync(c->out) < 0)
		return fail_write(c, "cannot sync", errno);
	if (wq_call_cancelled(c->call))
		return WQ_CALL_CANCELLED;
	if (renameat(c->dir, c->temp, c->dir, c->name) < 0)
		return fail_write(c, "cannot rename the copy to", errno);
	(void)close(c->out);
	c->out = -1;
	sync_directory(c);
	return WQ_OK;
}

static void put_result(const struct copy *c, int64_t ns, struct wq_cbor_out *out)
{
	wq_cbor_put_map(out, 4);
	wq_cbor_put_text(out, "from");
	wq_cbor_put_text(out, c->args.from);
	wq_cbor_put_text(out, "to");
	wq_cbor_put_text(out, c->args.to);
	wq_cbor_put_text(out, "bytes");
	wq_cbor_put_int(out, c->meter.done);
	wq_cbor_put_text(out, "ns");
	wq_cbor_put_int(out, ns);
}

static void finish(struct copy *c)
{
	if (c->out >= 0) {
		(void)unlinkat(c->dir, c->temp, 0);
		(void)close(c->out);
	}
	if (c->dir >= 0)
		(void)close(c->dir);
	if (c->in >= 0)
		(void)close(c->in);
}

int32_t copy_run(const struct wq_call *call, struct wq_reply *reply)
{
	struct copy c = { .call = call, .err = &reply->error, .in = -1, .dir = -1, .out = -1 };
	int64_t start = file_clock_ns();
	int32_t rc = parse(call->request, &c.args, c.err);
	if (rc == WQ_OK)
		rc = file_open(c.args.from, &c.in, &c.st, c.err);
	if (rc == WQ_OK)
		rc = check_target(&c);
	if (rc == WQ_OK)
		rc = open_directory(&c);
	if (rc == WQ_OK)
		rc = make_temp(&c);
	c.meter = (struct file_meter){ .call = call, .total = c.st.st_size };
	if (rc == WQ_OK)
		rc = transfer(&c);
	if (rc == WQ_OK)
		rc = commit(&c);
	finish(&c);
	if (rc == WQ_OK)
		put_result(&c, file_clock_ns() - start, reply->result);
	return rc;
}
