/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_link: the functions of shepherd/link.h without a shepherd.  The test is the shepherd: it says
 * what comes, in any order, and reads what was ordered.  One link at a time.
 */
#pragma once

#include "shepherd/link.h"

struct fake_link {
	bool exists, is_up, has_quit;
	int spawn_answer, end_answer; /* what link_spawn and link_end answer */
	pid_t known_pid;              /* of what fake_link_known tells */
	char calls[4096];             /* "spawn NAME, end NAME HOW GRACE, ack NAME, " */
	/* The last spawn that was taken, copied. */
	char name[FRAME_NAME_MAX + 1], tag[FRAME_NAME_MAX + 1];
	char work_dir[256], out_name[64], err_name[64];
	char argv[1024], env[1024]; /* the words, a '\n' after each */
	struct wq_spawn what;       /* its numbers; its pointers are NULL */
};
extern struct fake_link fake_link;

void fake_link_reset(void); /* all is well, and there is no shepherd yet */

/* News, as link_events has them. */
void fake_link_known(const char *name);
void fake_link_up(bool same_boot);
void fake_link_down(void);
void fake_link_ended(const char *name, const struct wq_child_end *end);
void fake_link_exited(const char *name, int32_t code);
void fake_link_room(void);

/* What has been ordered since the last time, or since the reset. */
const char *fake_link_orders(void);
