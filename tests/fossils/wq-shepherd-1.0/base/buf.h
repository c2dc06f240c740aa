/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/buf: bytes that grow.  A zeroed struct buf is an empty one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
};

/* Make room for `more` bytes after len.  0, or -ENOMEM with the buffer unchanged. */
int buf_reserve(struct buf *b, size_t more);

/* Append.  0, or -ENOMEM with the buffer unchanged. */
int buf_add(struct buf *b, const void *bytes, size_t len);
int buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Empty it, keeping the memory; or give the memory back. */
void buf_clear(struct buf *b);
void buf_fini(struct buf *b);
