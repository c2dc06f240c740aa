/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/envelope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cbor.h>

#include <wq/cbor.h>

#include "base/err.h"
#include "base/name.h"
#include "base/suggest.h"
#include "base/utf8.h"
#include "codec/crc32c.h"

enum {
	SELF_DESCRIBED = 55799,
	FIELDS_MAX = 32,
	SHOWN = 81,
	HEAD_MAX = 9
};

/* ---- texts ----------------------------------------------------------------------------------- */

bool envelope_is_task_manager(const char *text, size_t len)
{
	return name_is_valid(text, len, NAME_SHORT_MAX);
}

bool envelope_is_line(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		/* C0, DEL, and C1 as UTF-8 writes it. */
		if (c < 0x20 || c == 0x7f)
			return false;
		if (c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0)
			return false;
	}
	return true;
}

static int check_text(const struct field *field, const char *text, size_t len, struct wq_err *err)
{
	char shown[SHOWN];
	if (len == 0)
		return err_set_name(err, -WQ_E_FORMAT, "bad-value",
			"'%s' is empty; leave it out instead", field->key);
	if (len >= field->size)
		return err_set_name(err, -WQ_E_FORMAT, "bad-value",
			"'%s' is %zu bytes long, at most %zu are allowed", field->key, len,
			field->size - 1);
	if (memchr(text, 0, len) || !utf8_is_valid(text, len))
		return err_set_name(err, -WQ_E_FORMAT, "bad-value", "'%s' is '%s', which is not %s",
			field->key, utf8_escape(text, len, shown, sizeof shown),
			memchr(text, 0, len) ? "free of NUL" : "valid UTF-8");
	if (field->is_valid && !field->is_valid(text, len))
		return err_set_name(err, -WQ_E_FORMAT, "bad-value", "'%s' is '%s'; it must have %s",
			field->key, utf8_escape(text, len, shown, sizeof shown), field->rule);
	return 0;
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* Members are read by memcpy: the table knows a type's size, not its alignment. */
static int64_t get_number(const struct field *field, const void *obj)
{
	const char *member = (const char *)obj + field->offset;
	int32_t i32 = 0;
	uint32_t u32 = 0;
	int64_t i64 = 0;
	bool b = false;
	switch (field->type) {
	case FIELD_BOOL:
		memcpy(&b, member, sizeof b);
		return b;
	case FIELD_WORD:
	case FIELD_INT32:
		memcpy(&i32, member, sizeof i32);
		return i32;
	case FIELD_UINT32:
		memcpy(&u32, member, sizeof u32);
		return u32;
	default: /* UINT64 too: its bits */
		memcpy(&i64, member, sizeof i64);
		return i64;
	}
}

static int not_positive(const struct field *field, struct wq_err *err)
{
	return err_set_name(err, -WQ_E_FORMAT, "bad-value",
		"'%s' must be a number of 1 to %jd; leave it out where there is none", field->key,
		(intmax_t)INT64_MAX);
}

static int check_field(const struct field *field, const void *obj, struct wq_err *err)
{
	if (field->type == FIELD_POSITIVE)
		return get_number(field, obj) < 0 ? not_positive(field, err) : 0;
	if (field->type != FIELD_TEXT)
		return 0;
	const char *text = (const char *)obj + field->offset;
	size_t len = strnlen(text, field->size);
	return len || field->required ? check_text(field, text, len, err) : 0;
}

int envelope_validate(const struct format *format, const void *obj, struct wq_err *err)
{
	for (size_t i = 0; i < format->n_fields; i++) {
		int rc = check_field(&format->fields[i], obj, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- encode ---------------------------------------------------------------------------------- */

static const char *get_word(const struct field *field, const void *obj)
{
	int64_t place = get_number(field, obj);
	wq_check(place >= 0 && (size_t)place < field->size);
	return field->words[place];
}

static bool is_written(const struct field *field, const void *obj)
{
	if (field->required || field->type == FIELD_VERSION)
		return true;
	if (field->type == FIELD_TEXT)
		return ((const char *)obj)[field->offset] != '\0';
	return get_number(field, obj) != 0;
}

static void add_text(struct buf *b, const char *text, size_t len)
{
	b->len += cbor_encode_string_start(len, b->data + b->len, b->cap - b->len);
	for (size_t i = 0; i < len;) {
		size_t n = utf8_char_len(text + i, len - i);
		if (n)
			memcpy(b->data + b->len, text + i, n);
		else
			b->data[b->len] = '?';
		b->len += n ? n : 1;
		i += n ? n : 1;
	}
}

/* Room has been made. */
static void add_field(struct buf *b, const struct field *field, const void *obj)
{
	add_text(b, field->key, strlen(field->key));
	const char *text = (const char *)obj + field->offset;
	int64_t number = field->type == FIELD_VERSION || field->type == FIELD_TEXT
				 ? ENVELOPE_VERSION
				 : get_number(field, obj);
	uint8_t *to = b->data + b->len;
	size_t room = b->cap - b->len;
	if (field->type == FIELD_TEXT)
		add_text(b, text, strnlen(text, field->size - 1));
	else if (field->type == FIELD_WORD)
		add_text(b, get_word(field, obj), strlen(get_word(field, obj)));
	else if (field->type == FIELD_BOOL)
		b->len += cbor_encode_bool(number != 0, to, room);
	else if (number < 0 && field->type != FIELD_UINT64)
		b->len += cbor_encode_negint((uint64_t)(-1 - number), to, room);
	else
		b->len += cbor_encode_uint((uint64_t)number, to, room);
}

int envelope_encode(const struct format *format, const void *obj, struct buf *ret)
{
	size_t n = 0, need = 2 * HEAD_MAX;
	for (size_t i = 0; i < format->n_fields; i++) {
		const struct field *field = &format->fields[i];
		if (!is_written(field, obj))
			continue;
		n++;
		need += strlen(field->key) + 2 * HEAD_MAX;
		if (field->type == FIELD_TEXT)
			need += field->size;
		else if (field->type == FIELD_WORD)
			need += strlen(get_word(field, obj));
	}
	if (buf_reserve(ret, need) < 0)
		return -ENOMEM;

	ret->len += cbor_encode_tag(SELF_DESCRIBED, ret->data + ret->len, ret->cap - ret->len);
	ret->len += cbor_encode_map_start(n, ret->data + ret->len, ret->cap - ret->len);
	for (size_t i = 0; i < format->n_fields; i++)
		if (is_written(&format->fields[i], obj))
			add_field(ret, &format->fields[i], obj);
	return 0;
}

/* ---- is it ours at all ----------------------------------------------------------------------- */

static const char *looks_like(const uint8_t *p, size_t len)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *what;
	} known[] = {
		{ "\x7f"
		  "ELF",
			4, "it looks like a program (ELF)" },
		{ "\x1f\x8b", 2, "it looks like gzip" },
		{ "PK\x03\x04", 4, "it looks like a zip archive" },
		{ "\x28\xb5\x2f\xfd", 4, "it looks like zstd" },
		{ "\xfd"
		  "7zXZ",
			5, "it looks like xz" },
		{ "\x80\x02", 2, "it looks like a Python pickle" },
		{ "\x80\x03", 2, "it looks like a Python pickle" },
		{ "\x80\x04", 2, "it looks like a Python pickle" },
		{ "\x80\x05", 2, "it looks like a Python pickle" },
		{ "\xef\xbb\xbf", 3, "it looks like text with a byte order mark" },
		{ "\xff\xfe", 2, "it looks like UTF-16 text" },
		{ "\xfe\xff", 2, "it looks like UTF-16 text" },
		{ "#!", 2, "it looks like a script" },
		{ "{", 1, "it looks like JSON" },
		{ "[", 1, "it looks like JSON" },
		{ "<", 1, "it looks like XML or HTML" },
		{ "\0\0\0\0", 4,
			"it begins with zeros, as a file does that never reached the disk" },
	};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (len >= known[i].len && memcmp(p, known[i].bytes, known[i].len) == 0)
			return known[i].what;
	if (len && *p >> 5 == WQ_CBOR_MAP)
		return "it looks like a CBOR map, but tag 55799 must stand before it";
	if (len && *p >> 5 == WQ_CBOR_TAG)
		return "it looks like CBOR under another tag";
	return "its first bytes are none that wq knows";
}

static int not_ours(const struct format *format, const char *why, struct wq_err *err)
{
	return err_set_name(err, -WQ_E_FORMAT, "not-wq",
		"this is no %s file, which begins with the bytes d9 d9 f7: %s", format->marker,
		why);
}

static int check_start(
	const struct format *format, const uint8_t *p, size_t len, struct wq_err *err)
{
	static const uint8_t magic[] = { 0xd9, 0xd9, 0xf7 };
	struct wq_cbor_in in;
	struct wq_cbor_item item;
	/* Cut inside the tag: that it is cut is what the next check says. */
	if (len <= sizeof magic && (len == 0 || memcmp(p, magic, len) == 0))
		return 0;
	wq_cbor_in_init(&in, p, len);
	if (wq_cbor_next(&in, &item) != 1 || item.type != WQ_CBOR_TAG || item.u != SELF_DESCRIBED)
		return not_ours(format, looks_like(p, len), err);
	if (wq_cbor_next(&in, &item) == 1 && item.type != WQ_CBOR_MAP)
		return not_ours(format, "under tag 55799 there is no map", err);
	return 0;
}

/* ---- decode ---------------------------------------------------------------------------------- */

static const char *type_name(const cbor_item_t *item)
{
	switch (cbor_typeof(item)) {
	case CBOR_TYPE_UINT:
		return "a number";
	case CBOR_TYPE_NEGINT:
		return "a negative number";
	case CBOR_TYPE_BYTESTRING:
		return "a byte string";
	case CBOR_TYPE_STRING:
		return "a text";
	case CBOR_TYPE_ARRAY:
		return "an array";
	case CBOR_TYPE_MAP:
		return "a map";
	case CBOR_TYPE_TAG:
		return "a tagged item";
	case CBOR_TYPE_FLOAT_CTRL:
		break;
	}
	if (!cbor_float_ctrl_is_ctrl(item))
		return "a floating-point number";
	return cbor_is_bool(item) ? "true or false" : cbor_is_null(item) ? "null" : "undefined";
}

static bool is_text(const cbor_item_t *item, const char *text)
{
	size_t len = strlen(text);
	return cbor_isa_string(item) && cbor_string_length(item) == len &&
	       memcmp(cbor_string_handle(item), text, len) == 0;
}

static const char *escape_text(const cbor_item_t *item, char ret[SHOWN])
{
	return utf8_escape(
		(const char *)cbor_string_handle(item), cbor_string_length(item), ret, SHOWN);
}

static int bad_type(
	const struct field *field, const char *wanted, const cbor_item_t *value, struct wq_err *err)
{
	return err_set_name(err, -WQ_E_FORMAT, "bad-type", "'%s' is %s, but must be %s", field->key,
		type_name(value), wanted);
}

static int decode_text(
	const struct field *field, const cbor_item_t *value, char *member, struct wq_err *err)
{
	if (!cbor_isa_string(value))
		return bad_type(field, "a text", value, err);
	const char *text = (const char *)cbor_string_handle(value);
	size_t len = cbor_string_length(value);
	int rc = check_text(field, text, len, err);
	if (rc < 0)
		return rc;
	memcpy(member, text, len);
	member[len] = '\0';
	return 0;
}

static int decode_word(
	const struct field *field, const cbor_item_t *value, char *member, struct wq_err *err)
{
	char shown[SHOWN];
	if (!cbor_isa_string(value))
		return bad_type(field, "a text", value, err);
	for (int word = field->required ? 0 : 1; word < (int)field->size; word++) {
		if (is_text(value, field->words[word])) {
			memcpy(member, &word, sizeof word);
			return 0;
		}
	}
	if (field->rule)
		return err_set_name(err, -WQ_E_FORMAT, "bad-value", "'%s' is '%s'; it must be %s",
			field->key, escape_text(value, shown), field->rule);
	return err_set_name(err, -WQ_E_FORMAT, "bad-value", "'%s' is '%s', which has no meaning",
		field->key, escape_text(value, shown));
}

static int decode_bool(
	const struct field *field, const cbor_item_t *value, char *member, struct wq_err *err)
{
	if (!cbor_isa_float_ctrl(value) || !cbor_float_ctrl_is_ctrl(value) || !cbor_is_bool(value))
		return bad_type(field, "true or false", value, err);
	bool b = cbor_get_bool(value);
	memcpy(member, &b, sizeof b);
	return 0;
}

static int decode_number(
	const struct field *field, const cbor_item_t *value, char *member, struct wq_err *err)
{
	if (!cbor_is_int(value))
		return bad_type(field, "a whole number", value, err);
	uint64_t u = cbor_get_int(value);
	bool negative = cbor_isa_negint(value);
	if (field->type == FIELD_POSITIVE && (negative || u == 0 || u > INT64_MAX))
		return not_positive(field, err);
	bool is_signed = field->type == FIELD_INT32 || field->type == FIELD_INT64;
	bool narrow = field->type == FIELD_INT32 || field->type == FIELD_UINT32;
	uint64_t max = (narrow ? UINT32_MAX : UINT64_MAX) >> (is_signed ? 1 : 0);
	/* The smallest signed number is -1 - max, written as max: one bound serves both ends. */
	if (u > max || (negative && !is_signed))
		return err_set_name(err, -WQ_E_FORMAT, "bad-value",
			"'%s' does not fit in %s number of %d bits", field->key,
			is_signed ? "a signed" : "an unsigned", narrow ? 32 : 64);
	int64_t i64 = negative ? -1 - (int64_t)u : (int64_t)u;
	uint32_t u32 = (uint32_t)i64;
	if (narrow)
		memcpy(member, &u32, sizeof u32);
	else
		memcpy(member, &i64, sizeof i64);
	return 0;
}

static int decode_field(
	const struct field *field, const cbor_item_t *value, void *obj, struct wq_err *err)
{
	char *member = (char *)obj + field->offset;
	switch (field->type) {
	case FIELD_VERSION:
		return 0;
	case FIELD_TEXT:
		return decode_text(field, value, member, err);
	case FIELD_WORD:
		return decode_word(field, value, member, err);
	case FIELD_BOOL:
		return decode_bool(field, value, member, err);
	default:
		return decode_number(field, value, member, err);
	}
}

static int check_version(
	const struct format *format, const struct cbor_pair *pairs, size_t n, struct wq_err *err)
{
	static const char *const markers[] = { "wq-request", "wq-result", "wq-status" };
	for (size_t i = 0; i < n; i++) {
		if (!is_text(pairs[i].key, format->marker))
			continue;
		if (!cbor_is_int(pairs[i].value))
			return err_set_name(err, -WQ_E_FORMAT, "bad-type",
				"'%s' is %s, but must be a number, the version of the format",
				format->marker, type_name(pairs[i].value));
		if (cbor_isa_negint(pairs[i].value))
			return err_set_name(err, -WQ_E_FORMAT, "unsupported-version",
				"the version of the format is negative; only %d is supported here",
				ENVELOPE_VERSION);
		if (cbor_get_int(pairs[i].value) != ENVELOPE_VERSION)
			return err_set_name(err, -WQ_E_FORMAT, "unsupported-version",
				"the version of the format is %ju; only %d is supported here",
				(uintmax_t)cbor_get_int(pairs[i].value), ENVELOPE_VERSION);
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < sizeof markers / sizeof *markers; k++)
			if (is_text(pairs[i].key, markers[k]))
				return err_set_name(err, -WQ_E_FORMAT, "not-wq",
					"this is a %s file, not a %s file", markers[k],
					format->marker);
	return err_set_name(err, -WQ_E_FORMAT, "not-wq", "the map at its beginning has no '%s'",
		format->marker);
}

/* Keys are texts, and each stands once.  The size of an envelope bounds the square. */
static int check_keys(const struct cbor_pair *pairs, size_t n, struct wq_err *err)
{
	char shown[SHOWN];
	for (size_t i = 0; i < n; i++) {
		const cbor_item_t *key = pairs[i].key;
		if (!cbor_isa_string(key))
			return err_set_name(err, -WQ_E_FORMAT, "bad-type",
				"key number %zu is %s, but keys are texts", i + 1, type_name(key));
		for (size_t k = 0; k < i; k++)
			if (cbor_string_length(pairs[k].key) == cbor_string_length(key) &&
				memcmp(cbor_string_handle(pairs[k].key), cbor_string_handle(key),
					cbor_string_length(key)) == 0)
				return err_set_name(err, -WQ_E_FORMAT, "duplicate-key",
					"'%s' stands twice", escape_text(key, shown));
	}
	return 0;
}

static int unknown_key(const struct format *format, const cbor_item_t *key, struct wq_err *err)
{
	const char *names[FIELDS_MAX];
	char shown[SHOWN];
	for (size_t i = 0; i < format->n_fields; i++)
		names[i] = format->fields[i].key;
	escape_text(key, shown);
	const char *near = suggest_nearest(shown, names, format->n_fields);
	if (near)
		return err_set_name(err, -WQ_E_FORMAT, "unknown-key",
			"'%s' is not known; is '%s' meant?", shown, near);
	return err_set_name(err, -WQ_E_FORMAT, "unknown-key",
		"'%s' is not known; keys of your own begin with 'x-'", shown);
}

static int decode_pairs(const struct format *format, const struct cbor_pair *pairs, size_t n,
	void *obj, struct wq_err *err)
{
	bool seen[FIELDS_MAX] = { false };
	wq_check(format->n_fields <= FIELDS_MAX);
	for (size_t i = 0; i < n; i++) {
		const cbor_item_t *key = pairs[i].key;
		size_t k = 0;
		while (k < format->n_fields && !is_text(key, format->fields[k].key))
			k++;
		if (k < format->n_fields) {
			int rc = decode_field(&format->fields[k], pairs[i].value, obj, err);
			if (rc < 0)
				return rc;
			seen[k] = true;
			continue;
		}
		bool own = cbor_string_length(key) >= 2 &&
			   memcmp(cbor_string_handle(key), "x-", 2) == 0;
		if (format->strict && !own)
			return unknown_key(format, key, err);
	}
	for (size_t k = 0; k < format->n_fields; k++)
		if (format->fields[k].required && !seen[k])
			return err_set_name(err, -WQ_E_FORMAT, "missing-key", "'%s' is missing",
				format->fields[k].key);
	return 0;
}

static int decode_map(
	const struct format *format, const cbor_item_t *map, void *obj, struct wq_err *err)
{
	const struct cbor_pair *pairs = cbor_map_handle(map);
	size_t n = cbor_map_size(map);
	int rc = check_version(format, pairs, n, err);
	if (rc == 0)
		rc = check_keys(pairs, n, err);
	if (rc == 0)
		rc = decode_pairs(format, pairs, n, obj, err);
	return rc;
}

int envelope_decode(const struct format *format, const void *bytes, size_t len, void *obj,
	size_t *ret_used, struct wq_err *err)
{
	static const struct wq_cbor_limits limits = {
		.max_bytes = ENVELOPE_MAX,
		.max_depth = ENVELOPE_DEPTH,
		.max_items = ENVELOPE_ITEMS,
	};
	size_t used;
	int rc = check_start(format, bytes, len, err);
	if (rc < 0)
		return rc;
	rc = wq_cbor_check(bytes, len, &limits, &used, err);
	if (rc < 0) {
		err_prefix(err, "the envelope");
		return rc;
	}

	struct cbor_load_result loaded;
	cbor_item_t *root = cbor_load(bytes, used, &loaded);
	if (!root && loaded.error.code == CBOR_ERR_MEMERROR)
		return err_set(err, -ENOMEM, "cannot read the envelope");
	/* Well-formed, but libcbor 0.8 knows neither simple values without a meaning (RFC 8949
	 * section 3.3) nor the tags that RFC 7049 left unassigned. */
	if (!root)
		return err_set_name(err, -WQ_E_FORMAT, "bad-cbor",
			"the envelope holds an unassigned simple value, or one of the tags 6 to "
			"20, at byte %zu",
			loaded.error.position);
	cbor_item_t *map = cbor_tag_item(root);
	rc = decode_map(format, map, obj, err);
	cbor_decref(&map);
	cbor_decref(&root);
	if (rc == 0)
		*ret_used = used;
	return rc;
}

/* ---- what follows the envelope --------------------------------------------------------------- */

int envelope_seal(struct buf *b, size_t start)
{
	uint32_t crc = crc32c(b->data + start, b->len - start);
	const uint8_t check[CHECK_SIZE] = { 0x44, (uint8_t)(crc >> 24), (uint8_t)(crc >> 16),
		(uint8_t)(crc >> 8), (uint8_t)crc };
	return buf_add(b, check, sizeof check);
}

int envelope_check_seal(
	const void *bytes, size_t len, size_t at, size_t *ret_used, struct wq_err *err)
{
	const uint8_t *p = bytes;
	struct wq_cbor_in in;
	struct wq_cbor_item item;
	if (at == len)
		return err_set_name(err, -WQ_E_FORMAT, "truncated",
			"it ends at byte %zu, where the check item must stand", at);
	if (p[at] == 0x44 && len - at < CHECK_SIZE)
		return err_set_name(
			err, -WQ_E_FORMAT, "truncated", "it ends inside its check item");
	wq_cbor_in_init(&in, p + at, len - at);
	if (wq_cbor_next(&in, &item) != 1 || item.type != WQ_CBOR_BYTES || item.len != 4)
		return err_set_name(err, -WQ_E_FORMAT, "bad-checksum",
			"at byte %zu the check item, a byte string of 4, must stand", at);
	uint32_t crc = crc32c(bytes, at);
	uint32_t said = (uint32_t)item.ptr[0] << 24 | (uint32_t)item.ptr[1] << 16 |
			(uint32_t)item.ptr[2] << 8 | item.ptr[3];
	if (crc != said)
		return err_set_name(err, -WQ_E_FORMAT, "bad-checksum",
			"the check item says %08x, but the bytes before it give %08x: it was "
			"damaged or changed",
			said, crc);
	*ret_used = (size_t)(in.p - (p + at));
	return 0;
}

int envelope_check_payload(
	const void *bytes, size_t len, size_t at, size_t *ret_used, struct wq_err *err)
{
	int rc = wq_cbor_check((const uint8_t *)bytes + at, len - at, NULL, ret_used, err);
	if (rc < 0)
		err_prefix(err, "the payload, which begins at byte %zu", at);
	return rc;
}

int envelope_check_end(size_t len, size_t at, struct wq_err *err)
{
	if (at == len)
		return 0;
	return err_set_name(err, -WQ_E_FORMAT, "trailing-bytes",
		"%zu bytes follow the check item at byte %zu, where nothing may follow", len - at,
		at);
}
