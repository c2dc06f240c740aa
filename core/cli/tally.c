/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/tally.h"

#include "base/time.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	BAR_MAX = 30, /* signs between the brackets; a narrow terminal has fewer, or no bar */
	BAR_MIN = 5
};

static const char *const names[TALLY_MAX] = {
	[TALLY_OK] = "ok",
	[TALLY_FAILED] = "failed",
	[TALLY_REJECTED] = "rejected",
	[TALLY_LOST] = "lost",
	[TALLY_EXPIRED] = "expired",
	[TALLY_KILLED] = "killed",
	[TALLY_GONE] = "gone",
	[TALLY_LATE] = "not finished in time",
	[TALLY_UNCLEAR] = "unreadable",
};

enum tally_kind tally_kind_of(const char *status)
{
	for (enum tally_kind k = TALLY_OK; k <= TALLY_KILLED; k++)
		if (strcmp(status, names[k]) == 0)
			return k;
	return TALLY_FAILED;
}

size_t tally_done(const struct tally *t)
{
	size_t ret = 0;
	for (enum tally_kind k = 0; k < TALLY_MAX; k++)
		ret += t->count[k];
	return ret;
}

/* The two largest units are enough for a guess. */
static void format_left(double seconds, char ret[32])
{
	/* Beyond this it is no guess any more, and no integer either. */
	const double most = 1000.0 * 86400.0;
	int64_t s = seconds < most ? (int64_t)(seconds + 0.5) : (int64_t)most;
	if (s < 60)
		snprintf(ret, 32, "%" PRId64 "s", s);
	else if (s < 3600)
		snprintf(ret, 32, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(ret, 32, "%" PRId64 "h%02" PRId64 "m", s / 3600, s % 3600 / 60);
	else
		snprintf(ret, 32, "%" PRId64 "d%02" PRId64 "h", s / 86400, s % 86400 / 3600);
}

/* "120/240, 3 failed, 12.5/s, 10s left"; no rate before there is one. */
static size_t format_counts(const struct tally *t, int64_t now_ns, char *ret, size_t size)
{
	size_t done = tally_done(t), failed = done - t->count[TALLY_OK];
	double seconds = (double)(now_ns - t->began_ns) / (double)NS_PER_S;
	char left[32];
	int len = snprintf(ret, size, "%zu/%zu", done, t->total);
	if (failed)
		len += snprintf(ret + len, size - (size_t)len, ", %zu failed", failed);
	if (done && seconds > 0) {
		double rate = (double)done / seconds;
		len += snprintf(
			ret + len, size - (size_t)len, rate < 100 ? ", %.1f/s" : ", %.0f/s", rate);
		if (done < t->total) {
			format_left((double)(t->total - done) / rate, left);
			len += snprintf(ret + len, size - (size_t)len, ", %s left", left);
		}
	}
	return (size_t)len;
}

char *tally_bar(const struct tally *t, int64_t now_ns, int width, char ret[TALLY_LINE_MAX])
{
	char counts[TALLY_LINE_MAX / 2];
	size_t len = format_counts(t, now_ns, counts, sizeof counts);
	size_t cells = width > 0 ? (size_t)width : 0;
	cells = cells > len + 3 ? cells - len - 3 : 0; /* two brackets and a blank */
	if (cells > BAR_MAX)
		cells = BAR_MAX;
	if (cells < BAR_MIN) {
		snprintf(ret, TALLY_LINE_MAX, "%.*s", width > 0 ? width : 0, counts);
		return ret;
	}
	char bar[BAR_MAX + 1];
	size_t full = t->total ? tally_done(t) * cells / t->total : cells;
	memset(bar, '.', cells);
	memset(bar, '#', full < cells ? full : cells);
	bar[cells] = '\0';
	snprintf(ret, TALLY_LINE_MAX, "[%s] %s", bar, counts);
	return ret;
}

char *tally_summary(const struct tally *t, char ret[TALLY_LINE_MAX])
{
	size_t len = 0;
	for (enum tally_kind k = 0; k < TALLY_MAX; k++)
		if (t->count[k] || k <= TALLY_FAILED)
			len += (size_t)snprintf(ret + len, TALLY_LINE_MAX - len, "%s%zu %s",
				len ? ", " : "", t->count[k], names[k]);
	return ret;
}
