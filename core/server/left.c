/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that a result has replaced and that could not be taken away in that moment: tried again for
 * a while, because a waiter is woken by their going, and what was refused is to come to quarantine.
 * What is left of them all the same is recovery's.
 */
#include "server/server.h"

#include "base/log.h"
#include "spool/complete.h"

#include <stdlib.h>
#include <string.h>

enum {
	LEFT_MAX = 1024,
	TRIES = 60 /* a second apart */
};

struct left {
	SLIST_ENTRY(left) link;
	struct reqid id;
	bool beside;
	int tries;
	size_t why_len; /* 0: it was no refused one */
	uint8_t why[];
};

/* True: it is settled. */
static bool retire(struct server *s, struct left *l)
{
	bool last = ++l->tries >= TRIES;
	int rc = complete_retire(
		&s->spool, l->id, l->beside, l->why_len ? l->why : NULL, l->why_len, last);
	if (rc < 0)
		log_err("%s: its result is out, but its request cannot be taken away, %s: %s",
			ID_TEXT(l->id), last ? "leaving it" : "trying again", strerror(-rc));
	return rc == 0 || last;
}

void left_add(struct server *s, struct reqid id, bool beside, const void *why, size_t len)
{
	struct left *l = s->n_left < LEFT_MAX ? malloc(sizeof *l + len) : NULL;
	if (!l) {
		(void)complete_retire(&s->spool, id, beside, len ? why : NULL, len, true);
		return;
	}
	*l = (struct left){ .id = id, .beside = beside, .why_len = len };
	if (len)
		memcpy(l->why, why, len);
	SLIST_INSERT_HEAD(&s->left, l, link);
	s->n_left++;
	whereabouts_renew_soon(s);
}

void left_retry(struct server *s)
{
	struct left *l, *next = SLIST_FIRST(&s->left);
	SLIST_INIT(&s->left);
	while ((l = next)) {
		next = SLIST_NEXT(l, link);
		if (!retire(s, l)) {
			SLIST_INSERT_HEAD(&s->left, l, link);
			continue;
		}
		s->n_left--;
		free(l);
	}
	if (s->n_left > 0)
		whereabouts_renew_soon(s);
}

void left_fini(struct server *s)
{
	struct left *l;
	while ((l = SLIST_FIRST(&s->left))) {
		SLIST_REMOVE_HEAD(&s->left, link);
		free(l);
	}
}
