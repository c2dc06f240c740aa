/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes for tests of the codec, written so that a person can read them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Append what `spec` spells: hexadecimal digits, spaces for the eye, and text between quotes as it
 * is: "a1 6a'wq-request' 01".
 */
void bytes_add(struct buf *b, const char *spec);

/* A new buffer of that; give it back with buf_fini. */
struct buf bytes_of(const char *spec);

/* The same with the check item behind it, computed bit by bit from the definition of CRC-32C. */
struct buf bytes_sealed(const char *spec);
uint32_t bytes_crc32c(const void *bytes, size_t len);

/* tests/golden/<name>, from the top of the tree or from WQ_TOP. */
struct buf bytes_golden(const char *name);

/* Keep what we wrote under WQ_GOLDEN_OUT, if that is set, for tests/golden/check.py to read. */
void bytes_export(const char *name, const struct buf *b);
