/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server/metrics: counters and histograms, kept as a table (name, type, help) from which the
 * Prometheus text and the CBOR answer are made.  The seven of the Python original keep their names
 * and meaning, with a wq_ prefix; wq-server(8) states the differences.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"

struct server;

enum metrics_counter { /* one for each task manager */
	METRICS_COMPLETED,
	METRICS_ABORTED,
	METRICS_REJECTED,
	METRICS_LOST,
	METRICS_EXPIRED,
	METRICS_REQUEUED,
	METRICS_N_COUNTERS
};

enum metrics_plain { /* one for the server */
	METRICS_TICKS,
	METRICS_RECEIVED,
	METRICS_UNKNOWN_ABORTS,
	METRICS_COLLECTED,
	METRICS_QUARANTINED,
	METRICS_LATE,
	METRICS_OVERFLOWS,
	METRICS_RESCANS,
	METRICS_TOO_MANY,
	METRICS_CLOSED,
	METRICS_NO_SPACE,
	METRICS_DROPPED,
	METRICS_FORGOTTEN,
	METRICS_N_PLAIN
};

enum metrics_histogram {
	METRICS_WAITING,
	METRICS_RUNNING,
	METRICS_TO_ABORT,
	METRICS_N_HISTOGRAMS
};

enum {
	METRICS_N_BUCKETS = 14
}; /* the last is +Inf */

struct histogram {
	uint64_t buckets[METRICS_N_BUCKETS];
	uint64_t count;
	double sum_s;
};

struct metrics_tm {
	uint64_t counters[METRICS_N_COUNTERS];
	struct histogram histograms[METRICS_N_HISTOGRAMS];
};

struct metrics {
	uint64_t plain[METRICS_N_PLAIN];
	struct metrics_tm *tms; /* one for each task manager, and one for requests without */
	uint32_t n_tms;
};

int metrics_init(struct metrics *m, uint32_t n_tms);
void metrics_fini(struct metrics *m);

/* `tm` -1 (or SCHED_NO_TM as an int): it never reached one. */
void metrics_count(struct metrics *m, enum metrics_plain which);
void metrics_count_tm(struct metrics *m, int tm, enum metrics_counter which);
void metrics_observe(struct metrics *m, int tm, enum metrics_histogram which, int64_t ns);

/* The answer to "metrics": a CBOR map with "text" (Prometheus) and "metrics".  0 or -ENOMEM. */
int metrics_answer(const struct server *s, struct buf *ret);
