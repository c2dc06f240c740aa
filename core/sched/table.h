/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sched/table: what is remembered of each request, found by its id.
 *
 * A slab of 32-byte entries, addressed by handle, and an open-addressing hash of handles keyed with
 * SipHash, because clients choose ids.  Handles stay valid until released; pointers only until the
 * next table_add.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "spool/reqid.h"

#define TABLE_NONE UINT32_MAX

struct entry {
	struct reqid id;
	int64_t since_ns; /* when it entered its state */
	uint32_t ref;     /* the server's; while unsorted: how often it was deferred */
	uint16_t tm;
	uint8_t state;
	uint8_t flags;
};

struct table {
	struct entry *slab;
	uint32_t n, cap; /* used so far, allocated */
	uint32_t free;   /* first of the free ones, linked by ref */
	uint32_t *slots;
	uint32_t n_slots, n_linked; /* a power of two; at most half full */
	uint64_t hash_key[2];
};

bool table_init(struct table *t, const uint64_t hash_key[2]);
void table_fini(struct table *t);

static inline struct entry *table_at(const struct table *t, uint32_t handle)
{
	return &t->slab[handle];
}

uint32_t table_find(const struct table *t, struct reqid id);

/* A zeroed entry under an id that is not there yet; TABLE_NONE when memory is short. */
uint32_t table_add(struct table *t, struct reqid id);

/* Make the id unknown; the entry stays until it is released. */
void table_unlink(struct table *t, uint32_t handle);
/* Undo an unlink that nothing has followed. */
void table_relink(struct table *t, uint32_t handle);
void table_release(struct table *t, uint32_t handle);
