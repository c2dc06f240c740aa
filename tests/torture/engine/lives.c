/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lives that are tortured: what clients do, one step after the other, each when the server has
 * nothing more to do (or at once).  After the last step all that runs ends, and everybody who has an id
 * waits for it.
 */
#include "engine.h"

#include <string.h>

enum {
	A,
	B,
	C,
	D
};

/* In the order of struct step. */
/* clang-format off */
#define ENQUEUE(j, t)     { DO_ENQUEUE, j, t, false }
#define ENQUEUE_NOW(j, t) { DO_ENQUEUE, j, t, true }
#define DO(w, j)          { w, j, NULL, false }
#define DO_NOW(w, j)      { w, j, NULL, true }
/* clang-format on */

#define STEPS(name) static const struct step name[]

STEPS(ok) = { ENQUEUE(A, "ok"), DO(DO_WAIT, A) };
STEPS(failed) = { ENQUEUE(A, "fail"), DO(DO_WAIT, A) };
STEPS(kept) = { ENQUEUE(A, "ok"), DO(DO_SEE, A), DO(DO_COLLECT, A) };
STEPS(slow) = { ENQUEUE(A, "slow"), DO(DO_END, A), DO(DO_WAIT, A) };
STEPS(limit) = { ENQUEUE(A, "slow"), DO(DO_LATER, 61), DO(DO_WAIT, A) };
STEPS(queue) = { ENQUEUE(A, "ok"), ENQUEUE_NOW(B, "slow"), ENQUEUE_NOW(C, "ok"), DO(DO_END, B),
	ENQUEUE(D, "ok"), DO(DO_WAIT, A), DO(DO_WAIT, B), DO(DO_WAIT, C), DO(DO_WAIT, D) };
STEPS(down) = { ENQUEUE(A, "ok"), ENQUEUE(B, "ok"), DO(DO_ABORT, B), ENQUEUE(C, "ok"),
	DO(DO_WAIT, A), DO(DO_WAIT, B), DO(DO_WAIT, C) };
STEPS(abort_requested) = { ENQUEUE(A, "ok"), DO_NOW(DO_ABORT, A), DO(DO_WAIT, A) };
STEPS(abort_pending) = { ENQUEUE(B, "slow"), ENQUEUE(A, "ok"), DO(DO_ABORT, A), DO(DO_WAIT, A),
	DO(DO_END, B), DO(DO_WAIT, B) };
STEPS(abort_running) = { ENQUEUE(A, "slow"), DO(DO_ABORT, A), DO(DO_WAIT, A) };
STEPS(abort_stubborn) = { ENQUEUE(A, "stubborn"), ENQUEUE(B, "ok"), DO(DO_ABORT, A), DO(DO_WAIT, A),
	DO(DO_WAIT, B) };
STEPS(abort_complete) = { ENQUEUE(A, "ok"), DO(DO_SEE, A), DO(DO_ABORT, A), DO(DO_WAIT, A) };
STEPS(abort_collected) = { ENQUEUE(A, "ok"), DO(DO_WAIT, A), DO(DO_ABORT, A) };
STEPS(abort_twice) = { ENQUEUE(A, "slow"), DO(DO_ABORT, A), DO_NOW(DO_ABORT, A), DO(DO_WAIT, A),
	DO(DO_ABORT, A) };
STEPS(abort_nobody) = { DO(DO_ABORT_NOBODY, A), ENQUEUE(A, "ok"), DO(DO_WAIT, A) };
STEPS(abort_bad) = { DO(DO_BAD, A), DO_NOW(DO_ABORT, A), DO(DO_WAIT, A) };
STEPS(bad) = { DO(DO_BAD, A), DO(DO_WAIT, A) };
STEPS(bad_behind) = { ENQUEUE(B, "slow"), DO(DO_BAD, A), DO(DO_END, B), DO(DO_WAIT, A),
	DO(DO_WAIT, B) };
STEPS(refused) = { ENQUEUE(A, "reject"), DO(DO_WAIT, A) };
STEPS(busy) = { ENQUEUE(A, "busy"), ENQUEUE_NOW(B, "ok"), DO(DO_WAIT, A), DO(DO_WAIT, B) };
STEPS(retry) = { ENQUEUE(A, "retry"), ENQUEUE_NOW(B, "ok"), DO(DO_LATER, 1), DO(DO_WAIT, A),
	DO(DO_WAIT, B) };
STEPS(late) = { ENQUEUE(A, "late"), ENQUEUE_NOW(B, "ok"), DO(DO_LATER, 1), DO(DO_WAIT, A),
	DO(DO_WAIT, B) };
STEPS(junk) = { DO(DO_JUNK, 0), DO(DO_JUNK, 1), ENQUEUE(A, "ok"), DO(DO_WAIT, A) };
STEPS(crowd) = { ENQUEUE(A, "slow"), ENQUEUE_NOW(B, "ok"), ENQUEUE_NOW(C, "slow"), DO(DO_ABORT, C),
	DO_NOW(DO_ABORT, B), DO(DO_END, A), ENQUEUE(D, "fail"), DO(DO_WAIT, D), DO(DO_WAIT, A) };

#define LIFE(name_, steps_, ...)                                                                   \
	{                                                                                          \
		.name = name_, .steps = steps_, .n_steps = sizeof steps_ / sizeof *steps_,         \
		__VA_ARGS__                                                                        \
	}

const struct life lives[] = {
	LIFE("birth", ok, .no_spool = true),
	LIFE("ok", ok, .capacity = 0),
	LIFE("failed", failed, .capacity = 0),
	LIFE("kept", kept, .capacity = 0),
	LIFE("slow", slow, .capacity = 0),
	LIFE("limit", limit, .capacity = 0),
	LIFE("queue", queue, .capacity = 0),
	LIFE("queue-of-two", queue, .capacity = 2),
	LIFE("down", down, .n_down = 4),
	LIFE("abort-requested", abort_requested, .capacity = 0),
	LIFE("abort-pending", abort_pending, .capacity = 0),
	LIFE("abort-running", abort_running, .capacity = 0),
	LIFE("abort-starting", abort_running, .slow_disk = true),
	LIFE("abort-stubborn", abort_stubborn, .capacity = 0),
	LIFE("abort-complete", abort_complete, .capacity = 0),
	LIFE("abort-collected", abort_collected, .capacity = 0),
	LIFE("abort-twice", abort_twice, .capacity = 0),
	LIFE("abort-nobody", abort_nobody, .capacity = 0),
	LIFE("abort-bad", abort_bad, .capacity = 0),
	LIFE("bad", bad, .capacity = 0),
	LIFE("bad-behind", bad_behind, .capacity = 0),
	LIFE("refused", refused, .capacity = 0),
	LIFE("busy", busy, .capacity = 0),
	LIFE("retry", retry, .capacity = 0),
	LIFE("late", late, .capacity = 0),
	LIFE("junk", junk, .capacity = 0),
	LIFE("crowd", crowd, .capacity = 2),
	LIFE("crowd-slow-disk", crowd, .capacity = 2, .slow_disk = true),
	LIFE("crowd-overflow", crowd, .capacity = 2, .overflow = true),
	LIFE("crowd-blind", crowd, .capacity = 2, .blind = true),
};
const size_t n_lives = sizeof lives / sizeof *lives;

const struct life *life_find(const char *name)
{
	for (size_t i = 0; i < n_lives; i++)
		if (strcmp(lives[i].name, name) == 0)
			return &lives[i];
	return NULL;
}
