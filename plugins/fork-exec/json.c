/* SPDX-License-Identifier: BSD-2-Clause */
#include "json.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include <wq/cbor.h>
#include <wq/plugin-util.h>

#include "show.h"

/* ---- from CBOR ------------------------------------------------------------------------------- */

/* wq_cbor_check has bounded the depth.  NULL: no memory, unless err->code says more. */
static json_t *value_of(struct wq_cbor_in *in, struct wq_err *err);

static json_t *base64url(const uint8_t *p, size_t n)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char *text = malloc((n + 2) / 3 * 4 + 1);
	size_t used = 0;
	if (!text)
		return NULL;
	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i < 3 ? n - i : 3;
		uint32_t bits = (uint32_t)p[i] << 16;
		if (left > 1)
			bits |= (uint32_t)p[i + 1] << 8;
		if (left > 2)
			bits |= p[i + 2];
		for (size_t k = 0; k <= left; k++)
			text[used++] = alphabet[bits >> (18 - 6 * k) & 63];
	}
	json_t *ret = json_stringn(text, used);
	free(text);
	return ret;
}

static json_t *array_of(struct wq_cbor_in *in, uint64_t n, struct wq_err *err)
{
	json_t *ret = json_array();
	for (uint64_t i = 0; ret && i < n; i++) {
		if (json_array_append_new(ret, value_of(in, err)) == 0)
			continue;
		json_decref(ret);
		return NULL;
	}
	return ret;
}

/* free(3) it. */
static char *key_of(struct wq_cbor_in *in, size_t *ret_len, struct wq_err *err)
{
	json_t *key = value_of(in, err);
	char *ret = NULL;
	if (json_is_string(key)) {
		*ret_len = json_string_length(key);
		ret = malloc(*ret_len + 1);
		if (ret)
			memcpy(ret, json_string_value(key), *ret_len + 1);
	} else if (key) {
		ret = json_dumps(key, JSON_COMPACT | JSON_ENCODE_ANY);
		*ret_len = ret ? strlen(ret) : 0;
	}
	json_decref(key);
	/* Keys in keys double with each level, for each escapes the quotes of those inside. */
	if (*ret_len > JSON_KEY_MAX) {
		free(ret);
		ret = NULL;
		(void)wq_fail(err, -WQ_E_FORMAT, "bad-request",
			"the payload cannot be given as JSON: a key of a map has more than %d "
			"bytes",
			JSON_KEY_MAX);
	}
	return ret;
}

static int add_pair(json_t *map, struct wq_cbor_in *in, struct wq_err *err)
{
	char shown[SHOW_SIZE];
	size_t len = 0;
	char *key = key_of(in, &len, err);
	int rc = -1;
	if (key && json_object_getn(map, key, len))
		(void)wq_fail(err, -WQ_E_FORMAT, "bad-request",
			"the payload cannot be given as JSON: two keys of a map are %s there",
			show_bytes(key, len, shown));
	else if (key)
		rc = json_object_setn_new(map, key, len, value_of(in, err));
	free(key);
	return rc;
}

static json_t *map_of(struct wq_cbor_in *in, uint64_t n, struct wq_err *err)
{
	json_t *ret = json_object();
	for (uint64_t i = 0; ret && i < n; i++) {
		if (add_pair(ret, in, err) == 0)
			continue;
		json_decref(ret);
		return NULL;
	}
	return ret;
}

static json_t *number_of(const struct wq_cbor_item *item)
{
	int64_t value;
	if (wq_cbor_int(item, &value) == 0)
		return json_integer(value);
	return json_real(item->type == WQ_CBOR_UINT ? (double)item->u : -1.0 - (double)item->u);
}

static json_t *value_of(struct wq_cbor_in *in, struct wq_err *err)
{
	struct wq_cbor_item item;
	do {
		if (wq_cbor_next(in, &item) != 1)
			return NULL;
	} while (item.type == WQ_CBOR_TAG);
	switch (item.type) {
	case WQ_CBOR_UINT:
	case WQ_CBOR_NINT:
		return number_of(&item);
	case WQ_CBOR_BYTES:
		return base64url(item.ptr, item.len);
	case WQ_CBOR_TEXT:
		return json_stringn((const char *)item.ptr, item.len);
	case WQ_CBOR_ARRAY:
		return array_of(in, item.u, err);
	case WQ_CBOR_MAP:
		return map_of(in, item.u, err);
	case WQ_CBOR_BOOL:
		return json_boolean(item.u);
	case WQ_CBOR_FLOAT:
		return isfinite(item.f) ? json_real(item.f) : json_null();
	default:
		return json_null();
	}
}

int32_t json_from_cbor(
	const void *bytes, size_t len, char **ret, size_t *ret_len, struct wq_err *err)
{
	struct wq_err why = { 0 };
	struct wq_cbor_in in;
	wq_cbor_in_init(&in, bytes, len);
	json_t *value = value_of(&in, &why);
	if (!value && why.code)
		return wq_fail(err, why.code, why.name, "%s", why.text);
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	json_decref(value);
	if (!text)
		return -ENOMEM;
	size_t n = strlen(text); /* a NUL is escaped in JSON */
	if (n >= JSON_BYTES_MAX) {
		free(text);
		return wq_fail(err, -WQ_E_FORMAT, "too-large",
			"the payload as JSON has %zu bytes; at most %d go to a command", n,
			JSON_BYTES_MAX);
	}
	char *line = realloc(text, n + 2);
	if (!line) {
		free(text);
		return -ENOMEM;
	}
	line[n] = '\n';
	line[n + 1] = '\0';
	*ret = line;
	*ret_len = n + 1;
	return 0;
}

/* ---- to CBOR --------------------------------------------------------------------------------- */

struct member {
	const char *key;
	size_t len;
	const json_t *value;
};

static int32_t put(const json_t *value, struct wq_cbor_out *out, int depth);

/* The order of the encoded keys: a shorter text has a smaller head. */
static int by_encoding(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->key, y->key, x->len);
}

static int32_t put_object(const json_t *value, struct wq_cbor_out *out, int depth)
{
	/* jansson's iterators want a pointer to what they do not change. */
	json_t *object = (json_t *)(uintptr_t)value;
	size_t n = json_object_size(object), at = 0;
	struct member *members = calloc(n + 1, sizeof(*members));
	if (!members)
		return -ENOMEM;
	for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i))
		members[at++] = (struct member){ .key = json_object_iter_key(i),
			.len = json_object_iter_key_len(i),
			.value = json_object_iter_value(i) };
	qsort(members, n, sizeof(*members), by_encoding);
	wq_cbor_put_map(out, n);
	int32_t rc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		wq_cbor_put_text_n(out, members[i].key, members[i].len);
		rc = put(members[i].value, out, depth + 1);
	}
	free(members);
	return rc;
}

static void put_real(double value, struct wq_cbor_out *out)
{
	/* Above 2^53 a double stands for a range, not for one integer. */
	if (value == trunc(value) && fabs(value) < 9007199254740992.0 &&
		!(value == 0 && signbit(value)))
		wq_cbor_put_int(out, (int64_t)value);
	else
		wq_cbor_put_double(out, value);
}

static int32_t put(const json_t *value, struct wq_cbor_out *out, int depth)
{
	int32_t rc = 0;
	bool nests = json_is_object(value) || json_is_array(value);
	if (nests && depth >= JSON_DEPTH_MAX)
		return -WQ_E_LIMIT;
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return put_object(value, out, depth);
	case JSON_ARRAY:
		wq_cbor_put_array(out, json_array_size(value));
		for (size_t i = 0; rc == 0 && i < json_array_size(value); i++)
			rc = put(json_array_get(value, i), out, depth + 1);
		return rc;
	case JSON_STRING:
		wq_cbor_put_text_n(out, json_string_value(value), json_string_length(value));
		return 0;
	case JSON_INTEGER:
		wq_cbor_put_int(out, json_integer_value(value));
		return 0;
	case JSON_REAL:
		put_real(json_real_value(value), out);
		return 0;
	case JSON_NULL:
		wq_cbor_put_null(out);
		return 0;
	default:
		wq_cbor_put_bool(out, json_is_true(value));
		return 0;
	}
}

int32_t json_to_cbor(const char *text, size_t len, struct wq_cbor_out *out, struct wq_err *err)
{
	json_error_t why;
	json_t *value = json_loadb(
		text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
	if (!value && json_error_code(&why) == json_error_out_of_memory)
		return -ENOMEM;
	if (!value)
		return wq_fail(err, -WQ_E_FORMAT, "bad-output", "JSON, line %d, column %d: %s",
			why.line, why.column, why.text);
	int32_t rc = put(value, out, 0);
	json_decref(value);
	if (rc == -WQ_E_LIMIT)
		return wq_fail(err, -WQ_E_FORMAT, "bad-output", "JSON: nested deeper than %d",
			JSON_DEPTH_MAX);
	return rc < 0 ? rc : out->err;
}
