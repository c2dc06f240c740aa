/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/status.h"

#include "base/err.h"
#include "codec/envelope.h"

#include <errno.h>

#define AT(member) .offset = offsetof(struct status_page, member)
#define TEXT(name, member)                                                                         \
	{                                                                                          \
		.key = name, .type = FIELD_TEXT, AT(member),                                       \
		.size = sizeof((struct status_page *)0)->member                                    \
	}

static const struct field fields[] = {
	{ .key = "pid", .type = FIELD_INT64, AT(pid) },
	TEXT("why", why),
	{ .key = "depth", .type = FIELD_UINT64, AT(depth) },
	{ .key = "hwm-us", .type = FIELD_UINT64, AT(hwm_us) },
	TEXT("reason", reason),
	TEXT("version", version),
	{ .key = "accepting", .type = FIELD_BOOL, .required = true, AT(accepting) },
	{ .key = "wq-status", .type = FIELD_VERSION },
	TEXT("durability", durability),
	{ .key = "started-us", .type = FIELD_INT64, AT(started_us) },
	{ .key = "queue-limit", .type = FIELD_UINT64, AT(queue_limit) },
	{ .key = "result-limit", .type = FIELD_UINT64, AT(result_limit) },
	{ .key = "request-limit", .type = FIELD_UINT64, AT(request_limit) },
};

static const struct format format = {
	.marker = "wq-status",
	.fields = fields,
	.n_fields = sizeof fields / sizeof *fields,
};

int status_page_encode(const struct status_page *page, struct buf *ret)
{
	size_t start = ret->len;
	if (envelope_encode(&format, page, ret) < 0 || envelope_seal(ret, start) < 0) {
		ret->len = start;
		return -ENOMEM;
	}
	return 0;
}

int status_page_decode(const void *bytes, size_t len, struct status_page *ret, struct wq_err *err)
{
	struct status_page page = { .accepting = false };
	size_t at, used;
	int rc = envelope_decode(&format, bytes, len, &page, &at, err);
	if (rc == 0)
		rc = envelope_check_seal(bytes, len, at, &used, err);
	if (rc < 0)
		return rc;
	for (size_t i = at + used; i < len; i++)
		if (((const uint8_t *)bytes)[i] != 0)
			return envelope_check_end(len, i, err);
	*ret = page;
	return 0;
}
