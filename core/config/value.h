/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config/value: one text typed by one struct wq_option.
 */
#pragma once

#include <limits.h>
#include <stddef.h>

#include <wq/plugin.h>

/* Memory that values point at: a chain of blocks, freed together.  NULL is an empty one. */
struct block;
void blocks_free(struct block *chain);
void *block_add(struct block **chain, size_t size); /* zeroed; NULL: no memory */

/*
 * Type `text`.  0; -EINVAL with what it must be in `why` ("must be a number of 1 to 10"); -ENOMEM.
 */
int value_parse(const struct wq_option *option, const char *text, const char *base_dir,
	struct block **chain, struct wq_value *ret, char *why, size_t why_size);

/* The words of a WQ_T_CHOICE in `ret`, pointing into `chain`.  Their number, or -ENOMEM. */
enum {
	VALUE_CHOICES_MAX = 64
};
int value_choices(
	const struct wq_option *option, struct block **chain, const char *ret[VALUE_CHOICES_MAX]);

/* `path` below `base_dir`, a leading "./" left out.  NULL: no memory. */
char *path_absolute(const char *path, const char *base_dir, struct block **chain);
