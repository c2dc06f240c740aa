/* SPDX-License-Identifier: BSD-2-Clause */
#include "show.h"

#include <stdbool.h>

#include <wq/plugin-util.h>

enum {
	SHOWN_MAX = SHOW_SIZE - 8 /* two quotes, "..." and NUL */
};

const char *show_bytes(const void *bytes, size_t len, char ret[SHOW_SIZE])
{
	const unsigned char *p = bytes;
	struct wq_cbor_out o;
	uint8_t room[SHOW_SIZE + 16];
	char text[SHOWN_MAX + 1];
	size_t n = 0;
	for (; n < len && n < SHOWN_MAX; n++)
		text[n] = (char)(p[n] < 0x20 || p[n] == 0x7f ? '?' : p[n]);
	text[n] = '\0';
	if (n < len)
		wq_text_trim(text);
	/* Whatever is no UTF-8 must not reach a text for people: the reader of CBOR knows. */
	wq_cbor_out_fixed(&o, room, sizeof(room));
	wq_cbor_put_text(&o, text);
	bool is_text = wq_cbor_check(room, o.len, NULL, NULL, NULL) == 0;
	for (char *c = text; *c && !is_text; c++)
		*c = (char)((unsigned char)*c >= 0x80 ? '?' : *c);
	(void)snprintf(ret, SHOW_SIZE, "'%s'%s", text, n < len ? "..." : "");
	return ret;
}

const char *show_item(const struct wq_cbor_item *item, char ret[SHOW_SIZE])
{
	const char *what = "a simple value";
	switch (item->type) {
	case WQ_CBOR_TEXT:
	case WQ_CBOR_BYTES:
		return show_bytes(item->ptr, item->len, ret);
	case WQ_CBOR_UINT:
		(void)snprintf(ret, SHOW_SIZE, "%llu", (unsigned long long)item->u);
		return ret;
	case WQ_CBOR_NINT:
		if (item->u > INT64_MAX)
			(void)snprintf(ret, SHOW_SIZE, "less than -2^63");
		else
			(void)snprintf(ret, SHOW_SIZE, "%lld", -1 - (long long)item->u);
		return ret;
	case WQ_CBOR_FLOAT:
		(void)snprintf(ret, SHOW_SIZE, "%g", item->f);
		return ret;
	case WQ_CBOR_BOOL:
		what = item->u ? "true" : "false";
		break;
	case WQ_CBOR_NULL:
		what = "null";
		break;
	case WQ_CBOR_ARRAY:
		what = item->u ? "an array" : "an empty array";
		break;
	case WQ_CBOR_MAP:
		what = "a map";
		break;
	case WQ_CBOR_TAG:
		what = "a tagged item";
		break;
	default:
		break;
	}
	(void)snprintf(ret, SHOW_SIZE, "%s", what);
	return ret;
}
