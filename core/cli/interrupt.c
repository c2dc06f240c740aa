/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/interrupt.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
	MESSAGE_MAX = 256,
	AGAIN_S = 1
};

/*
 * The handler says it by itself, by async-signal-safe means: a flag for the loop that waits would
 * be seen late where the signal comes just before poll(2).
 */
static const struct interrupt *volatile interrupted;
static struct sigaction before, before_alarm;
static volatile sig_atomic_t asked, answered;

struct message {
	char text[MESSAGE_MAX];
	size_t len;
};

static void add(struct message *m, const char *text)
{
	size_t len = strlen(text);
	if (len > sizeof m->text - m->len)
		len = sizeof m->text - m->len;
	memcpy(m->text + m->len, text, len);
	m->len += len;
}

static void add_count(struct message *m, size_t n)
{
	char digits[24], *p = digits + sizeof digits - 1;
	*p = '\0';
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	add(m, p);
}

static void write_out(const struct message *m)
{
	/* Who cannot be told is told nothing: the process ends here. */
	ssize_t n = write(STDERR_FILENO, m->text, m->len);
	(void)n;
}

/* What is no id has not been looked at yet, and goes to no terminal. */
static bool is_printable(const char *id)
{
	for (; *id; id++)
		if (*id <= ' ' || *id > '~')
			return false;
	return true;
}

static void say(const char *id)
{
	struct message m = { .len = 0 };
	add(&m, "wq: interrupted; ");
	add(&m, id);
	add(&m, asked ? " is being aborted: 'wq wait " : " goes on: 'wq wait ");
	add(&m, id);
	if (!asked) {
		add(&m, "' or 'wq abort ");
		add(&m, id);
	}
	add(&m, asked ? "' tells when that is done\n" : "'\n");
	write_out(&m);
}

static void on_interrupt(int signal_number)
{
	const struct interrupt *what = interrupted;
	struct message m = { .len = 0 };
	size_t left = 0;
	if (what && what->line && *what->line)
		add(&m, "\n");
	write_out(&m);
	for (size_t i = 0; what && i < what->n; i++) {
		if (what->done[i] || !is_printable(what->ids[i]))
			continue;
		if (left++ < INTERRUPT_IDS_MAX)
			say(what->ids[i]);
	}
	if (left > INTERRUPT_IDS_MAX) {
		m.len = 0;
		add(&m, "wq: interrupted; and ");
		add_count(&m, left - INTERRUPT_IDS_MAX);
		add(&m, " more\n");
		write_out(&m);
	}
	/* Delivered when this returns, so that a shell sees what has ended it. */
	struct sigaction usual = { .sa_handler = SIG_DFL };
	sigaction(signal_number, &usual, NULL);
	raise(signal_number);
}

/* The first time a flag, and then an alarm until it has been seen: poll(2) may begin in between. */
static void on_first(int signal_number)
{
	if (asked) {
		on_interrupt(signal_number);
		return;
	}
	asked = 1;
	alarm(AGAIN_S);
}

static void on_alarm(int signal_number)
{
	(void)signal_number;
	if (!answered)
		alarm(AGAIN_S);
}

bool interrupt_asked(void)
{
	if (!asked || answered)
		return false;
	answered = 1;
	alarm(0);
	return true;
}

void interrupt_begin(const struct interrupt *what)
{
	struct sigaction handler = { .sa_handler = what->first_asks ? on_first : on_interrupt };
	struct sigaction wake = { .sa_handler = on_alarm };
	asked = answered = 0;
	interrupted = what;
	if (what->first_asks)
		sigaction(SIGALRM, &wake, &before_alarm);
	if (sigaction(SIGINT, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
		sigaction(SIGINT, &handler, NULL);
}

void interrupt_end(void)
{
	sigaction(SIGINT, &before, NULL);
	if (interrupted && interrupted->first_asks) {
		alarm(0);
		sigaction(SIGALRM, &before_alarm, NULL);
	}
	interrupted = NULL;
}
