/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/server.h"

#include <wq/cbor.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Seconds; each bucket is about three times the last.  From 10 ms, as the Python original's. */
static const double bounds[METRICS_N_BUCKETS - 1] = { 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300,
	1000, 3600, 86400 };

struct about {
	const char *name, *help;
};

static const struct about plain[METRICS_N_PLAIN] = {
	[METRICS_TICKS] = { "wq_ticks_total", "passes that carried out at least one decision" },
	[METRICS_RECEIVED] = { "wq_received_total", "requests accepted" },
	[METRICS_UNKNOWN_ABORTS] = { "wq_unknown_aborts_total", "aborts of ids that do not exist" },
	[METRICS_COLLECTED] = { "wq_collected_total", "results removed by an abort" },
	[METRICS_QUARANTINED] = { "wq_quarantined_total", "files moved to quarantine" },
	[METRICS_LATE] = { "wq_late_arrivals_total", "requests accepted after a later one" },
	[METRICS_OVERFLOWS] = { "wq_overflows_total", "times that file system events were lost" },
	[METRICS_TOO_MANY] = { "wq_queue_full_total",
		"requests refused for queue-limit, counted in rejected too" },
	[METRICS_CLOSED] = { "wq_gate_closed_total",
		"times that no more requests were taken for want of space" },
	[METRICS_NO_SPACE] = { "wq_no_space_total",
		"times that a full file system kept requests from being started" },
	[METRICS_DROPPED] = { "wq_results_dropped_total",
		"results removed because nobody collected them in time" },
	[METRICS_FORGOTTEN] = { "wq_history_removed_total", "results removed from the history" },
	[METRICS_RESCANS] = { "wq_rescans_total", "listings of the spool after start-up" },
};

static const struct about histograms[METRICS_N_HISTOGRAMS] = {
	[METRICS_WAITING] = { "wq_time_waiting_seconds", "from acceptance to start" },
	[METRICS_RUNNING] = { "wq_time_running_seconds", "from start to end" },
	[METRICS_TO_ABORT] = { "wq_time_to_abort_seconds",
		"time spent in the last state before an abort took effect" },
};

int metrics_init(struct metrics *m, uint32_t n_tms)
{
	*m = (struct metrics){ .n_tms = n_tms, .tms = calloc(n_tms + 1, sizeof *m->tms) };
	return m->tms ? 0 : -ENOMEM;
}

void metrics_fini(struct metrics *m)
{
	free(m->tms);
	*m = (struct metrics){ 0 };
}

static struct metrics_tm *of(struct metrics *m, int tm)
{
	return &m->tms[tm < 0 ? m->n_tms : (uint32_t)tm];
}

void metrics_count(struct metrics *m, enum metrics_plain which)
{
	m->plain[which]++;
}

void metrics_count_tm(struct metrics *m, int tm, enum metrics_counter which)
{
	of(m, tm)->counters[which]++;
}

void metrics_observe(struct metrics *m, int tm, enum metrics_histogram which, int64_t ns)
{
	struct histogram *h = &of(m, tm)->histograms[which];
	double seconds = (double)ns / 1e9;
	int i = 0;
	while (i < METRICS_N_BUCKETS - 1 && seconds > bounds[i])
		i++;
	h->buckets[i]++;
	h->count++;
	h->sum_s += seconds;
}

/* ---- the answer: each sample goes to the text and to the CBOR list at once ----------------------
 */

struct writer {
	struct buf text;
	struct wq_cbor_out list;
	uint64_t n_metrics;
	const struct server *server;
};

static void begin(struct writer *w, const struct about *about, const char *type, uint64_t n_samples)
{
	buf_addf(&w->text, "# HELP %s %s\n# TYPE %s %s\n", about->name, about->help, about->name,
		type);
	wq_cbor_put_map(&w->list, 4);
	wq_cbor_put_pair(&w->list, "help", about->help);
	wq_cbor_put_pair(&w->list, "name", about->name);
	wq_cbor_put_pair(&w->list, "type", type);
	wq_cbor_put_text(&w->list, "samples");
	wq_cbor_put_array(&w->list, n_samples);
	w->n_metrics++;
}

/* One sample with up to two labels. */
static void sample(struct writer *w, const char *name, const char *suffix,
	const char *const labels[4], double value)
{
	uint64_t n = labels[0] ? labels[2] ? 2 : 1 : 0;
	buf_addf(&w->text, "%s%s", name, suffix);
	if (n > 0)
		buf_addf(&w->text, "{%s=\"%s\"", labels[0], labels[1]);
	if (n > 1)
		buf_addf(&w->text, ",%s=\"%s\"", labels[2], labels[3]);
	buf_addf(&w->text, "%s %.15g\n", n > 0 ? "}" : "", value);

	wq_cbor_put_map(&w->list, 3);
	wq_cbor_put_text(&w->list, "value");
	wq_cbor_put_double(&w->list, value);
	wq_cbor_put_text(&w->list, "labels");
	wq_cbor_put_map(&w->list, n);
	for (uint64_t i = 0; i < n; i++) {
		wq_cbor_put_text(&w->list, labels[2 * i]);
		wq_cbor_put_text(&w->list, labels[2 * i + 1]);
	}
	wq_cbor_put_pair(&w->list, "suffix", suffix);
}

static const char *tm_name(const struct server *s, uint32_t i)
{
	return i < s->n_tms ? s->config.tms[i].name : "";
}

static void write_histogram(struct writer *w, enum metrics_histogram which)
{
	const struct metrics *m = &w->server->metrics;
	begin(w, &histograms[which], "histogram",
		(uint64_t)(m->n_tms + 1) * (METRICS_N_BUCKETS + 2));
	for (uint32_t i = 0; i <= m->n_tms; i++) {
		const struct histogram *h = &m->tms[i].histograms[which];
		uint64_t below = 0;
		for (int b = 0; b < METRICS_N_BUCKETS; b++) {
			char le[32] = "+Inf";
			if (b < METRICS_N_BUCKETS - 1)
				snprintf(le, sizeof le, "%.15g", bounds[b]);
			below += h->buckets[b];
			sample(w, histograms[which].name, "_bucket",
				(const char *const[4]){
					"task_manager", tm_name(w->server, i), "le", le },
				(double)below);
		}
		const char *const labels[4] = { "task_manager", tm_name(w->server, i), NULL, NULL };
		sample(w, histograms[which].name, "_sum", labels, h->sum_s);
		sample(w, histograms[which].name, "_count", labels, (double)h->count);
	}
}

static void write_tasks(struct writer *w)
{
	static const struct about about = { "wq_tasks",
		"requests now, by state; without task manager: not sorted yet" };
	const struct server *s = w->server;
	struct sched_counts c = sched_counts(s->sched);
	begin(w, &about, "gauge", 2 * (uint64_t)s->n_tms + 1);
	for (uint32_t i = 0; i < s->n_tms; i++) {
		struct sched_tm_state state;
		sched_tm_state(s->sched, i, 0, &state);
		sample(w, about.name, "",
			(const char *const[4]){ "state", "pending", "task_manager", tm_name(s, i) },
			state.waiting);
		sample(w, about.name, "",
			(const char *const[4]){ "state", "running", "task_manager", tm_name(s, i) },
			state.running);
	}
	sample(w, about.name, "", (const char *const[4]){ "state", "pending", "task_manager", "" },
		c.unsorted);
}

static void write_gauges(struct writer *w)
{
	const struct server *s = w->server;
	const struct {
		struct about about;
		double value;
	} rows[] = {
		{ { "wq_accepting", "1 while requests are taken, else 0" }, !page_why(s)[0] },
		{ { "wq_queue_limit", "how many requests may wait" },
			(double)s->config.queue_limit },
		{ { "wq_no_space", "1 while nothing is started for want of space, else 0" },
			s->space.no_space },
		{ { "wq_free_bytes", "free on the spool's file system when it was looked at last" },
			(double)s->space.left.free_bytes },
		{ { "wq_free_inodes", "the same in inodes" }, (double)s->space.left.free_inodes },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		begin(w, &rows[i].about, "gauge", 1);
		sample(w, rows[i].about.name, "", (const char *const[4]){ 0 }, rows[i].value);
	}
}

static void write_tm_counters(struct writer *w)
{
	static const struct {
		struct about about;
		enum metrics_counter which;
	} rows[] = {
		{ { "wq_rejected_total", "requests refused, counted in completed too" },
			METRICS_REJECTED },
		{ { "wq_lost_total", "results lost by a crash, counted in completed too" },
			METRICS_LOST },
		{ { "wq_expired_total", "requests not started in time, counted in completed too" },
			METRICS_EXPIRED },
		{ { "wq_requeued_total", "tasks lost by a crash and started again" },
			METRICS_REQUEUED },
	};
	static const struct about completed = { "wq_completed_total",
		"requests that came to their end, by how" };
	const struct metrics *m = &w->server->metrics;
	begin(w, &completed, "counter", 2 * ((uint64_t)m->n_tms + 1));
	for (uint32_t i = 0; i <= m->n_tms; i++) {
		const char *tm = tm_name(w->server, i);
		sample(w, completed.name, "",
			(const char *const[4]){ "status", "normal", "task_manager", tm },
			(double)m->tms[i].counters[METRICS_COMPLETED]);
		sample(w, completed.name, "",
			(const char *const[4]){ "status", "abort", "task_manager", tm },
			(double)m->tms[i].counters[METRICS_ABORTED]);
	}
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		begin(w, &rows[r].about, "counter", (uint64_t)m->n_tms + 1);
		for (uint32_t i = 0; i <= m->n_tms; i++)
			sample(w, rows[r].about.name, "",
				(const char *const[4]){ "task_manager", tm_name(w->server, i) },
				(double)m->tms[i].counters[rows[r].which]);
	}
}

int metrics_answer(const struct server *s, struct buf *ret)
{
	struct writer w = { .server = s };
	struct wq_cbor_out out;
	wq_cbor_out_init(&w.list);
	wq_cbor_out_init(&out);
	for (int i = 0; i < METRICS_N_PLAIN; i++) {
		begin(&w, &plain[i], "counter", 1);
		sample(&w, plain[i].name, "", (const char *const[4]){ 0 },
			(double)s->metrics.plain[i]);
	}
	write_gauges(&w);
	write_tasks(&w);
	write_tm_counters(&w);
	for (int i = 0; i < METRICS_N_HISTOGRAMS; i++)
		write_histogram(&w, (enum metrics_histogram)i);
	wq_cbor_put_map(&out, 2);
	wq_cbor_put_text(&out, "text");
	wq_cbor_put_text_n(&out, (const char *)w.text.data, w.text.len);
	wq_cbor_put_text(&out, "metrics");
	wq_cbor_put_array(&out, w.n_metrics);
	wq_cbor_put_raw(&out, w.list.buf, w.list.len);
	int rc = out.err || w.list.err ? -ENOMEM : buf_add(ret, out.buf, out.len);
	buf_fini(&w.text);
	wq_cbor_out_free(&w.list);
	wq_cbor_out_free(&out);
	return rc;
}
