/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/quantity: durations and sizes as people write them.
 *
 * A duration is a number with a unit: ns us ms s m h d ("250ms", "1.5h"); a size is a number of
 * bytes, alone or with K M G T, powers of 1024 ("64M").  White space, signs and other units are
 * refused, so that a typing error never becomes a value.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* 0, or -EINVAL (not of this form) or -ERANGE (does not fit). */
int quantity_parse_duration(const char *text, int64_t *ret_ns);
int quantity_parse_size(const char *text, int64_t *ret_bytes);

/* The shortest exact form, at most 31 bytes.  Returns `ret`. */
char *quantity_format_duration(int64_t ns, char ret[32]);
char *quantity_format_size(int64_t bytes, char ret[32]);
