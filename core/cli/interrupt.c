/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/interrupt.h"

#include "cli/exit.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
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
static volatile sig_atomic_t asked, answered, told;
static unsigned alarm_left; /* of an alarm that was not ours, when we took it */

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
	/* Who cannot be told is told nothing: the process ends here, also where nobody reads. */
	struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };
	if (m->len && poll(&ready, 1, 0) == 1) {
		ssize_t n = write(STDERR_FILENO, m->text, m->len);
		(void)n;
	}
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
	static const char *const words[][3] = {
		[INTERRUPT_GOES_ON] = { " goes on: 'wq wait ", "' or 'wq abort ", "'\n" },
		[INTERRUPT_ABORTED] = { " is being aborted: 'wq wait ", NULL,
			"' tells when that is done\n" },
		[INTERRUPT_ENDED] = { " has ended: 'wq log ", "' and 'wq wait ", "' tell more\n" },
	};
	const char *const *w = words[told];
	struct message m = { .len = 0 };
	add(&m, "wq: interrupted; ");
	add(&m, id);
	add(&m, w[0]);
	add(&m, id);
	if (w[1]) {
		add(&m, w[1]);
		add(&m, id);
	}
	add(&m, w[2]);
	write_out(&m);
}

static void say_count(size_t n)
{
	struct message m = { .len = 0 };
	add(&m, "wq: interrupted; ");
	add_count(&m, n);
	add(&m, n == 1 ? " request is enqueued and goes on" : " requests are enqueued and go on");
	add(&m, ": 'wq list' names them, 'wq wait --all' waits for all that are there\n");
	write_out(&m);
}

static void end_by(int signal_number)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	sigaction(signal_number, &usual, NULL);
	raise(signal_number);
}

static void on_interrupt(int signal_number)
{
	const struct interrupt *what = interrupted;
	struct message m = { .len = 0 };
	size_t left = 0;
	if (what && what->line && *what->line)
		add(&m, "\n");
	write_out(&m);
	if (what && what->counted)
		say_count(*what->counted);
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
	end_by(signal_number);
}

static void on_alarm(int signal_number)
{
	(void)signal_number;
	if (asked && !answered)
		alarm(AGAIN_S);
}

/* The first time a flag, and then an alarm until it has been seen: poll(2) may begin in between. */
static void on_first(int signal_number)
{
	struct sigaction wake = { .sa_handler = on_alarm };
	if (asked) {
		on_interrupt(signal_number);
		return;
	}
	asked = 1;
	sigaction(SIGALRM, &wake, &before_alarm);
	alarm_left = alarm(AGAIN_S);
}

/* Whose alarm it was has it again, as late as we were. */
static void give_alarm_back(void)
{
	alarm(0);
	sigaction(SIGALRM, &before_alarm, NULL);
	if (alarm_left)
		alarm(alarm_left);
}

bool interrupt_asked(void)
{
	if (!asked || answered)
		return false;
	answered = 1;
	give_alarm_back();
	return true;
}

void interrupt_tells(enum interrupt_word word)
{
	told = (sig_atomic_t)word;
}

void interrupt_ends(void)
{
	/* One that comes in between is asked for, and heard by nobody. */
	sigset_t interrupts, mask;
	sigemptyset(&interrupts);
	sigaddset(&interrupts, SIGINT);
	sigprocmask(SIG_BLOCK, &interrupts, &mask);
	(void)interrupt_asked();
	asked = answered = 1;
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

void interrupt_begin(const struct interrupt *what)
{
	struct sigaction handler = { .sa_handler = what->first_asks ? on_first : on_interrupt };
	bool again = interrupted != NULL;
	interrupted = what;
	if (again)
		return;
	asked = answered = 0;
	told = INTERRUPT_GOES_ON;
	if (sigaction(SIGINT, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
		sigaction(SIGINT, &handler, NULL);
}

void interrupt_end(void)
{
	if (!interrupted)
		return;
	sigaction(SIGINT, &before, NULL);
	(void)interrupt_asked(); /* the alarm is not ours any more */
	interrupted = NULL;
}

void interrupt_die(void)
{
	(void)fflush(NULL);
	end_by(SIGINT);
	_exit(EXIT_SIGNAL + SIGINT); /* it is blocked */
}
