/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/served: does a server serve the spool?  Who waits for one looks now and then, and says it when
 * there is none: nobody waits for ever without a word.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cli;

enum served {
	SERVED_NOT_ASKED,
	SERVED_YES,
	SERVED_DRAINING, /* it starts nothing any more, and ends before long */
	SERVED_NO,
	SERVED_UNCLEAR /* it did not answer in time, or could not be asked */
};

enum served served_ask(struct cli *cli);

/* What who waits is to know of it; nothing where it is well or unclear. */
void served_say(const struct cli *cli, enum served is);

/* One who waits. */
struct served_watch {
	struct cli *cli;
	enum served is;
	int64_t next_ns;  /* when to look again */
	int64_t pause_ns; /* and how long after that */
};

/* `is` is what is known now; the first look is after `first_ns`. */
void served_watch_init(struct served_watch *w, struct cli *cli, enum served is, int64_t first_ns);

/* How long to wait for anything else before it is time to look. */
int64_t served_time_left(const struct served_watch *w);

/* Look, if it is time.  Is there something to say that was not so before? */
bool served_look(struct served_watch *w);
