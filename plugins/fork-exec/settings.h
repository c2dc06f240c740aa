/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings: the options of one task manager, checked against each other.
 */
#pragma once

#include <stdbool.h>

#include <wq/plugin.h>

#include "limit.h"

enum {
	SETTINGS_OPTIONS = 21,
	SETTINGS_TAIL_MAX = 64 * 1024,
	/* What a report may take beside its tails: half a kilobyte, and the path of the work directory,
	 * which is below PATH_MAX. */
	SETTINGS_REPORT_BYTES = 5 * 1024
};
extern const struct wq_option settings_options[SETTINGS_OPTIONS];

enum settings_mode {
	MODE_COMMAND,
	MODE_HANDLER
};
enum settings_allow {
	ALLOW_BOTH,
	ALLOW_ARGV,
	ALLOW_SHELL
};
enum settings_input {
	INPUT_CBOR,
	INPUT_JSON
};
enum settings_result {
	RESULT_REPORT,
	RESULT_CBOR,
	RESULT_JSON
};

/* All of it its own: nothing is borrowed from the configuration. */
struct settings {
	enum settings_mode mode;
	enum settings_allow allow;
	enum settings_input input;
	enum settings_result result;
	char *shell;
	char **program;     /* NULL at the end; NULL in mode command */
	char **directories; /* NULL at the end; NULL: any */
	char *default_dir;  /* NULL: the work directory */
	char **env;         /* "NAME=value" from the server's environment */
	uint64_t output_limit;
	size_t result_limit;
	size_t tail; /* so much that a report of two is within result_limit */
	uint32_t grace_ms;
	uint32_t umask;
	int32_t nice;
	struct limits limits;
	bool leave_rest;
};

/* 0; -WQ_E_CONFIG with the sentence, -ENOMEM: nothing is to be freed. */
int32_t settings_load(struct settings *ret, const struct wq_config *config, struct wq_err *err);
void settings_fini(struct settings *s);
