/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/answer.h"

#include "base/err.h"
#include "cli/cli.h"
#include "cli/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int answer_ask(struct cli *cli, const char *what, json_t **ret, struct wq_err *err)
{
	void *bytes = NULL;
	size_t len = 0;
	int rc = wq_ask(cli->client, what, &bytes, &len, err);
	if (rc < 0)
		return rc;
	rc = cli_json_from_cbor(bytes, len, ret, err);
	free(bytes);
	if (rc < 0)
		err_prefix(err, "the server's answer");
	return rc;
}

const char *answer_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

int64_t answer_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

const json_t *answer_running(const json_t *status, const char *id)
{
	const json_t *running = json_object_get(status, "running");
	for (size_t i = 0; i < json_array_size(running); i++) {
		const json_t *entry = json_array_get(running, i);
		if (strcmp(answer_text(entry, "id"), id) == 0)
			return entry;
	}
	return NULL;
}

const char *answer_fate(const json_t *running)
{
	const char *fate = answer_text(running, "fate");
	return strcmp(fate, "running") == 0 ? "" : fate;
}

const char *answer_fate_text(const json_t *running)
{
	static const struct {
		const char *fate, *text;
	} known[] = {
		{ "recovering",
			"an earlier server started it, and what became of it is not known yet" },
		{ "unseen", "lost; wq-shepherd is not there to say whether anything of it runs" },
		{ "clearing", "lost; what runs of it is being ended" },
		{ "unknown",
			"nobody can say whether it runs; 'wq abort --forget' gives its slot free" },
	};
	const char *fate = answer_fate(running);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(fate, known[i].fate) == 0)
			return known[i].text;
	return fate;
}

char *answer_progress(const json_t *running, char *ret, size_t size)
{
	const json_t *permille = json_object_get(running, "permille");
	const char *text = answer_text(running, "progress");
	if (json_is_integer(permille) && json_integer_value(permille) >= 0)
		snprintf(ret, size, "%" PRId64 " %%%s%s",
			(int64_t)json_integer_value(permille) / 10, *text ? "  " : "", text);
	else
		snprintf(ret, size, "%s", text);
	return ret;
}

char *answer_time(int64_t wall_us, char ret[32])
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm tm;
	if (wall_us <= 0 || !localtime_r(&seconds, &tm) ||
		strftime(ret, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(ret, 32, "never");
	return ret;
}

char *answer_age(int64_t us, char ret[24])
{
	int64_t s = us > 0 ? us / 1000000 : 0;
	if (s < 60)
		snprintf(ret, 24, "%" PRId64 "s", s);
	else if (s < 3600)
		snprintf(ret, 24, "%" PRId64 "m", s / 60);
	else if (s < 48 * 3600)
		snprintf(ret, 24, "%" PRId64 "h", s / 3600);
	else
		snprintf(ret, 24, "%" PRId64 "d", s / 86400);
	return ret;
}
