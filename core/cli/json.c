/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/json.h"

#include "base/err.h"
#include "base/utf8.h"

#include <wq/cbor.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	TAG_BIGNUM = 2,
	TAG_NEGATIVE_BIGNUM = 3,
	TAG_BASE64URL = 21,
	TAG_BASE64,
	TAG_BASE16
};

/* ---- text encodings of bytes (RFC 4648) ------------------------------------------------------ */

static json_t *base64(const uint8_t *p, size_t n, bool url, const char *prefix)
{
	static const char both[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	char alphabet[65];
	snprintf(alphabet, sizeof alphabet, "%s%s", both, url ? "-_" : "+/");
	size_t used = strlen(prefix);
	char *text = malloc(used + (n + 2) / 3 * 4 + 1);
	if (!text)
		return NULL;
	memcpy(text, prefix, used);
	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i < 3 ? n - i : 3;
		uint32_t v = (uint32_t)p[i] << 16;
		v |= left > 1 ? (uint32_t)p[i + 1] << 8 : 0;
		v |= left > 2 ? p[i + 2] : 0;
		for (size_t k = 0; k < 4; k++) {
			if (k <= left)
				text[used++] = alphabet[v >> (18 - 6 * k) & 63];
			else if (!url)
				text[used++] = '=';
		}
	}
	json_t *ret = json_stringn(text, used);
	free(text);
	return ret;
}

static json_t *base16(const uint8_t *p, size_t n)
{
	char *text = malloc(2 * n + 1);
	if (!text)
		return NULL;
	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02X", p[i]);
	json_t *ret = json_stringn(text, 2 * n);
	free(text);
	return ret;
}

/* ---- CBOR to JSON ---------------------------------------------------------------------------- */

/* The input has passed wq_cbor_check, so it is whole and not deeper than the recursion may go. */
static json_t *value_of(struct wq_cbor_in *in, uint64_t tag, struct wq_err *err);

static json_t *integer(const struct wq_cbor_item *item)
{
	int64_t v;
	if (wq_cbor_int(item, &v) == 0)
		return json_integer(v);
	return json_real(item->type == WQ_CBOR_UINT ? (double)item->u : -1.0 - (double)item->u);
}

static json_t *bytes(const struct wq_cbor_item *item, uint64_t tag)
{
	switch (tag) {
	case TAG_BASE16:
		return base16(item->ptr, item->len);
	case TAG_BASE64:
		return base64(item->ptr, item->len, false, "");
	case TAG_NEGATIVE_BIGNUM:
		return base64(item->ptr, item->len, true, "~");
	default:
		return base64(item->ptr, item->len, true, "");
	}
}

static json_t *array(struct wq_cbor_in *in, uint64_t n, uint64_t tag, struct wq_err *err)
{
	json_t *ret = json_array();
	for (uint64_t i = 0; ret && i < n; i++) {
		json_t *value = value_of(in, tag, err);
		if (!value || json_array_append_new(ret, value) < 0) {
			json_decref(ret);
			return NULL;
		}
	}
	return ret;
}

/* A key's text, free(3) it. */
static char *key_of(struct wq_cbor_in *in, size_t *ret_len, struct wq_err *err)
{
	json_t *key = value_of(in, 0, err);
	char *ret = NULL;
	if (json_is_string(key)) {
		*ret_len = json_string_length(key);
		ret = malloc(*ret_len + 1);
		if (ret)
			memcpy(ret, json_string_value(key), *ret_len + 1);
	} else if (key) {
		FILE *out = open_memstream(&ret, ret_len);
		if (out) {
			cli_json_print(key, out);
			if (fclose(out) != 0) {
				free(ret);
				ret = NULL;
			}
		}
	}
	json_decref(key);
	return ret;
}

static json_t *map(struct wq_cbor_in *in, uint64_t n, uint64_t tag, struct wq_err *err)
{
	json_t *ret = json_object();
	for (uint64_t i = 0; ret && i < n; i++) {
		size_t len = 0;
		char *key = key_of(in, &len, err);
		bool twice = key && json_object_getn(ret, key, len);
		if (twice)
			err_set(err, -WQ_E_FORMAT, "two keys of a map are both '%s' in JSON", key);
		json_t *value = key && !twice ? value_of(in, tag, err) : NULL;
		int rc = value ? json_object_setn_new(ret, key, len, value) : -1;
		free(key);
		if (rc < 0) {
			json_decref(ret);
			return NULL;
		}
	}
	return ret;
}

static json_t *value_of(struct wq_cbor_in *in, uint64_t tag, struct wq_err *err)
{
	struct wq_cbor_item item;
	if (wq_cbor_next(in, &item) != 1)
		return NULL;
	switch (item.type) {
	case WQ_CBOR_UINT:
	case WQ_CBOR_NINT:
		return integer(&item);
	case WQ_CBOR_BYTES:
		return bytes(&item, tag);
	case WQ_CBOR_TEXT:
		return json_stringn((const char *)item.ptr, item.len);
	case WQ_CBOR_ARRAY:
		return array(in, item.u, tag, err);
	case WQ_CBOR_MAP:
		return map(in, item.u, tag, err);
	case WQ_CBOR_TAG:
		/* The hints hold for all byte strings inside, the others for their content alone.
		 */
		return value_of(in, item.u, err);
	case WQ_CBOR_BOOL:
		return json_boolean(item.u);
	case WQ_CBOR_FLOAT:
		return isfinite(item.f) ? json_real(item.f) : json_null();
	default:
		return json_null();
	}
}

int cli_json_from_cbor(const void *p, size_t len, json_t **ret, struct wq_err *err)
{
	struct wq_cbor_limits limits = { .max_depth = CLI_JSON_DEPTH_MAX };
	struct wq_cbor_in in;
	struct wq_err why = { 0 };
	size_t used;
	int rc = wq_cbor_check(p, len, &limits, &used, err);
	if (rc < 0)
		return rc;
	if (used != len)
		return err_set(err, -WQ_E_FORMAT, "one item of %zu bytes is followed by %zu more",
			used, len - used);
	wq_cbor_in_init(&in, p, len);
	json_t *value = value_of(&in, 0, &why);
	if (!value)
		return why.code ? err_set(err, why.code, "%s", why.text)
				: err_set(err, -ENOMEM, "cannot convert to JSON");
	*ret = value;
	return 0;
}

/* ---- JSON to CBOR ---------------------------------------------------------------------------- */

struct member {
	const char *key;
	size_t len;
	const json_t *value;
};

/* The order of the encoded keys: the head of a shorter text is smaller. */
static int by_encoding(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->key, y->key, x->len);
}

static int put(const json_t *value, struct wq_cbor_out *out, int depth);

static int put_object(const json_t *value, struct wq_cbor_out *out, int depth)
{
	size_t n = json_object_size(value), at = 0;
	struct member *members = calloc(n ? n : 1, sizeof *members);
	if (!members)
		return -ENOMEM;
	/* jansson's iterators want a pointer to what they do not change. */
	json_t *object = json_incref((json_t *)(uintptr_t)value);
	for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i))
		members[at++] = (struct member){ .key = json_object_iter_key(i),
			.len = json_object_iter_key_len(i),
			.value = json_object_iter_value(i) };
	qsort(members, n, sizeof *members, by_encoding);
	wq_cbor_put_map(out, n);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		wq_cbor_put_text_n(out, members[i].key, members[i].len);
		rc = put(members[i].value, out, depth + 1);
	}
	json_decref(object);
	free(members);
	return rc;
}

static int put_array(const json_t *value, struct wq_cbor_out *out, int depth)
{
	size_t n = json_array_size(value);
	int rc = 0;
	wq_cbor_put_array(out, n);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = put(json_array_get(value, i), out, depth + 1);
	return rc;
}

static void put_real(double v, struct wq_cbor_out *out)
{
	/* Above 2^53 a double stands for a range, not for one integer. */
	if (v == trunc(v) && fabs(v) < 9007199254740992.0 && !(v == 0 && signbit(v)))
		wq_cbor_put_int(out, (int64_t)v);
	else
		wq_cbor_put_double(out, v);
}

static int put(const json_t *value, struct wq_cbor_out *out, int depth)
{
	if ((json_is_object(value) || json_is_array(value)) && depth >= CLI_JSON_DEPTH_MAX)
		return -WQ_E_LIMIT;
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return put_object(value, out, depth);
	case JSON_ARRAY:
		return put_array(value, out, depth);
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

int cli_json_to_cbor(const json_t *value, struct wq_cbor_out *out, struct wq_err *err)
{
	int rc = put(value, out, 0);
	if (rc == 0)
		rc = out->err;
	if (rc == -WQ_E_LIMIT)
		return err_set_name(
			err, rc, "too-deep", "nested deeper than %d", CLI_JSON_DEPTH_MAX);
	return rc < 0 ? err_set(err, rc, "cannot convert to CBOR") : 0;
}

int cli_json_read(const char *text, size_t len, json_t **ret, struct wq_err *err)
{
	json_error_t why;
	json_t *value = json_loadb(
		text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
	if (!value) {
		enum json_error_code code = json_error_code(&why);
		bool fits =
			code != json_error_numeric_overflow && code != json_error_stack_overflow;
		return err_set(err, fits ? -WQ_E_FORMAT : -WQ_E_LIMIT,
			"JSON, line %d, column %d: %s", why.line, why.column, why.text);
	}
	*ret = value;
	return 0;
}

/* ---- JSON text ------------------------------------------------------------------------------- */

static void print_char(const char *p, size_t n, FILE *out)
{
	unsigned char c = (unsigned char)*p;
	if (c == '"' || c == '\\')
		fprintf(out, "\\%c", c);
	else if (c == '\n')
		fputs("\\n", out);
	else if (c == '\t')
		fputs("\\t", out);
	else if (c < 0x20 || c == 0x7f)
		fprintf(out, "\\u%04x", c);
	else if (n == 2 && utf8_is_deceptive(p, n))
		fprintf(out, "\\u%04x", (c & 0x1fu) << 6 | ((unsigned char)p[1] & 0x3fu));
	else if (n == 3 && utf8_is_deceptive(p, n))
		fprintf(out, "\\u%04x",
			(c & 0x0fu) << 12 | ((unsigned char)p[1] & 0x3fu) << 6 |
				((unsigned char)p[2] & 0x3fu));
	else
		fwrite(p, 1, n, out);
}

static void print_string(const char *p, size_t len, FILE *out)
{
	fputc('"', out);
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_char_len(p + i, len - i);
		if (n == 0) /* not UTF-8; jansson holds none */
			n = 1;
		print_char(p + i, n, out);
	}
	fputc('"', out);
}

/* The shortest text that reads back as the same number. */
static void print_real(double v, FILE *out)
{
	char text[32];
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	fprintf(out, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void print_object(const json_t *value, FILE *out)
{
	json_t *object = json_incref((json_t *)(uintptr_t)value);
	const char *separator = "{";
	for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
		fputs(separator, out);
		print_string(json_object_iter_key(i), json_object_iter_key_len(i), out);
		fputc(':', out);
		cli_json_print(json_object_iter_value(i), out);
		separator = ",";
	}
	fputs(json_object_size(object) ? "}" : "{}", out);
	json_decref(object);
}

static void print_array(const json_t *value, FILE *out)
{
	size_t n = json_array_size(value);
	fputc('[', out);
	for (size_t i = 0; i < n; i++) {
		if (i)
			fputc(',', out);
		cli_json_print(json_array_get(value, i), out);
	}
	fputc(']', out);
}

void cli_json_print(const json_t *value, FILE *out)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		print_object(value, out);
		break;
	case JSON_ARRAY:
		print_array(value, out);
		break;
	case JSON_STRING:
		print_string(json_string_value(value), json_string_length(value), out);
		break;
	case JSON_INTEGER:
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		print_real(json_real_value(value), out);
		break;
	case JSON_NULL:
		fputs("null", out);
		break;
	default:
		fputs(json_is_true(value) ? "true" : "false", out);
		break;
	}
}

void cli_json_print_line(const json_t *value)
{
	cli_json_print(value, stdout);
	putchar('\n');
}
