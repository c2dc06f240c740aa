/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/request.h"

#include <errno.h>
#include <string.h>

#include <wq/cbor.h>

#include "base/err.h"
#include "codec/envelope.h"

_Static_assert((int)REQUEST_ENVELOPE_MAX == (int)ENVELOPE_MAX, "one bound, two names");

#define TEXT(name, member, rule_fn, rule_text)                                                     \
	{                                                                                          \
		.key = name, .type = FIELD_TEXT, .offset = offsetof(struct request, member),       \
		.size = sizeof((struct request *)0)->member, .is_valid = rule_fn,                  \
		.rule = rule_text                                                                  \
	}

#define POSITIVE(name, member)                                                                     \
	{                                                                                          \
		.key = name, .type = FIELD_POSITIVE, .offset = offsetof(struct request, member)    \
	}

static const char *const on_crash_words[ON_CRASH_MAX] = {
	[ON_CRASH_UNSAID] = "",
	[ON_CRASH_FAIL] = "fail",
	[ON_CRASH_ADOPT] = "adopt",
	[ON_CRASH_REQUEUE] = "requeue",
};

static const struct field fields[] = {
	TEXT("key", key, envelope_is_line, ENVELOPE_LINE_RULE),
	TEXT("label", label, envelope_is_line, ENVELOPE_LINE_RULE),
	{ .key = "on-crash",
		.type = FIELD_WORD,
		.offset = offsetof(struct request, on_crash),
		.size = ON_CRASH_MAX,
		.words = on_crash_words,
		.rule = "'fail', 'adopt' or 'requeue'" },
	{ .key = "wq-request", .type = FIELD_VERSION },
	POSITIVE("keep-for-ns", keep_for_ns),
	POSITIVE("run-limit-ns", run_limit_ns),
	TEXT("task-manager", task_manager, envelope_is_task_manager, ENVELOPE_TASK_MANAGER_RULE),
	POSITIVE("start-within-ns", start_within_ns),
};

static const struct format format = {
	.marker = "wq-request",
	.strict = true,
	.fields = fields,
	.n_fields = sizeof fields / sizeof *fields,
};

_Static_assert(sizeof(enum on_crash) == sizeof(int), "FIELD_WORD");

const char *on_crash_name(enum on_crash on_crash)
{
	return on_crash_words[on_crash];
}

int on_crash_parse(const char *name)
{
	for (int i = ON_CRASH_UNSAID + 1; i < ON_CRASH_MAX; i++)
		if (strcmp(name, on_crash_words[i]) == 0)
			return i;
	return -1;
}

int request_encode(const struct request *req, struct buf *ret, struct wq_err *err)
{
	size_t start = ret->len, used;
	int rc = envelope_validate(&format, req, err);
	if (rc < 0)
		return rc;
	if (req->payload.len == 0)
		return err_set_name(err, -WQ_E_FORMAT, "missing-payload",
			"a request must have a payload; null (f6) will do");
	rc = wq_cbor_check(req->payload.ptr, req->payload.len, NULL, &used, err);
	if (rc < 0) {
		err_prefix(err, "the payload");
		return rc;
	}
	if (used != req->payload.len)
		return err_set_name(err, -WQ_E_FORMAT, "trailing-bytes",
			"the payload is one item of %zu bytes, but %zu bytes follow it", used,
			req->payload.len - used);

	if (envelope_encode(&format, req, ret) < 0 ||
		buf_add(ret, req->payload.ptr, req->payload.len) < 0 ||
		envelope_seal(ret, start) < 0) {
		ret->len = start;
		return err_set(err, -ENOMEM, "cannot write the request");
	}
	return 0;
}

int request_decode_envelope(const void *bytes, size_t len, struct request *ret, struct wq_err *err)
{
	struct request req = { .has_check = false };
	size_t used;
	int rc = envelope_decode(&format, bytes, len, &req, &used, err);
	if (rc < 0)
		return rc;
	req.envelope = (struct wq_bytes){ .ptr = bytes, .len = used };
	*ret = req;
	return 0;
}

/*
 * Nothing but the check item after the envelope?  It has the look of a payload, a byte string, but
 * no payload has the checksum of the envelope by chance.
 */
static bool is_without_payload(const void *bytes, size_t len, size_t at)
{
	size_t used;
	return at == len ||
	       (envelope_check_seal(bytes, len, at, &used, NULL) == 0 && at + used == len);
}

int request_decode(const void *bytes, size_t len, struct request *ret, struct wq_err *err)
{
	struct request req;
	size_t at, used;
	int rc = request_decode_envelope(bytes, len, &req, err);
	if (rc < 0)
		return rc;
	at = req.envelope.len;
	if (is_without_payload(bytes, len, at))
		return err_set_name(err, -WQ_E_FORMAT, "missing-payload",
			"after the envelope, at byte %zu, the payload must stand", at);
	rc = envelope_check_payload(bytes, len, at, &used, err);
	if (rc < 0)
		return rc;
	req.payload = (struct wq_bytes){ .ptr = (const uint8_t *)bytes + at, .len = used };
	at += used;
	if (at < len) {
		rc = envelope_check_seal(bytes, len, at, &used, err);
		if (rc < 0)
			return rc;
		req.has_check = true;
		rc = envelope_check_end(len, at + used, err);
		if (rc < 0)
			return rc;
	}
	*ret = req;
	return 0;
}
