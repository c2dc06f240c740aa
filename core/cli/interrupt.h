/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/interrupt: who interrupts a wait is told which requests go on, and wq ends as by the signal
 * alone.  Where SIGINT is ignored it stays so.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	INTERRUPT_IDS_MAX = 5 /* told by name; the others are counted */
};

struct interrupt {
	char *const *ids;
	const uint8_t *done; /* not 0: that one is finished */
	size_t n;
	const volatile size_t
		*counted; /* as many more go on, of which the ids are not told; or NULL */
	const char *line; /* not "": a line of progress stands on the terminal; NULL: never */
	bool first_asks;  /* the first time nothing ends: see interrupt_asked */
};

/* From now on; `what` must stay until interrupt_end.  Once more before that: now this counts. */
void interrupt_begin(const struct interrupt *what);
void interrupt_end(void);

/*
 * With first_asks: has the first one come?  Said once.  Calls that block answer EINTR when it comes,
 * and again within a second where it came just before the call, so ask before each.
 */
bool interrupt_asked(void);

/* What a further one says of the requests. */
enum interrupt_word {
	INTERRUPT_GOES_ON,
	INTERRUPT_ABORTED, /* its abort is in the spool */
	INTERRUPT_ENDED    /* its result is there */
};
void interrupt_tells(enum interrupt_word word);

/* What was interrupted is over: end as by the signal, so that a shell's loop around us ends too. */
_Noreturn void interrupt_die(void);

/* There is nothing left to ask for: the next one ends us. */
void interrupt_ends(void);
