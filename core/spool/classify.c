/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/classify.h"

/*
 * The later state wins: 4, then a result in 3, then a request in 3, then 2, then 1.  What stands in
 * an earlier state is either a second name of the same file, which a rename that was half durable
 * has left, or a collision.
 */

/* Nothing (more) in 4. */
static uint32_t classify_3(const struct findings *f)
{
	bool tmp = f->in_tmp != FIND_NONE;
	switch (f->in_3) {
	case FIND_RESULT:
		/* tmp holds its request, which goes when the result can be seen. */
		return CLASSIFY_PUBLISH | CLASSIFY_IS_COMPLETE;
	case FIND_REQUEST:
		if (f->in_tmp == FIND_RESULT)
			return CLASSIFY_EXCHANGE | CLASSIFY_PUBLISH | CLASSIFY_IS_COMPLETE;
		return (tmp ? CLASSIFY_UNLINK_TMP : 0) | CLASSIFY_IS_RUNNING;
	case FIND_NEITHER:
		/* An unusable request whose answer was on its way. */
		if (f->in_tmp == FIND_RESULT)
			return CLASSIFY_EXCHANGE | CLASSIFY_PUBLISH | CLASSIFY_IS_COMPLETE;
		/* The exchange has reached the disk and the result's bytes have not. */
		if (f->in_tmp == FIND_REQUEST)
			return CLASSIFY_EXCHANGE | CLASSIFY_UNLINK_TMP | CLASSIFY_IS_RUNNING;
		return (tmp ? CLASSIFY_UNLINK_TMP : 0) | CLASSIFY_QUARANTINE_3 |
		       CLASSIFY_IS_COMPLETE;
	case FIND_NONE:
		break;
	}
	/*
	 * tmp alone: a result that nobody is to see any more, or a request whose result was shown
	 * and collected before the request could be unlinked.  It has had its answer.
	 */
	return tmp ? CLASSIFY_UNLINK_TMP : 0;
}

static uint32_t classify_4(const struct findings *f)
{
	uint32_t mask = CLASSIFY_IS_COMPLETE;
	if (f->in_4 == FIND_RESULT) {
		mask |= f->in_3 != FIND_NONE ? CLASSIFY_UNLINK_3 : 0;
		mask |= f->in_tmp != FIND_NONE ? CLASSIFY_UNLINK_TMP : 0;
		return mask;
	}
	if (f->in_3 != FIND_NONE)
		return CLASSIFY_QUARANTINE_4 | classify_3(f);
	return mask | CLASSIFY_QUARANTINE_4 | CLASSIFY_LOST_4 | classify_3(f);
}

static bool is_nowhere(const struct findings *f)
{
	return !f->in_1 && !f->in_2 && f->in_3 == FIND_NONE && f->in_4 == FIND_NONE &&
	       f->in_tmp == FIND_NONE;
}

uint32_t classify(const struct findings *f)
{
	/* The subject first, its marker last; of a marker alone the work is done. */
	if (f->in_5)
		return CLASSIFY_UNMARK | (is_nowhere(f) ? 0 : CLASSIFY_REMOVE);

	uint32_t mask = f->in_4 != FIND_NONE ? classify_4(f) : classify_3(f);
	bool later = f->in_4 != FIND_NONE || f->in_3 != FIND_NONE;
	if (f->in_2 && !later)
		mask |= CLASSIFY_IS_PENDING;
	/* A request in 3 can be compared; where its result stands, 2 is what is left of it. */
	if (f->in_2 && later)
		mask |= f->in_3 == FIND_REQUEST && !f->same_2 ? CLASSIFY_QUARANTINE_2
							      : CLASSIFY_UNLINK_2;
	if (f->in_1 && !later && !f->in_2)
		mask |= CLASSIFY_IS_REQUESTED;
	if (f->in_1 && (later || f->in_2))
		mask |= f->same_1 ? CLASSIFY_UNLINK_1 : CLASSIFY_QUARANTINE_1;
	return mask;
}
