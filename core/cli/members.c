/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/members.h"

#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/json.h"

#include <stdio.h>
#include <string.h>

void members_print(json_t *object)
{
	for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
		const char *key = json_object_iter_key(i);
		const json_t *value = json_object_iter_value(i);
		size_t len = strlen(key);
		char when[32];
		if (json_is_string(value) && !*json_string_value(value))
			continue;
		cli_print_text(key, 13);
		putchar(' ');
		if (len > 3 && strcmp(key + len - 3, "-us") == 0 && json_is_integer(value))
			fputs(answer_time(json_integer_value(value), when), stdout);
		else if (json_is_string(value) && strcmp(key, "payload") != 0)
			cli_print_text(json_string_value(value), 0);
		else
			cli_json_print(value, stdout);
		putchar('\n');
	}
}

json_t *members_payload(const struct wq_details *d)
{
	json_t *ret = NULL;
	struct wq_err why = { 0 };
	if (cli_json_from_cbor(d->payload, d->payload_len, &ret, &why) < 0)
		ret = json_sprintf("(%s)", why.text);
	return ret;
}
