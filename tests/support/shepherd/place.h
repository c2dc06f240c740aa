/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A temporary directory, one a test, and short words for what stands in it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

extern char place_dir[]; /* symbolic links followed */
extern int place_fd;

/* Fixtures. */
void place_open(void);
void place_close(void);

const char *place_at(const char *name); /* its path; the last eight stay valid */
void place_put(const char *name, const char *text, unsigned mode);
void place_mkdir(const char *name, unsigned mode);
const char *place_text(const char *name); /* what it holds, one at a time; NULL: no such file */

int place_open_fds(void); /* of this process */

/* Become a user without privilege, owner of the directory; true when that or root is not us. */
bool place_drop_root(void);
