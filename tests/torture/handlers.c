/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A handler file of thread-pool whose tasks record that they have begun, and that they are about to end
 * well.  A request has
 *
 *	handler   "note"
 *	events    the file that is written to
 *	until     if it is there: go on when this file exists, or be cancelled
 *	fails     if it is there: fail
 */
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <wq/handler.h>
#include <wq/plugin-util.h>

#define LOOK_NS INT64_C(5000000)

static bool find_path(const struct wq_call *call, const char *key, char ret[PATH_MAX])
{
	const char *text;
	size_t len;
	if (wq_cbor_find_text(call->request.ptr, call->request.len, key, &text, &len) != 1 ||
		len >= PATH_MAX)
		return false;
	memcpy(ret, text, len);
	ret[len] = '\0';
	return true;
}

static bool record(const struct wq_call *call, const char *what)
{
	char path[PATH_MAX], line[128];
	if (!find_path(call, "events", path))
		return false;
	int n = snprintf(line, sizeof line, "%s %s %u\n", what, call->id, call->attempt);
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, line, (size_t)n) == n;
	if (fd >= 0)
		close(fd);
	return written;
}

static int32_t note(const struct wq_call *call, struct wq_reply *reply)
{
	char path[PATH_MAX];
	if (!record(call, "begun"))
		return wq_fail(&reply->error, WQ_CALL_FAILED, "no-events", "cannot record");
	if (find_path(call, "until", path))
		while (access(path, F_OK) < 0)
			if (wq_call_pause(call, LOOK_NS))
				return WQ_CALL_CANCELLED;
	if (find_path(call, "fails", path))
		return wq_fail(&reply->error, WQ_CALL_FAILED, "as-asked", "it was to fail");
	if (!record(call, "ended"))
		return wq_fail(&reply->error, WQ_CALL_FAILED, "no-events", "cannot record");
	wq_cbor_put_uint(reply->result, call->attempt);
	return WQ_OK;
}

static const struct wq_handler handlers[] = {
	{ "note", "records its beginning and its end", note, NULL },
};
WQ_HANDLERS("1.0", handlers);
