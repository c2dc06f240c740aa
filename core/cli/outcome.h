/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/outcome: a result as wq prints it.
 */
#pragma once

#include <jansson.h>

struct wq_err;
struct wq_result_info;

enum outcome_form {
	OUTCOME_PAYLOAD,         /* the payload as a line of JSON; nothing where there is none */
	OUTCOME_PAYLOAD_WITH_ID, /* the id, a space, the payload or null */
	OUTCOME_CBOR,            /* the payload as it is */
	OUTCOME_JSON             /* all of the result as a line of JSON */
};

/* To standard output, not flushed.  0; -WQ_E_FORMAT: the payload cannot be shown in JSON. */
int outcome_print(const struct wq_result_info *info, enum outcome_form form, struct wq_err *err);

/* One line on standard error, unless all is well: "wq: ID: failed: text". */
void outcome_say(const struct wq_result_info *info);

/* All of a result.  json_decref it. */
int outcome_to_json(const struct wq_result_info *info, json_t **ret, struct wq_err *err);
