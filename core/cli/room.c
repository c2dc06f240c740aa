/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/room.h"

#include "base/time.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/served.h"

#include <argp.h>
#include <errno.h>
#include <string.h>

enum {
	KEY_NO_BLOCK = 1280 /* beside those of the commands that have this option */
};

/* Whether a server runs matters to who still waits by then. */
#define FIRST_LOOK_NS (1 * NS_PER_S)

static const struct argp_option options[] = {
	{ "no-block", KEY_NO_BLOCK, NULL, 0,
		"Fail, with 119, where the queue or the disk is full, instead of waiting for room",
		0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct room *room = state->input;
	(void)arg;
	if (key != KEY_NO_BLOCK)
		return ARGP_ERR_UNKNOWN;
	room->no_block = true;
	return 0;
}

const struct argp room_argp = { .options = options, .parser = parse };

static void say(struct room *room, const struct wq_err *err)
{
	if (!room->said)
		cli_say("%s; waiting for that", err->text);
	room->said = true;
}

int room_wait(struct cli *cli, struct room *room, int code, const struct wq_err *err)
{
	struct served_watch served;
	if (code != -EAGAIN ||
		(strcmp(err->name, "queue-full") != 0 && strcmp(err->name, "no-space") != 0))
		return EXIT_WQ;
	if (room->no_block)
		return EXIT_FULL;
	say(room, err);
	served_watch_init(&served, cli, SERVED_NOT_ASKED, FIRST_LOOK_NS);
	for (;;) {
		int rc = wq_wait_room(cli->client, served_time_left(&served), NULL);
		if (rc == 0)
			return 0;
		if (rc == -WQ_E_TIMEOUT && served_look(&served))
			served_say(cli, served.is);
	}
}
