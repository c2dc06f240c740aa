/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config/parse: the settings of wq.conf as texts with their lines, in the order of the file.  All
 * of libconfuse is behind this header.  Knows the names of the core's options, not their types.
 */
#pragma once

#include "config/options.h"

struct settings {
	struct setting *items;
	size_t n;
};

struct parsed_section {
	char *name;
	int line;
	struct settings own;     /* what stands in task-manager "name" { } itself */
	struct settings options; /* and in its options { } */
};

struct parsed {
	struct settings top;
	struct parsed_section *sections;
	size_t n_sections;
	size_t n_unknown_sections; /* sections of another kind; a problem tells each */
};

enum {
	PARSE_NAMES_MAX = 256, /* names that are not the core's, options of plugins among them */
	PARSE_ROUNDS_MAX = 100,
};

/*
 * Parse a text that source_clean has passed.  Unknown keys are among the settings, for
 * options_check to tell; unknown sections are told here and left out.
 * 0; -WQ_E_CONFIG after a syntax error (a problem says so) with `ret` empty; -ENOMEM.
 */
int parse_text(const char *text, const char *file, struct parsed *ret, struct problems *p);
void parsed_fini(struct parsed *p);
void settings_fini(struct settings *s);
