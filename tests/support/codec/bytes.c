/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/codec/bytes.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bytes_add(struct buf *b, const char *spec)
{
	static const char digits[] = "0123456789abcdef";
	for (const char *p = spec; *p; p++) {
		if (*p == ' ')
			continue;
		if (*p == '\'') {
			const char *end = strchr(p + 1, '\'');
			ck_assert_ptr_nonnull(end);
			ck_assert_int_eq(buf_add(b, p + 1, (size_t)(end - p - 1)), 0);
			p = end;
			continue;
		}
		const char *high = strchr(digits, p[0]), *low = p[1] ? strchr(digits, p[1]) : NULL;
		ck_assert_msg(high && low, "'%s' is not hexadecimal", p);
		uint8_t byte = (uint8_t)((high - digits) << 4 | (low - digits));
		ck_assert_int_eq(buf_add(b, &byte, 1), 0);
		p++;
	}
}

struct buf bytes_of(const char *spec)
{
	struct buf b = { 0 };
	bytes_add(&b, spec);
	return b;
}

uint32_t bytes_crc32c(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint32_t crc = 0xffffffff;
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

struct buf bytes_sealed(const char *spec)
{
	struct buf b = bytes_of(spec);
	char check[16];
	snprintf(check, sizeof check, "44%08x", bytes_crc32c(b.data, b.len));
	bytes_add(&b, check);
	return b;
}

struct buf bytes_golden(const char *name)
{
	const char *top = getenv("WQ_TOP");
	char path[512];
	snprintf(path, sizeof path, "%s/tests/golden/%s", top ? top : ".", name);
	FILE *f = fopen(path, "rb");
	ck_assert_msg(f, "cannot open %s: run from the top of the tree, or set WQ_TOP", path);
	struct buf b = { 0 };
	uint8_t block[4096];
	size_t n;
	while ((n = fread(block, 1, sizeof block, f)) > 0)
		ck_assert_int_eq(buf_add(&b, block, n), 0);
	fclose(f);
	return b;
}

void bytes_export(const char *name, const struct buf *b)
{
	const char *dir = getenv("WQ_GOLDEN_OUT");
	if (!dir)
		return;
	char path[512];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "wb");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(b->data, 1, b->len, f), b->len);
	ck_assert_int_eq(fclose(f), 0);
}
