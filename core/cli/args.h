/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/args: what the command lines of several commands have in common, for argp(3).  Each parser
 * takes what it knows and leaves the rest to others, so a command with more of its own calls it for
 * what is left.
 */
#pragma once

#include <argp.h>
#include <stddef.h>

/* Keys of options that have no letter. */
enum {
	ARGS_KEY_JSON = 256
};

/* --json and no other word.  The input begins with a bool: is it there? */
extern const struct argp_option args_json_options[];
error_t args_parse_json(int key, char *arg, struct argp_state *state);

/* -m, -k, -l and --on-crash of a request, as a child of a command's argp; its input is a struct wq_request. */
extern const struct argp args_request_argp;

/* One id or more.  The input begins with this. */
struct args_ids {
	char **ids; /* in argv */
	size_t n;
};
error_t args_parse_ids(int key, char *arg, struct argp_state *state);
