/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * show: what stands in a request, in a few words for people.
 */
#pragma once

#include <wq/cbor.h>

enum {
	SHOW_SIZE = 80
};

/* "'some text'", "-5", "a map": one line, long texts cut, control characters as '?'.  Returns `ret`. */
const char *show_item(const struct wq_cbor_item *item, char ret[SHOW_SIZE]);
const char *show_bytes(const void *bytes, size_t len, char ret[SHOW_SIZE]);
