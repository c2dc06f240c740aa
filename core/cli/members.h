/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/members: one thing for people, a member of its JSON object a line.
 */
#pragma once

#include <jansson.h>

struct wq_details;

/* On standard output: empty texts are left out, "...-us" is a time, "payload" stays JSON. */
void members_print(json_t *object);

/* The payload of a request; where JSON cannot hold it a text that says why, which is worth the rest. */
json_t *members_payload(const struct wq_details *d);
