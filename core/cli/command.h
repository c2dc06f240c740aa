/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/command: a command as the payload of a request, docs/wq-command.cddl: what is to run, and what
 * it would have found had it been run here: directory, environment, umask.  Words that are not UTF-8
 * are byte strings.  Equal commands in equal surroundings give equal bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct argp;
struct buf;
struct wq_cbor_out;
struct wq_err;

struct command {
	char *const *words;
	size_t n;             /* not 0 */
	bool shell;           /* one word, which is for the shell */
	bool input;           /* what stands on our standard input goes with it */
	int64_t run_limit_ns; /* 0: none; for struct wq_request */
};

enum {
	COMMAND_LABEL_SIZE = 128 + 1
};

/* --shell, --stdin, --run-limit, as a child of a command's argp; its input is a struct command. */
extern const struct argp command_argp;

/* The first option that was given and makes no sense without a command, or NULL. */
const char *command_needs_words(const struct command *c);

/*
 * Append the payload.  Reads standard input to its end, where that is asked for.
 *   -WQ_E_FORMAT   more than one word for the shell, or the directory has no path any more
 *   -WQ_E_LIMIT    too much on standard input
 *   -ENOMEM, -errno
 */
int command_to_cbor(const struct command *c, struct wq_cbor_out *out, struct wq_err *err);

/* Say why it could not be enqueued. */
void command_say(const struct command *c, int code, const struct wq_err *err);

/* The command line, made fit for a label and cut.  Returns `ret`, "" when memory is short. */
char *command_label(const struct command *c, char ret[COMMAND_LABEL_SIZE]);

/* Append a word as a shell reads it.  `first`: where NAME=VALUE would set a variable.  0, -ENOMEM. */
int command_add_quoted(struct buf *b, const char *word, bool first);

/* The words as a shell reads them, with a space between; free(3) it.  NULL: no memory. */
char *command_quote(char *const *words, size_t n);

/* A copy of the environment without what the task of an outer command has of its own, and without
 * `also` (NULL: nothing).  The strings are the environment's; free(3) the array.  NULL: no memory. */
char **command_environment(const char *also);
