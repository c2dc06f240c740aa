/* SPDX-License-Identifier: BSD-2-Clause */
#include "args.h"

#include <stdbool.h>

#include <wq/plugin-util.h>

#define BAD_REQUEST "bad-request"

char *args_show(const char *text, char ret[ARGS_SHOWN_SIZE])
{
	size_t n = 0;
	for (; text[n] != '\0' && n < 200; n++) {
		unsigned char c = (unsigned char)text[n];
		ret[n] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
	}
	ret[n] = '\0';
	wq_text_trim(ret);
	if (text[n] != '\0')
		(void)strcat(ret, "..."); /* 200 + 3 + NUL is the size */
	return ret;
}

static bool is_known(const struct wq_cbor_item *key, const char *const *known)
{
	if (key->type == WQ_CBOR_TEXT && key->len > 2 && memcmp(key->ptr, "x-", 2) == 0)
		return true;
	if (wq_cbor_text_is(key, "handler"))
		return true;
	for (; *known; known++)
		if (wq_cbor_text_is(key, *known))
			return true;
	return false;
}

static int32_t unknown_key(
	const struct wq_cbor_item *key, const char *const *known, struct wq_err *err)
{
	char name[64 + 1] = "", shown[ARGS_SHOWN_SIZE], list[128];
	size_t len = 0;
	if (key->type == WQ_CBOR_TEXT) {
		size_t n = key->len < sizeof(name) - 1 ? key->len : sizeof(name) - 1;
		memcpy(name, key->ptr, n);
		name[n] = '\0';
		wq_text_trim(name);
	}
	list[0] = '\0';
	for (; *known && len < sizeof(list); known++)
		len += (size_t)snprintf(
			list + len, sizeof(list) - len, "%s%s", len ? ", " : "", *known);
	return wq_fail(err, WQ_CALL_REJECTED, BAD_REQUEST,
		"the request has an unknown key '%s'; known are: %s", args_show(name, shown), list);
}

int32_t args_check_keys(struct wq_bytes request, const char *const *known, struct wq_err *err)
{
	struct wq_cbor_in in;
	struct wq_cbor_item item;
	wq_cbor_in_init(&in, request.ptr, request.len);
	int rc = wq_cbor_next(&in, &item);
	if (rc == 1 && item.type == WQ_CBOR_TAG && item.u == 55799)
		rc = wq_cbor_next(&in, &item);
	if (rc != 1 || item.type != WQ_CBOR_MAP)
		return wq_fail(err, WQ_CALL_REJECTED, BAD_REQUEST, "the request must be a map");
	for (uint64_t pairs = item.u; pairs > 0; pairs--) {
		struct wq_cbor_in key = in;
		if (wq_cbor_skip(&in) != 1 || wq_cbor_skip(&in) != 1 ||
			wq_cbor_next(&key, &item) != 1)
			return wq_fail(err, WQ_CALL_REJECTED, BAD_REQUEST, "malformed request");
		if (!is_known(&item, known))
			return unknown_key(&item, known, err);
	}
	return WQ_OK;
}

/* 1, 0 or WQ_CALL_REJECTED. */
static int32_t find_text(
	struct wq_bytes request, const char *key, char *ret, size_t size, struct wq_err *err)
{
	const char *text;
	size_t len;
	int rc = wq_cbor_find_text(request.ptr, request.len, key, &text, &len);
	if (rc == 0)
		return 0;
	if (rc < 0)
		return wq_fail(err, WQ_CALL_REJECTED, BAD_REQUEST, "'%s' must be a text", key);
	if (len >= size)
		return wq_fail(err, WQ_CALL_REJECTED, BAD_REQUEST,
			"'%s' may have at most %zu bytes", key, size - 1);
	if (len > 0 && memchr(text, '\0', len))
		return wq_fail(err, WQ_CALL_REJECTED, BAD_REQUEST, "'%s' has a NUL in it", key);
	memcpy(ret, text, len);
	ret[len] = '\0';
	return 1;
}

int32_t args_text(
	struct wq_bytes request, const char *key, char *ret, size_t size, struct wq_err *err)
{
	int32_t rc = find_text(request, key, ret, size, err);
	return rc == 1 ? WQ_OK : rc;
}

int32_t args_path(struct wq_bytes request, const char *key, char ret[PATH_MAX], struct wq_err *err)
{
	char shown[ARGS_SHOWN_SIZE];
	int32_t rc = find_text(request, key, ret, PATH_MAX, err);
	if (rc == 0)
		return wq_fail(err, WQ_CALL_REJECTED, BAD_REQUEST, "'%s' is missing: a path", key);
	if (rc != 1)
		return rc;
	if (ret[0] != '/')
		return wq_fail(err, WQ_CALL_REJECTED, BAD_REQUEST,
			"'%s' must be absolute, not '%s'", key, args_show(ret, shown));
	return WQ_OK;
}

/* Digits and a unit; `ret` from 1. */
static bool parse_size(const char *text, int64_t *ret)
{
	static const char units[] = "KMGT";
	int64_t n = 0;
	size_t i = 0;
	for (; text[i] >= '0' && text[i] <= '9'; i++)
		if (__builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, text[i] - '0', &n))
			return false;
	if (i == 0 || n == 0)
		return false;
	if (text[i] != '\0') {
		const char *unit = strchr(units, text[i]);
		if (!unit || text[i + 1] != '\0')
			return false;
		for (const char *u = units; u <= unit; u++)
			if (__builtin_mul_overflow(n, 1024, &n))
				return false;
	}
	*ret = n;
	return true;
}

int32_t args_size(struct wq_bytes request, const char *key, int64_t *ret, struct wq_err *err)
{
	char text[32];
	int64_t n = 0;
	int rc = wq_cbor_find_int(request.ptr, request.len, key, &n);
	if (rc == 0)
		return WQ_OK;
	bool good = rc == 1 && n >= 1;
	if (rc == -WQ_E_FORMAT)
		good = find_text(request, key, text, sizeof(text), NULL) == 1 &&
		       parse_size(text, &n);
	if (!good)
		return wq_fail(err, WQ_CALL_REJECTED, BAD_REQUEST,
			"'%s' must be a number from 1, or a text like \"10M\"", key);
	*ret = n;
	return WQ_OK;
}

static bool parse_octal(const char *text, int64_t *ret)
{
	int64_t n = 0;
	size_t i = 0;
	for (; text[i] >= '0' && text[i] <= '7' && i < 5; i++)
		n = n * 8 + (text[i] - '0');
	*ret = n;
	return i > 0 && text[i] == '\0';
}

int32_t args_mode(struct wq_bytes request, const char *key, int32_t *ret, struct wq_err *err)
{
	char text[16];
	int64_t n = -1;
	int rc = wq_cbor_find_int(request.ptr, request.len, key, &n);
	if (rc == 0)
		return WQ_OK;
	if (rc == -WQ_E_FORMAT &&
		(find_text(request, key, text, sizeof(text), NULL) != 1 || !parse_octal(text, &n)))
		n = -1;
	if (n < 0 || n > 0777)
		return wq_fail(err, WQ_CALL_REJECTED, BAD_REQUEST,
			"'%s' must be permission bits: a text like \"0644\", or a number to 511",
			key);
	*ret = (int32_t)n;
	return WQ_OK;
}
