/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/message.h"

#include "base/err.h"
#include "control/control.h"

#include <wq/cbor.h>

#include <errno.h>
#include <inttypes.h>

static int finish(struct wq_cbor_out *out, struct buf *ret)
{
	int rc = out->err ? out->err : buf_add(ret, out->buf, out->len);
	wq_cbor_out_free(out);
	return rc;
}

static void put_version(struct wq_cbor_out *out)
{
	wq_cbor_put_text(out, "wq-control");
	wq_cbor_put_uint(out, CONTROL_VERSION);
}

static bool is_map(const struct wq_cbor_in *in)
{
	struct wq_cbor_in at = *in;
	struct wq_cbor_item item;
	return wq_cbor_next(&at, &item) == 1 && item.type == WQ_CBOR_MAP;
}

int message_check_args(struct wq_bytes args, struct wq_err *err)
{
	/* One level of the message is the map around them. */
	struct wq_cbor_limits limits = { .max_depth = MESSAGE_DEPTH_MAX - 1 };
	struct wq_cbor_in in;
	size_t used = 0;
	if (args.len == 0)
		return 0;
	if (wq_cbor_check(args.ptr, args.len, &limits, &used, err) < 0) {
		err_prefix(err, "the arguments of the question");
		return -WQ_E_FORMAT;
	}
	wq_cbor_in_init(&in, args.ptr, args.len);
	if (used != args.len || !is_map(&in))
		return err_set_name(err, -WQ_E_FORMAT, "bad-value",
			"the arguments of the question must be one map");
	return 0;
}

int message_put_ask(struct buf *ret, const char *what, struct wq_bytes args)
{
	struct wq_cbor_out out;
	wq_cbor_out_init(&out);
	wq_cbor_put_map(&out, args.len ? 3 : 2);
	wq_cbor_put_text(&out, "ask");
	wq_cbor_put_text(&out, what);
	if (args.len) {
		wq_cbor_put_text(&out, "args");
		wq_cbor_put_raw(&out, args.ptr, args.len);
	}
	put_version(&out);
	return finish(&out, ret);
}

int message_put_answer(struct buf *ret, const struct buf *answer)
{
	struct wq_cbor_out out;
	wq_cbor_out_init(&out);
	wq_cbor_put_map(&out, 2);
	wq_cbor_put_text(&out, "answer");
	wq_cbor_put_raw(&out, answer->data, answer->len);
	put_version(&out);
	return finish(&out, ret);
}

int message_put_error(struct buf *ret, const char *name, const char *text)
{
	struct wq_cbor_out out;
	wq_cbor_out_init(&out);
	wq_cbor_put_map(&out, 3);
	wq_cbor_put_text(&out, "text");
	wq_cbor_put_text(&out, text);
	wq_cbor_put_text(&out, "error");
	wq_cbor_put_text(&out, name);
	put_version(&out);
	return finish(&out, ret);
}

/* Whose message it is decides what the sentence calls it: "the question", "the answer". */
static int check(const void *bytes, size_t len, const char *called, struct wq_err *err)
{
	struct wq_cbor_limits limits = { .max_depth = MESSAGE_DEPTH_MAX };
	struct wq_err why = { 0 };
	size_t used = 0;
	int64_t version = 0;
	if (wq_cbor_check(bytes, len, &limits, &used, &why) < 0)
		return err_set_name(
			err, -WQ_E_FORMAT, why.name, "%s is not usable: %s", called, why.text);
	if (used != len)
		return err_set_name(err, -WQ_E_FORMAT, "trailing-bytes",
			"%s is %zu bytes, but its item ends after %zu", called, len, used);
	int rc = wq_cbor_find_int(bytes, len, "wq-control", &version);
	if (rc != 1)
		return err_set_name(err, -WQ_E_FORMAT, "missing-key",
			"%s has no integer 'wq-control' (the version of the protocol)", called);
	if (version != CONTROL_VERSION)
		return err_set_name(err, -WQ_E_UNSUPPORTED, "unsupported-version",
			"%s is of control protocol version %" PRId64
			"; this side speaks version %d",
			called, version, CONTROL_VERSION);
	return 0;
}

/* All of the question is well-formed by now. */
static int get_args(const void *bytes, size_t len, struct wq_bytes *ret, struct wq_err *err)
{
	struct wq_cbor_in in;
	*ret = (struct wq_bytes){ 0 };
	if (wq_cbor_map_find(bytes, len, "args", &in) != 1)
		return 0;
	if (!is_map(&in))
		return err_set_name(err, -WQ_E_FORMAT, "bad-value", "'args' must be a map");
	ret->ptr = in.p;
	ret->len = (size_t)(in.end - in.p);
	return 0;
}

int message_get_ask(const void *bytes, size_t len, char ret_what[MESSAGE_WHAT_MAX + 1],
	struct wq_bytes *ret_args, struct wq_err *err)
{
	int rc = check(bytes, len, "the question", err);
	if (rc < 0)
		return rc;
	const char *what = NULL;
	size_t what_len = 0;
	if (wq_cbor_find_text(bytes, len, "ask", &what, &what_len) != 1)
		return err_set_name(
			err, -WQ_E_FORMAT, "missing-key", "the question has no text 'ask'");
	if (what_len == 0 || what_len > MESSAGE_WHAT_MAX || memchr(what, '\0', what_len))
		return err_set_name(err, -WQ_E_FORMAT, "bad-value",
			"'ask' must be 1 to %d bytes without NUL", MESSAGE_WHAT_MAX);
	rc = get_args(bytes, len, ret_args, err);
	if (rc < 0)
		return rc;
	memcpy(ret_what, what, what_len);
	ret_what[what_len] = '\0';
	return 0;
}

int message_get_answer(
	const void *bytes, size_t len, const void **ret, size_t *ret_len, struct wq_err *err)
{
	/* An error answer names both versions itself, so it is read whatever its version is. */
	const char *name = NULL, *text = NULL;
	size_t name_len = 0, text_len = 0;
	struct wq_err why = { 0 };
	int rc = check(bytes, len, "the server's answer", &why);
	bool readable = rc == 0 || rc == -WQ_E_UNSUPPORTED;
	if (readable && wq_cbor_find_text(bytes, len, "error", &name, &name_len) == 1) {
		char word[sizeof why.name];
		snprintf(word, sizeof word, "%.*s", (int)name_len, name);
		if (wq_cbor_find_text(bytes, len, "text", &text, &text_len) != 1)
			text_len = 0;
		return err_set_name(
			err, -WQ_E_REFUSED, word, "%.*s", (int)text_len, text ? text : "");
	}
	if (rc < 0) {
		if (err)
			*err = why;
		return rc;
	}
	struct wq_cbor_in item;
	if (wq_cbor_map_find(bytes, len, "answer", &item) != 1)
		return err_set_name(err, -WQ_E_FORMAT, "missing-key",
			"the server's answer has neither 'answer' nor 'error'");
	*ret = item.p;
	*ret_len = (size_t)(item.end - item.p);
	return 0;
}
