/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config/source: the text of wq.conf before libconfuse sees it.
 *
 * libconfuse 3.3 counts lines wrongly after a comment, takes a comment as a value, accepts a file
 * that ends inside a section or a comment, and drops bytes that it does not know.  So comments are
 * blanked here, and what would be taken for something else is refused with its line.
 */
#pragma once

#include <stddef.h>

struct source_fault {
	int line;
	char rule[160];
};

enum {
	SOURCE_SETTINGS_MAX = 5000,
	SOURCE_DEPTH_MAX = 16
};

/*
 * Replace the comments of `text` by spaces; lines and everything else stay in their place.
 * 0, or -WQ_E_CONFIG with the first fault.
 */
int source_clean(char *text, size_t len, struct source_fault *ret);
