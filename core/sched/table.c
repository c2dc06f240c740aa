/* SPDX-License-Identifier: BSD-2-Clause */
#include "sched/table.h"

#include "base/err.h"
#include "base/siphash.h"

#include <stdlib.h>
#include <string.h>

enum {
	FIRST_SLOTS = 1024,
	FIRST_ENTRIES = 256
};

bool table_init(struct table *t, const uint64_t hash_key[2])
{
	*t = (struct table){ .free = TABLE_NONE, .n_slots = FIRST_SLOTS };
	memcpy(t->hash_key, hash_key, sizeof t->hash_key);
	t->slots = malloc(FIRST_SLOTS * sizeof *t->slots);
	if (!t->slots)
		return false;
	memset(t->slots, 0xff, FIRST_SLOTS * sizeof *t->slots);
	return true;
}

void table_fini(struct table *t)
{
	free(t->slab);
	free(t->slots);
	*t = (struct table){ .free = TABLE_NONE };
}

static uint32_t home(const struct table *t, struct reqid id)
{
	return (uint32_t)siphash_pair(t->hash_key, id.us, id.suffix) & (t->n_slots - 1);
}

/* The slot that holds this id, or the empty one where it would go. */
static uint32_t slot_of(const struct table *t, struct reqid id)
{
	uint32_t i = home(t, id);
	while (t->slots[i] != TABLE_NONE && !reqid_is(t->slab[t->slots[i]].id, id))
		i = (i + 1) & (t->n_slots - 1);
	return i;
}

uint32_t table_find(const struct table *t, struct reqid id)
{
	return t->slots[slot_of(t, id)];
}

static bool grow_slots(struct table *t)
{
	uint32_t old_n = t->n_slots, *old = t->slots;
	uint32_t *slots = malloc((size_t)old_n * 2 * sizeof *slots);
	if (!slots)
		return false;
	memset(slots, 0xff, (size_t)old_n * 2 * sizeof *slots);
	t->slots = slots;
	t->n_slots = old_n * 2;
	for (uint32_t i = 0; i < old_n; i++)
		if (old[i] != TABLE_NONE)
			t->slots[slot_of(t, t->slab[old[i]].id)] = old[i];
	free(old);
	return true;
}

static uint32_t take_entry(struct table *t)
{
	if (t->free != TABLE_NONE) {
		uint32_t handle = t->free;
		t->free = t->slab[handle].ref;
		return handle;
	}
	if (t->n == t->cap) {
		uint32_t cap = t->cap ? t->cap * 2 : FIRST_ENTRIES;
		if (cap <= t->cap)
			return TABLE_NONE;
		struct entry *slab = realloc(t->slab, cap * sizeof *slab);
		if (!slab)
			return TABLE_NONE;
		t->slab = slab;
		t->cap = cap;
	}
	return t->n++;
}

uint32_t table_add(struct table *t, struct reqid id)
{
	if (t->n_linked >= t->n_slots / 2 && !grow_slots(t))
		return TABLE_NONE;
	uint32_t slot = slot_of(t, id);
	wq_check(t->slots[slot] == TABLE_NONE);
	uint32_t handle = take_entry(t);
	if (handle == TABLE_NONE)
		return TABLE_NONE;
	t->slab[handle] = (struct entry){ .id = id };
	t->slots[slot] = handle;
	t->n_linked++;
	return handle;
}

void table_unlink(struct table *t, uint32_t handle)
{
	uint32_t mask = t->n_slots - 1, hole = slot_of(t, t->slab[handle].id);
	wq_check(t->slots[hole] == handle);
	/* Close the gap: move up each follower that would no longer be found from its home. */
	for (uint32_t i = (hole + 1) & mask; t->slots[i] != TABLE_NONE; i = (i + 1) & mask) {
		uint32_t want = home(t, t->slab[t->slots[i]].id);
		if (((i - want) & mask) >= ((i - hole) & mask)) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole] = TABLE_NONE;
	t->n_linked--;
}

void table_relink(struct table *t, uint32_t handle)
{
	t->slots[slot_of(t, t->slab[handle].id)] = handle;
	t->n_linked++;
}

void table_release(struct table *t, uint32_t handle)
{
	t->slab[handle] = (struct entry){ .ref = t->free };
	t->free = handle;
}
