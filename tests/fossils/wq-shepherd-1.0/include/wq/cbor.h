/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wq/cbor.h: read and write CBOR (RFC 8949), header-only, nothing but libc.
 *
 *	struct wq_cbor_out o;
 *	wq_cbor_out_init(&o);
 *	wq_cbor_put_map(&o, 1);
 *	wq_cbor_put_text(&o, "size");
 *	wq_cbor_put_uint(&o, 4096);
 *	... o.err == 0: the bytes are o.buf, o.len; wq_cbor_out_free(&o) when done ...
 *
 *	int64_t size;
 *	if (wq_cbor_find_int(payload.ptr, payload.len, "size", &size) == 1) ...
 *
 * The reader never allocates, never recurses, and believes no declared length: a string must be
 * there in full, and a container may not declare more items than bytes are left.  Indefinite
 * lengths are refused everywhere, as wq does in all its files.  What a server hands to a plugin has
 * passed wq_cbor_check; bytes from elsewhere should pass it first.
 *
 * All functions may be called from any thread and keep no state but their arguments.
 */
#ifndef WQ_CBOR_H
#define WQ_CBOR_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wq/err.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Names that contain wq_cbor_priv or WQ_CBOR_PRIV are not for use outside this file. */

/* ---- writer ----------------------------------------------------------------------------------
 * Lengths and numbers take their shortest form (RFC 8949 section 4.2.1); the order of map keys is
 * the caller's.  The first failure stays in `err` and all later calls do nothing, so one look at
 * the end is enough.
 */
struct wq_cbor_out {
	uint8_t *buf;
	size_t len, cap;
	int32_t err;    /* 0, -ENOMEM, or -ENOBUFS where a fixed buffer is full */
	uint32_t fixed; /* `buf` is the caller's: it neither grows nor is freed */
};

static inline void wq_cbor_out_fixed(struct wq_cbor_out *o, void *buf, size_t cap)
{
	o->buf = (uint8_t *)buf;
	o->len = 0;
	o->cap = cap;
	o->err = 0;
	o->fixed = 1;
}

static inline void wq_cbor_out_init(struct wq_cbor_out *o)
{
	wq_cbor_out_fixed(o, NULL, 0);
	o->fixed = 0;
}

/* Give the memory back; `o` is an empty growing writer then. */
static inline void wq_cbor_out_free(struct wq_cbor_out *o)
{
	if (!o->fixed)
		free(o->buf);
	wq_cbor_out_init(o);
}

static inline uint8_t *wq_cbor_priv_room(struct wq_cbor_out *o, size_t n)
{
	uint8_t *buf;
	size_t cap;
	if (o->err)
		return NULL;
	if (n > o->cap - o->len) {
		if (o->fixed || n > (size_t)-1 / 4 - o->len) {
			o->err = o->fixed ? -ENOBUFS : -ENOMEM;
			return NULL;
		}
		for (cap = o->cap ? o->cap : 64; cap - o->len < n;)
			cap *= 2;
		buf = (uint8_t *)realloc(o->buf, cap);
		if (!buf) {
			o->err = -ENOMEM;
			return NULL;
		}
		o->buf = buf;
		o->cap = cap;
	}
	buf = o->buf + o->len;
	o->len += n;
	return buf;
}

/* `info` below 24 stands for itself, 24 to 27 for the 1, 2, 4 or 8 bytes that follow. */
static inline void wq_cbor_priv_head(
	struct wq_cbor_out *o, unsigned int major, unsigned int info, uint64_t v)
{
	size_t n = info < 24 ? 0 : (size_t)1 << (info - 24), i;
	uint8_t *p = wq_cbor_priv_room(o, n + 1);
	if (!p)
		return;
	p[0] = (uint8_t)(major << 5 | info);
	for (i = n; i > 0; i--, v >>= 8)
		p[i] = (uint8_t)(v & 0xff);
}

static inline void wq_cbor_priv_shortest(struct wq_cbor_out *o, unsigned int major, uint64_t v)
{
	unsigned int info = v < 24             ? (unsigned int)v
			    : v <= 0xff        ? 24u
			    : v <= 0xffff      ? 25u
			    : v <= 0xffffffffu ? 26u
					       : 27u;
	wq_cbor_priv_head(o, major, info, v);
}

/* Bytes that are CBOR already. */
static inline void wq_cbor_put_raw(struct wq_cbor_out *o, const void *p, size_t n)
{
	uint8_t *to = n ? wq_cbor_priv_room(o, n) : NULL;
	if (to)
		memcpy(to, p, n);
}

static inline void wq_cbor_put_uint(struct wq_cbor_out *o, uint64_t v)
{
	wq_cbor_priv_shortest(o, 0, v);
}

static inline void wq_cbor_put_int(struct wq_cbor_out *o, int64_t v)
{
	if (v < 0)
		wq_cbor_priv_shortest(o, 1, (uint64_t)(-1 - v));
	else
		wq_cbor_priv_shortest(o, 0, (uint64_t)v);
}

static inline void wq_cbor_put_bool(struct wq_cbor_out *o, int v)
{
	wq_cbor_priv_head(o, 7, v ? 21 : 20, 0);
}

static inline void wq_cbor_put_null(struct wq_cbor_out *o)
{
	wq_cbor_priv_head(o, 7, 22, 0);
}

/* Head of an array of `n` items, or of a map of `n` pairs: the items follow, key before value. */
static inline void wq_cbor_put_array(struct wq_cbor_out *o, uint64_t n)
{
	wq_cbor_priv_shortest(o, 4, n);
}

static inline void wq_cbor_put_map(struct wq_cbor_out *o, uint64_t n)
{
	wq_cbor_priv_shortest(o, 5, n);
}

/* A tag on the item that follows. */
static inline void wq_cbor_put_tag(struct wq_cbor_out *o, uint64_t n)
{
	wq_cbor_priv_shortest(o, 6, n);
}

static inline void wq_cbor_put_bytes(struct wq_cbor_out *o, const void *p, size_t n)
{
	wq_cbor_priv_shortest(o, 2, n);
	wq_cbor_put_raw(o, p, n);
}

/* Text must be UTF-8; that is not checked here. */
static inline void wq_cbor_put_text_n(struct wq_cbor_out *o, const char *p, size_t n)
{
	wq_cbor_priv_shortest(o, 3, n);
	wq_cbor_put_raw(o, p, n);
}

static inline void wq_cbor_put_text(struct wq_cbor_out *o, const char *text)
{
	wq_cbor_put_text_n(o, text, strlen(text));
}

/*
 * The mantissa of a double with exponent `e`, cut to `keep` bits where the format's smallest normal
 * exponent is `e_min`; 1 where no bit was lost.
 */
static inline int wq_cbor_priv_narrow(
	uint64_t mantissa, int e, int e_min, int e_max, int keep, uint64_t *ret)
{
	int shift = 52 - keep;
	if (e > e_max || e < e_min - keep)
		return 0;
	if (e < e_min) { /* subnormal there: the leading 1 becomes visible, the exponent 0 */
		mantissa |= UINT64_C(1) << 52;
		shift += e_min - e;
		*ret = mantissa >> shift;
	} else {
		*ret = (uint64_t)(e - e_min + 1) << keep | mantissa >> shift;
	}
	return (mantissa & ((UINT64_C(1) << shift) - 1)) == 0;
}

/* The shortest of half, single and double that holds exactly `v`; every NaN is f97e00. */
static inline void wq_cbor_put_double(struct wq_cbor_out *o, double v)
{
	uint64_t bits, mantissa, narrow, sign;
	int e;
	memcpy(&bits, &v, sizeof bits);
	sign = bits >> 63;
	e = (int)(bits >> 52 & 0x7ff) - 1023;
	mantissa = bits & ((UINT64_C(1) << 52) - 1);
	if (e == 1024)
		wq_cbor_priv_head(o, 7, 25, mantissa ? 0x7e00 : sign << 15 | 0x7c00);
	else if (e == -1023 && mantissa == 0)
		wq_cbor_priv_head(o, 7, 25, sign << 15);
	else if (wq_cbor_priv_narrow(mantissa, e, -14, 15, 10, &narrow))
		wq_cbor_priv_head(o, 7, 25, sign << 15 | narrow);
	else if (wq_cbor_priv_narrow(mantissa, e, -126, 127, 23, &narrow))
		wq_cbor_priv_head(o, 7, 26, sign << 31 | narrow);
	else
		wq_cbor_priv_head(o, 7, 27, bits);
}

/* A pair of a map: a key and a text. */
static inline void wq_cbor_put_pair(struct wq_cbor_out *o, const char *key, const char *text)
{
	wq_cbor_put_text(o, key);
	wq_cbor_put_text(o, text);
}

/* ---- reader ----------------------------------------------------------------------------------
 * Pull items one by one; a container or a tag gives its head alone, what is in it follows.
 */
struct wq_cbor_in {
	const uint8_t *p, *end;
};

enum {
	WQ_CBOR_UINT,
	WQ_CBOR_NINT,
	WQ_CBOR_BYTES,
	WQ_CBOR_TEXT,
	WQ_CBOR_ARRAY,
	WQ_CBOR_MAP,
	WQ_CBOR_TAG,
	WQ_CBOR_BOOL,
	WQ_CBOR_NULL,
	WQ_CBOR_UNDEFINED,
	WQ_CBOR_FLOAT,
	WQ_CBOR_SIMPLE
};

struct wq_cbor_item {
	int32_t type;
	uint32_t reserved;
	/* UINT, BOOL, SIMPLE, TAG: the value; NINT: the value is -1 - u; ARRAY: items, MAP: pairs;
	 * FLOAT: the bits as they stand. */
	uint64_t u;
	double f;           /* FLOAT: the value */
	const uint8_t *ptr; /* BYTES, TEXT: in the input, without a NUL */
	size_t len;
};

static inline void wq_cbor_in_init(struct wq_cbor_in *in, const void *p, size_t n)
{
	in->p = (const uint8_t *)p;
	in->end = n ? in->p + n : in->p;
}

/* What can be wrong; the order is that of the table in wq_cbor_priv_fail. */
enum {
	WQ_CBOR_PRIV_OK,
	WQ_CBOR_PRIV_CUT_HEAD,
	WQ_CBOR_PRIV_CUT_STRING,
	WQ_CBOR_PRIV_CUT_ITEMS,
	WQ_CBOR_PRIV_RESERVED,
	WQ_CBOR_PRIV_BREAK,
	WQ_CBOR_PRIV_SIMPLE,
	WQ_CBOR_PRIV_UTF8,
	WQ_CBOR_PRIV_INDEFINITE,
	WQ_CBOR_PRIV_DEEP,
	WQ_CBOR_PRIV_MANY,
	WQ_CBOR_PRIV_BIG
};

static inline double wq_cbor_priv_float(unsigned int info, uint64_t u)
{
	uint32_t u32 = (uint32_t)u;
	uint64_t u64 = u;
	float single;
	double d;
	if (info == 26) {
		memcpy(&single, &u32, sizeof single);
		return (double)single;
	}
	if (info == 25) {
		uint64_t exponent = u >> 10 & 0x1f, mantissa = u & 0x3ff;
		if (exponent == 0) /* subnormal: units of 2^-24, exact in a double */
			return (u >> 15 ? -1.0 : 1.0) * (double)mantissa / 16777216.0;
		exponent = exponent == 31 ? 0x7ff : exponent - 15 + 1023;
		u64 = u >> 15 << 63 | exponent << 52 | mantissa << 42;
	}
	memcpy(&d, &u64, sizeof d);
	return d;
}

/* Major type 7, its argument read. */
static inline int wq_cbor_priv_special(struct wq_cbor_item *ret, unsigned int info)
{
	if (info >= 25) {
		ret->type = WQ_CBOR_FLOAT;
		ret->f = wq_cbor_priv_float(info, ret->u);
		return WQ_CBOR_PRIV_OK;
	}
	if (info == 24 && ret->u < 32)
		return WQ_CBOR_PRIV_SIMPLE;
	ret->type = WQ_CBOR_SIMPLE;
	if (info == 20 || info == 21) {
		ret->type = WQ_CBOR_BOOL;
		ret->u = info - 20;
	} else if (info == 22) {
		ret->type = WQ_CBOR_NULL;
	} else if (info == 23) {
		ret->type = WQ_CBOR_UNDEFINED;
	}
	return WQ_CBOR_PRIV_OK;
}

/* One item at in->p, which is before in->end.  Moves on only on success. */
static inline int wq_cbor_priv_item(struct wq_cbor_in *in, struct wq_cbor_item *ret)
{
	const uint8_t *p = in->p;
	unsigned int major = *p >> 5, info = *p & 0x1f;
	size_t n = info >= 24 && info < 28 ? (size_t)1 << (info - 24) : 0, i, left;
	memset(ret, 0, sizeof *ret);
	if (info == 31 && major >= 2 && major <= 5)
		return WQ_CBOR_PRIV_INDEFINITE;
	if (info >= 28)
		return info == 31 && major == 7 ? WQ_CBOR_PRIV_BREAK : WQ_CBOR_PRIV_RESERVED;
	p++;
	if (n > (size_t)(in->end - p))
		return WQ_CBOR_PRIV_CUT_HEAD;
	for (ret->u = n ? 0 : info, i = 0; i < n; i++)
		ret->u = ret->u << 8 | p[i];
	p += n;
	left = (size_t)(in->end - p);
	ret->type = (int32_t)major; /* the types of majors 0 to 6 are these numbers */
	if (major == 7) {
		int rc = wq_cbor_priv_special(ret, info);
		if (rc)
			return rc;
	} else if (major == WQ_CBOR_BYTES || major == WQ_CBOR_TEXT) {
		if (ret->u > left)
			return WQ_CBOR_PRIV_CUT_STRING;
		ret->ptr = p;
		ret->len = (size_t)ret->u;
		p += ret->len;
	} else if ((major == WQ_CBOR_ARRAY && ret->u > left) ||
		   (major == WQ_CBOR_MAP && ret->u > left / 2) ||
		   (major == WQ_CBOR_TAG && left == 0)) {
		return WQ_CBOR_PRIV_CUT_ITEMS;
	}
	in->p = p;
	return WQ_CBOR_PRIV_OK;
}

/* How many items follow this head as its content. */
static inline uint64_t wq_cbor_priv_children(const struct wq_cbor_item *item)
{
	return item->type == WQ_CBOR_ARRAY ? item->u
	       : item->type == WQ_CBOR_MAP ? item->u * 2
	       : item->type == WQ_CBOR_TAG ? 1
					   : 0;
}

/* Read one item.  1; 0 at the end; -WQ_E_FORMAT, and `in` stays where it was. */
static inline int wq_cbor_next(struct wq_cbor_in *in, struct wq_cbor_item *ret)
{
	if (in->p == in->end)
		return 0;
	return wq_cbor_priv_item(in, ret) ? -WQ_E_FORMAT : 1;
}

/* Pass over one item with all that is in it.  Answers like wq_cbor_next. */
static inline int wq_cbor_skip(struct wq_cbor_in *in)
{
	struct wq_cbor_in at = *in;
	struct wq_cbor_item item;
	uint64_t pending = 1;
	if (at.p == at.end)
		return 0;
	for (; pending; pending--) {
		if (pending > (uint64_t)(at.end - at.p) || wq_cbor_priv_item(&at, &item))
			return -WQ_E_FORMAT;
		pending += wq_cbor_priv_children(&item);
	}
	in->p = at.p;
	return 1;
}

/* The value of an integer: 0; -WQ_E_FORMAT: it is none; -ERANGE: it does not fit. */
static inline int wq_cbor_int(const struct wq_cbor_item *item, int64_t *ret)
{
	if (item->type != WQ_CBOR_UINT && item->type != WQ_CBOR_NINT)
		return -WQ_E_FORMAT;
	if (item->u > (uint64_t)INT64_MAX)
		return -ERANGE;
	*ret = item->type == WQ_CBOR_UINT ? (int64_t)item->u : -1 - (int64_t)item->u;
	return 0;
}

/* Is it this text? */
static inline int wq_cbor_text_is(const struct wq_cbor_item *item, const char *text)
{
	size_t n = strlen(text);
	return item->type == WQ_CBOR_TEXT && item->len == n &&
	       (n == 0 || memcmp(item->ptr, text, n) == 0);
}

/*
 * Find the value of a text key in a map, which may stand under tag 55799.  1: `ret` reads that one
 * item; 0: no such key; -WQ_E_FORMAT: not a map, or malformed before the key.  Where a key stands
 * twice the first counts.
 */
static inline int wq_cbor_map_find(const void *p, size_t n, const char *key, struct wq_cbor_in *ret)
{
	struct wq_cbor_in in;
	struct wq_cbor_item item;
	uint64_t pairs;
	int rc;
	wq_cbor_in_init(&in, p, n);
	rc = wq_cbor_next(&in, &item);
	if (rc == 1 && item.type == WQ_CBOR_TAG && item.u == 55799)
		rc = wq_cbor_next(&in, &item);
	if (rc != 1 || item.type != WQ_CBOR_MAP)
		return -WQ_E_FORMAT;
	for (pairs = item.u; pairs > 0; pairs--) {
		struct wq_cbor_in at = in, value;
		if (wq_cbor_skip(&in) != 1)
			return -WQ_E_FORMAT;
		value = in;
		if (wq_cbor_skip(&in) != 1)
			return -WQ_E_FORMAT;
		if (wq_cbor_next(&at, &item) == 1 && wq_cbor_text_is(&item, key)) {
			ret->p = value.p;
			ret->end = in.p;
			return 1;
		}
	}
	return 0;
}

/*
 * The same, with the type wanted: 1 found; 0 not there; -WQ_E_FORMAT also where the value has
 * another type; -ERANGE where an integer does not fit.  `ret` is written only with 1.
 */
static inline int wq_cbor_priv_find(
	const void *p, size_t n, const char *key, struct wq_cbor_item *ret)
{
	struct wq_cbor_in in;
	int rc = wq_cbor_map_find(p, n, key, &in);
	return rc == 1 ? wq_cbor_next(&in, ret) : rc;
}

static inline int wq_cbor_find_int(const void *p, size_t n, const char *key, int64_t *ret)
{
	struct wq_cbor_item item;
	int rc = wq_cbor_priv_find(p, n, key, &item);
	if (rc != 1)
		return rc;
	rc = wq_cbor_int(&item, ret);
	return rc < 0 ? rc : 1;
}

static inline int wq_cbor_priv_find_string(const void *p, size_t n, const char *key, int32_t type,
	const uint8_t **ret, size_t *ret_len)
{
	struct wq_cbor_item item;
	int rc = wq_cbor_priv_find(p, n, key, &item);
	if (rc != 1)
		return rc;
	if (item.type != type)
		return -WQ_E_FORMAT;
	*ret = item.ptr;
	*ret_len = item.len;
	return 1;
}

/* The text is in the input and has no NUL at its end. */
static inline int wq_cbor_find_text(
	const void *p, size_t n, const char *key, const char **ret, size_t *ret_len)
{
	const uint8_t *bytes = NULL;
	int rc = wq_cbor_priv_find_string(p, n, key, WQ_CBOR_TEXT, &bytes, ret_len);
	if (rc == 1)
		*ret = (const char *)bytes;
	return rc;
}

static inline int wq_cbor_find_bytes(
	const void *p, size_t n, const char *key, const void **ret, size_t *ret_len)
{
	const uint8_t *bytes = NULL;
	int rc = wq_cbor_priv_find_string(p, n, key, WQ_CBOR_BYTES, &bytes, ret_len);
	if (rc == 1)
		*ret = bytes;
	return rc;
}

static inline int wq_cbor_find_bool(const void *p, size_t n, const char *key, int *ret)
{
	struct wq_cbor_item item;
	int rc = wq_cbor_priv_find(p, n, key, &item);
	if (rc != 1)
		return rc;
	if (item.type != WQ_CBOR_BOOL)
		return -WQ_E_FORMAT;
	*ret = (int)item.u;
	return 1;
}

/* Takes an integer too. */
static inline int wq_cbor_find_double(const void *p, size_t n, const char *key, double *ret)
{
	struct wq_cbor_item item;
	int rc = wq_cbor_priv_find(p, n, key, &item);
	if (rc != 1)
		return rc;
	if (item.type == WQ_CBOR_FLOAT)
		*ret = item.f;
	else if (item.type == WQ_CBOR_UINT)
		*ret = (double)item.u;
	else if (item.type == WQ_CBOR_NINT)
		*ret = -1.0 - (double)item.u;
	else
		return -WQ_E_FORMAT;
	return 1;
}

/* ---- check -----------------------------------------------------------------------------------
 * Is there one well-formed item (RFC 8949 section 5.3), small enough, with valid UTF-8 in its
 * texts?  Numbers in longer forms than needed and any order of map keys are accepted; repeated keys
 * are not looked for.
 */
enum {
	WQ_CBOR_DEPTH_MAX = 64
};

/* 0 in a member: no limit of its own; the depth is never above WQ_CBOR_DEPTH_MAX. */
struct wq_cbor_limits {
	size_t max_bytes;
	/* Arrays, maps and tags inside each other; a number alone has depth 0. */
	uint32_t max_depth;
	uint32_t max_items; /* all of them: containers, tags, keys, values */
	uint32_t flags;     /* 0 */
};

struct wq_cbor_priv_walk {
	struct wq_cbor_in in;
	uint64_t left[WQ_CBOR_DEPTH_MAX]; /* items still to come in each open container */
	uint64_t pending;                 /* the sum of these */
	uint64_t items, max_items;
	uint32_t depth, max_depth;
};

static inline int wq_cbor_priv_fail(
	struct wq_err *err, int why, const uint8_t *at, const uint8_t *p, const uint8_t *end)
{
	static const struct {
		const char *name, *text;
	} table[] = {
		{ "", "" },
		{ "truncated", "the input ends inside an item" },
		{ "truncated", "a string is longer than what is left" },
		{ "truncated", "more items are declared than bytes are left" },
		{ "bad-cbor", "additional information 28 to 31 means nothing here" },
		{ "bad-cbor", "a break, but nothing is open that it could end" },
		{ "bad-cbor", "a simple value below 32 in two bytes" },
		{ "bad-cbor", "a text is not valid UTF-8" },
		{ "indefinite", "indefinite lengths are not accepted" },
		{ "too-deep", "nested too deep" },
		{ "too-many-items", "too many items" },
		{ "too-big", "the item is larger than the limit" },
	};
	int code = why >= WQ_CBOR_PRIV_DEEP ? -WQ_E_LIMIT : -WQ_E_FORMAT;
	if (!err)
		return code;
	err->code = code;
	err->sys_errno = 0;
	snprintf(err->name, sizeof err->name, "%s", table[why].name);
	if (at < end)
		snprintf(err->text, sizeof err->text, "CBOR: at byte %lu (0x%02x): %s",
			(unsigned long)(at - p), (unsigned int)*at, table[why].text);
	else
		snprintf(err->text, sizeof err->text, "CBOR: at byte %lu (the end): %s",
			(unsigned long)(at - p), table[why].text);
	return code;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
static inline int wq_cbor_priv_utf8(const uint8_t *p, size_t n)
{
	size_t i = 0, k, more;
	while (i < n) {
		uint8_t c = p[i++], low = 0x80, high = 0xbf;
		if (c < 0x80)
			continue;
		if (c < 0xc2 || c > 0xf4)
			return 0;
		more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
		if (more > n - i)
			return 0;
		if (c == 0xe0 || c == 0xf0)
			low = c == 0xe0 ? 0xa0 : 0x90;
		if (c == 0xed || c == 0xf4)
			high = c == 0xed ? 0x9f : 0x8f;
		if (p[i] < low || p[i] > high)
			return 0;
		for (k = 1; k < more; k++)
			if ((p[i + k] & 0xc0) != 0x80)
				return 0;
		i += more;
	}
	return 1;
}

/* One head, and what it does to the open containers. */
static inline int wq_cbor_priv_step(struct wq_cbor_priv_walk *w)
{
	struct wq_cbor_item item;
	uint64_t children;
	int rc;
	if (++w->items > w->max_items)
		return WQ_CBOR_PRIV_MANY;
	rc = w->in.p == w->in.end ? WQ_CBOR_PRIV_CUT_HEAD : wq_cbor_priv_item(&w->in, &item);
	if (rc)
		return rc;
	if (item.type == WQ_CBOR_TEXT && !wq_cbor_priv_utf8(item.ptr, item.len))
		return WQ_CBOR_PRIV_UTF8;
	children = wq_cbor_priv_children(&item);
	if (item.type >= WQ_CBOR_ARRAY && item.type <= WQ_CBOR_TAG && w->depth >= w->max_depth)
		return WQ_CBOR_PRIV_DEEP;
	/* Each declared item is at least one byte: what all open containers still ask for must fit,
	 * or nested heads could each claim the same bytes. */
	w->pending += children;
	if (w->pending - 1 > (uint64_t)(w->in.end - w->in.p))
		return WQ_CBOR_PRIV_CUT_ITEMS;
	w->pending--;
	if (w->pending > w->max_items - w->items)
		return WQ_CBOR_PRIV_MANY;
	if (children) {
		w->left[w->depth++] = children;
		return WQ_CBOR_PRIV_OK;
	}
	while (w->depth && --w->left[w->depth - 1] == 0)
		w->depth--;
	return WQ_CBOR_PRIV_OK;
}

/*
 * Check the item that begins at `p`; what follows it is not looked at.  0, and its size goes to
 * `ret_used` (may be NULL).  `lim` may be NULL: depth 64, no other limit.
 *   -WQ_E_FORMAT  err->name "truncated", "bad-cbor" or "indefinite"
 *   -WQ_E_LIMIT   "too-deep", "too-many-items" or "too-big"
 * The text names the byte.  Time is linear in the size, memory is fixed.
 */
static inline int wq_cbor_check(const void *p, size_t n, const struct wq_cbor_limits *lim,
	size_t *ret_used, struct wq_err *err)
{
	struct wq_cbor_priv_walk w;
	const uint8_t *start = (const uint8_t *)p, *at;
	int rc, capped = lim && lim->max_bytes && n >= lim->max_bytes;
	wq_cbor_in_init(&w.in, p, capped ? lim->max_bytes : n);
	w.pending = 1;
	w.items = 0;
	w.depth = 0;
	w.max_items = lim && lim->max_items ? lim->max_items : UINT64_MAX;
	w.max_depth = lim && lim->max_depth && lim->max_depth < WQ_CBOR_DEPTH_MAX
			      ? lim->max_depth
			      : (uint32_t)WQ_CBOR_DEPTH_MAX;
	do {
		at = w.in.p;
		rc = wq_cbor_priv_step(&w);
		/* Cut by the limit, not by the end of the input. */
		if (capped && rc >= WQ_CBOR_PRIV_CUT_HEAD && rc <= WQ_CBOR_PRIV_CUT_ITEMS)
			rc = WQ_CBOR_PRIV_BIG;
		if (rc)
			return wq_cbor_priv_fail(err, rc, at, start, w.in.end);
	} while (w.depth);
	if (ret_used)
		*ret_used = (size_t)(w.in.p - start);
	return 0;
}

#ifdef __cplusplus
}
#endif
#endif
