/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/served.h"

#include "base/time.h"
#include "cli/answer.h"
#include "cli/cli.h"

#include <string.h>

/* A server is not woken more often for each of those who wait; one that drains is about to end. */
#define LOOK_NS     (30 * NS_PER_S)
#define DRAINING_NS (1 * NS_PER_S)

static bool drains(const json_t *status)
{
	const json_t *list = json_object_get(status, "task-managers");
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(answer_text(json_array_get(list, i), "why"), "stopping") == 0)
			return true;
	return false;
}

enum served served_ask(struct cli *cli)
{
	json_t *status = NULL;
	int rc = answer_ask(cli, "status", &status, NULL);
	enum served ret = rc == -WQ_E_GONE ? SERVED_NO
			  : rc < 0         ? SERVED_UNCLEAR
			  : drains(status) ? SERVED_DRAINING
					   : SERVED_YES;
	json_decref(status);
	return ret;
}

void served_say(const struct cli *cli, enum served is)
{
	if (is == SERVED_NO)
		cli_say("no server is running on '%s'; waiting for one ('wq status' tells more)",
			cli->spool);
	else if (is == SERVED_DRAINING)
		cli_say("the server on '%s' is stopping and starts nothing more; waiting for the "
			"next one ('wq status' tells more)",
			cli->spool);
}

/* ---- who waits ------------------------------------------------------------------------------- */

void served_watch_init(struct served_watch *w, struct cli *cli, enum served is, int64_t first_ns)
{
	*w = (struct served_watch){ .cli = cli,
		.is = is,
		.next_ns = time_after(time_mono_ns(), first_ns),
		.pause_ns = DRAINING_NS };
}

int64_t served_time_left(const struct served_watch *w)
{
	int64_t left = w->next_ns - time_mono_ns();
	return left > 0 ? left : 0;
}

bool served_look(struct served_watch *w)
{
	enum served before = w->is;
	if (served_time_left(w) > 0)
		return false;
	w->is = served_ask(w->cli);
	w->pause_ns =
		w->is != SERVED_DRAINING || w->pause_ns > LOOK_NS / 2 ? LOOK_NS : 2 * w->pause_ns;
	w->next_ns = time_after(time_mono_ns(), w->pause_ns);
	/* What could not be asked has not changed. */
	if (w->is == SERVED_UNCLEAR && before != SERVED_NOT_ASKED)
		w->is = before;
	return w->is != before && (w->is == SERVED_NO || w->is == SERVED_DRAINING);
}
