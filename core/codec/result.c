/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/result.h"

#include <errno.h>
#include <string.h>

#include <wq/cbor.h>

#include "base/err.h"
#include "codec/envelope.h"

static const char *const status_names[RESULT_STATUS_MAX] = {
	[RESULT_OK] = "ok",
	[RESULT_FAILED] = "failed",
	[RESULT_REJECTED] = "rejected",
	[RESULT_EXPIRED] = "expired",
	[RESULT_LOST] = "lost",
	[RESULT_KILLED] = "killed",
};

const char *result_status_name(enum result_status status)
{
	return (unsigned int)status < RESULT_STATUS_MAX ? status_names[status] : "unknown";
}

int result_status_parse(const char *name)
{
	for (int i = 0; i < RESULT_STATUS_MAX; i++)
		if (strcmp(name, status_names[i]) == 0)
			return i;
	return -1;
}

#define AT(member) .offset = offsetof(struct result, member)
#define TEXT(name, member)                                                                         \
	{                                                                                          \
		.key = name, .type = FIELD_TEXT, AT(member),                                       \
		.size = sizeof((struct result *)0)->member                                         \
	}

/* Texts are checked for size and UTF-8 alone: a result that was written must be readable. */
static const struct field fields[] = {
	{ .key = "id", .type = FIELD_TEXT, .required = true, AT(id), .size = 32 },
	TEXT("key", key),
	{ .key = "uid", .type = FIELD_UINT32, .required = true, AT(uid) },
	{ .key = "code", .type = FIELD_INT32, AT(code) },
	TEXT("text", text),
	TEXT("error", error),
	TEXT("label", label),
	TEXT("plugin", plugin),
	{ .key = "signal", .type = FIELD_INT32, AT(signal) },
	{ .key = "status",
		.type = FIELD_WORD,
		.required = true,
		AT(status),
		.size = RESULT_STATUS_MAX,
		.words = status_names },
	{ .key = "attempt", .type = FIELD_UINT32, AT(attempt) },
	{ .key = "ended-us", .type = FIELD_INT64, AT(ended_us) },
	{ .key = "wq-result", .type = FIELD_VERSION },
	{ .key = "running-ns", .type = FIELD_INT64, AT(running_ns) },
	{ .key = "started-us", .type = FIELD_INT64, AT(started_us) },
	{ .key = "waiting-ns", .type = FIELD_INT64, AT(waiting_ns) },
	{ .key = "accepted-us", .type = FIELD_INT64, AT(accepted_us) },
	{ .key = "keep-for-ns", .type = FIELD_POSITIVE, AT(keep_for_ns) },
	TEXT("task-manager", task_manager),
};
_Static_assert(sizeof(enum result_status) == sizeof(int), "FIELD_WORD is an int");

static const struct format format = {
	.marker = "wq-result",
	.fields = fields,
	.n_fields = sizeof fields / sizeof *fields,
};

int result_encode(const struct result *res, struct buf *ret)
{
	size_t start = ret->len;
	if (envelope_encode(&format, res, ret) < 0 ||
		buf_add(ret, res->payload.ptr, res->payload.len) < 0 ||
		envelope_seal(ret, start) < 0) {
		ret->len = start;
		return -ENOMEM;
	}
	return 0;
}

int result_decode_envelope(const void *bytes, size_t len, struct result *ret, struct wq_err *err)
{
	struct result res = { .code = 0 };
	size_t used;
	int rc = envelope_decode(&format, bytes, len, &res, &used, err);
	if (rc == 0)
		*ret = res;
	return rc;
}

/* Is one byte string of 4 all that is left? */
static bool is_check_alone(const uint8_t *p, size_t len)
{
	struct wq_cbor_in in;
	struct wq_cbor_item item;
	wq_cbor_in_init(&in, p, len);
	return wq_cbor_next(&in, &item) == 1 && item.type == WQ_CBOR_BYTES && item.len == 4 &&
	       in.p == in.end;
}

/*
 * Where the result begins.  Reserved from version 1 on: its request's items, envelope, payload and
 * perhaps a check item, may stand before it.  A result is looked for nowhere else: a payload may
 * look like one.
 */
static size_t begin_of_result(const uint8_t *p, size_t len)
{
	struct wq_cbor_in in, value;
	struct wq_cbor_item item;
	wq_cbor_in_init(&in, p, len);
	if (wq_cbor_map_find(p, len, "wq-request", &value) != 1)
		return 0;
	if (wq_cbor_skip(&in) != 1 || wq_cbor_skip(&in) != 1)
		return 0;
	struct wq_cbor_in after = in;
	if (wq_cbor_next(&after, &item) == 1 && item.type == WQ_CBOR_BYTES &&
		item.len == CHECK_SIZE - 1)
		in = after;
	return in.p < in.end ? (size_t)(in.p - p) : 0; /* a request alone is no result */
}

int result_decode(const void *bytes, size_t len, struct result *ret, struct wq_err *err)
{
	struct result res = { .code = 0 };
	const uint8_t *p = bytes;
	size_t begin = begin_of_result(p, len), at, used;
	int rc = envelope_decode(&format, p + begin, len - begin, &res, &at, err);
	if (rc < 0)
		return rc;
	/* The last item is the check item; one before it is the payload. */
	at += begin;
	if (at < len && !is_check_alone(p + at, len - at)) {
		rc = envelope_check_payload(bytes, len, at, &used, err);
		if (rc < 0)
			return rc;
		res.payload = (struct wq_bytes){ .ptr = p + at, .len = used };
		at += used;
	}
	rc = envelope_check_seal(bytes, len, at, &used, err);
	if (rc == 0)
		rc = envelope_check_end(len, at + used, err);
	if (rc < 0)
		return rc;
	*ret = res;
	return 0;
}

int codec_kind(const void *bytes, size_t len)
{
	struct request req;
	struct result res;
	if (request_decode(bytes, len, &req, NULL) == 0)
		return 0;
	return result_decode(bytes, len, &res, NULL) == 0 ? 1 : -1;
}
