/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/server/rig.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"
#include "spool/census.h"
#include "spool/read.h"
#include "support/link/fake_link.h"
#include "support/link/probe.h"
#include "support/spool/fault.h"

enum {
	ROUNDS = 6,
	CONFIG_SIZE = PATH_MAX + 1024,
	CHANGES_SIZE = 65536,
	RESULT_LIMIT = 1 << 20
};

struct server rig;
struct reqid rig_moves[RIG_MOVES_MAX];
int rig_n_moves;
int rig_case;
const char *rig_durability = "none";
enum on_crash rig_on_crash;
static bool with_probe;

/* ---- the clock ----------------------------------------------------------------------------------
 */

static int64_t forward_ns;

/* In the place of libc's, for what is linked with this file: CLOCK_BOOTTIME is all that product code
 * waits by, and only base/time reads it. */
int clock_gettime(clockid_t clock, struct timespec *ret)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, ret);
	if (rc == 0 && clock == CLOCK_BOOTTIME) {
		int64_t ns = ret->tv_sec * NS_PER_S + ret->tv_nsec + forward_ns;
		*ret = (struct timespec){ .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
	}
	return rc;
}

void rig_forward(int64_t ns)
{
	forward_ns += ns;
}

/* ---- calls that fail ----------------------------------------------------------------------------
 */

static bool is_open; /* only then the spool's descriptors mean something */

static struct {
	const char *call;
	int from, to, error, times, failed;
} plan;

static struct {
	int from, to;
	void (*fn)(void);
} hook;

static struct {
	int place;
	void (*fn)(void);
} listing;

static struct {
	int place;
	void (*fn)(int fd);
} syncing;

static char changes[CHANGES_SIZE];

void rig_when_synced(int place, void (*fn)(int fd))
{
	syncing.place = place;
	syncing.fn = fn;
}

const char *rig_changes(void)
{
	return changes;
}

void rig_fail(const char *call, int from, int to, int error, int times)
{
	plan.call = call;
	plan.from = from;
	plan.to = to;
	plan.error = error;
	plan.times = times;
	plan.failed = 0;
}

void rig_repair(void)
{
	plan.times = 0;
}

int rig_failed(void)
{
	return plan.failed;
}

void rig_when_listed(int place, void (*fn)(void))
{
	listing.place = place;
	listing.fn = fn;
}

void rig_when_renamed(int from, int to, void (*fn)(void))
{
	hook.from = from;
	hook.to = to;
	hook.fn = fn;
}

static int fd_of(int place)
{
	if (place == RIG_QUARANTINE)
		return rig.spool.quarantine_fd;
	if (place == RIG_STATUS)
		return rig.spool.status_fd;
	if (place == RIG_ATTEMPTS)
		return rig.spool.attempts_fd;
	return place == CENSUS_TMP ? rig.spool.tmp_fd : rig.spool.dir_fd[place];
}

static int place_of(int fd)
{
	for (int place = 0; place < CENSUS_PLACES; place++)
		if (fd == fd_of(place))
			return place;
	return RIG_FILE;
}

static bool is_at(int place, int fd)
{
	if (place == RIG_FILE)
		return is_open && place_of(fd) == RIG_FILE;
	return place == RIG_ANY || (is_open && fd == fd_of(place));
}

static void note_change(int from_fd, int to_fd)
{
	size_t len = strlen(changes);
	if (!is_open)
		return;
	ck_assert_uint_lt(len + 16, sizeof changes);
	if (to_fd < 0)
		snprintf(changes + len, sizeof changes - len, "[%d]", place_of(from_fd));
	else
		snprintf(changes + len, sizeof changes - len, "[%d>%d]", place_of(from_fd),
			place_of(to_fd));
}

/* 0: go on, else -errno.  Of the sync thread, too. */
static int hit(const char *call, int from_fd, int to_fd)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	int rc = 0;
	pthread_mutex_lock(&mutex);
	if (plan.times > 0 && strcmp(plan.call, call) == 0 && is_at(plan.from, from_fd) &&
		is_at(plan.to, to_fd)) {
		plan.times--;
		plan.failed++;
		rc = -plan.error;
	}
	pthread_mutex_unlock(&mutex);
	return rc;
}

static int rig_openat(int dir, const char *name, int flags, mode_t mode)
{
	const char *call = strcmp(name, ".") == 0 ? "list" : flags & O_CREAT ? "create" : "open";
	int rc = hit(call, dir, -1);
	if (listing.fn && strcmp(call, "list") == 0 && is_at(listing.place, dir)) {
		void (*fn)(void) = listing.fn;
		listing.fn = NULL;
		fn();
	}
	return rc ? rc : fault_io.openat(dir, name, flags, mode);
}

static int rig_fstatat(int dir, const char *name, struct stat *ret, int flags)
{
	int rc = hit("fstatat", dir, -1);
	return rc ? rc : fault_io.fstatat(dir, name, ret, flags);
}

static int rig_unlinkat(int dir, const char *name, int flags)
{
	int rc = hit("unlinkat", dir, -1);
	if (rc == 0)
		note_change(dir, -1);
	return rc ? rc : fault_io.unlinkat(dir, name, flags);
}

static int rig_fsync(int fd)
{
	int rc = hit("fsync", fd, -1);
	if (syncing.fn && is_at(syncing.place, fd)) {
		void (*fn)(int) = syncing.fn;
		syncing.fn = NULL;
		fn(fd);
	}
	return rc ? rc : spool_io_real.fsync(fd);
}

static ssize_t rig_write(int fd, const void *bytes, size_t len)
{
	int rc = hit("write", fd, -1);
	return rc ? rc : fault_io.write(fd, bytes, len);
}

static ssize_t rig_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	int rc = hit("pwrite", fd, -1);
	return rc ? rc : fault_io.pwrite(fd, bytes, len, at);
}

static ssize_t rig_pread(int fd, void *bytes, size_t len, off_t at)
{
	int rc = hit("pread", fd, -1);
	return rc ? rc : fault_io.pread(fd, bytes, len, at);
}

static ssize_t rig_getdents(int fd, void *bytes, size_t len)
{
	int rc = hit("getdents", fd, -1);
	return rc ? rc : fault_io.getdents(fd, bytes, len);
}

static int rig_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	int rc = hit("renameat2", from_dir, to_dir);
	if (rc == 0)
		rc = fault_io.renameat2(from_dir, from, to_dir, to, flags);
	if (rc < 0)
		return rc;
	note_change(from_dir, to_dir);
	if (is_at(SPOOL_PENDING, from_dir) && is_at(SPOOL_RUNNING, to_dir)) {
		ck_assert_int_lt(rig_n_moves, RIG_MOVES_MAX);
		ck_assert(reqid_parse(from, strlen(from), &rig_moves[rig_n_moves++]));
	}
	if (hook.fn && is_at(hook.from, from_dir) && is_at(hook.to, to_dir)) {
		void (*fn)(void) = hook.fn;
		hook.fn = NULL;
		fn();
	}
	return 0;
}

static const struct spool_io *io(void)
{
	static struct spool_io table;
	table = fault_io;
	table.openat = rig_openat;
	table.fstatat = rig_fstatat;
	table.unlinkat = rig_unlinkat;
	/* Past fault_io, which is the loop's. */
	table.fsync = rig_fsync;
	table.syncfs = spool_io_real.syncfs;
	table.start_writeback = spool_io_real.start_writeback;
	table.write = rig_write;
	table.pwrite = rig_pwrite;
	table.pread = rig_pread;
	table.getdents = rig_getdents;
	table.renameat2 = rig_renameat2;
	return &table;
}

/* ---- the server ---------------------------------------------------------------------------------
 */

static char *plugin_dirs[2];

static void fail_with(const struct problems *p, const char *text)
{
	ck_abort_msg("%s: %s", text, p->n > 0 ? p->lines[0] : "no problem was told");
}

static void read_config(const char *task_managers)
{
	char text[CONFIG_SIZE];
	struct problems p = { 0 };
	snprintf(text, sizeof text, "spool = \"%s\"\ndurability = %s\n%s", tmpspool_path,
		rig_durability, task_managers);
	if (config_read_text(text, "test", "/", &rig.config, &p) < 0)
		fail_with(&p, "config_read_text");
	plugin_dirs[0] = getenv("WQ_PLUGINS");
	ck_assert_msg(plugin_dirs[0] != NULL, "WQ_PLUGINS names the directory of the plugins");
	rig.plugin_dirs = plugin_dirs;
	if (task_managers_load(&rig, &p) < 0)
		fail_with(&p, "task_managers_load");
	problems_fini(&p);
	if (with_probe)
		rig.tms[0].plugin = &probe_plugin;
}

static void open_sched(void)
{
	static const uint64_t hash_key[2] = { 1, 2 };
	struct sched_limits limits[8] = { 0 };
	ck_assert_uint_le(rig.n_tms, sizeof limits / sizeof *limits);
	for (uint32_t i = 0; i < rig.n_tms; i++)
		limits[i] = (struct sched_limits){
			.max_running = (uint32_t)rig.tms[i].config->max_running,
			.polls = !(rig.tms[i].plugin->desc.caps & WQ_CAP_WAKES),
		};
	rig.sched = sched_new(rig.n_tms, limits, rig.config.sample_interval_ns, hash_key);
	ck_assert_ptr_nonnull(rig.sched);
	sched_set_queue_limit(rig.sched, (uint32_t)rig.config.queue_limit);
}

static void on_spool_changed(void *arg, uint32_t events)
{
	(void)events;
	look_read(arg);
}

/* As in run.c: the pass that follows asks sched. */
static void on_renew(void *arg)
{
	whereabouts_renew(arg);
	left_retry(arg);
}

static void on_due(void *arg)
{
	struct server *s = arg;
	if (time_mono_ns() >= s->rescan_at_ns)
		look_rescan(s);
	if (time_mono_ns() >= s->adopt_at_ns)
		adopt_tasks(s);
}

static void on_space(void *arg)
{
	space_check(arg);
}

static void on_retain(void *arg)
{
	retain_begin(arg);
}

static void on_drain_limit(void *arg)
{
	(void)arg;
	ck_abort_msg("the drain limit was reached");
}

void rig_open(const char *task_managers)
{
	struct wq_err err = { 0 };
	struct problems p = { 0 };
	log_set_level(LOG_LEVEL_ERR);
	rig.ready_fd = -1;
	rig.rescan_at_ns = rig.adopt_at_ns = TIME_NEVER;
	rig.retain.due_us = INT64_MAX;
	rig.space.no_ballast = true; /* what is full by a fault of ours is not helped by it */
	read_config(task_managers);
	rig.loop = loop_new();
	ck_assert_ptr_nonnull(rig.loop);
	rig.renew_timer = loop_add_timer(rig.loop, on_renew, &rig);
	rig.due_timer = loop_add_timer(rig.loop, on_due, &rig);
	rig.drain_timer = loop_add_timer(rig.loop, on_drain_limit, &rig);
	rig.space.timer = loop_add_timer(rig.loop, on_space, &rig);
	rig.retain.timer = loop_add_timer(rig.loop, on_retain, &rig);
	ck_assert_int_eq(metrics_init(&rig.metrics, rig.n_tms), 0);
	open_sched();
	int rc = spool_open_server(&rig.spool, tmpspool_path, io(), &err);
	ck_assert_msg(rc == 0, "spool_open_server: %s", err.text);
	is_open = true;
	rc = commit_open(&rig, &err);
	ck_assert_msg(rc == 0, "commit_open: %s", err.text);
	age_load(&rig.age, &rig.spool, time_wall_us(), time_mono_ns());
	if (with_probe && shepherd_open(&rig, &err) < 0)
		ck_abort_msg("shepherd_open: %s", err.text);
	if (task_managers_create(&rig, &p) < 0)
		fail_with(&p, "task_managers_create");
	problems_fini(&p);
	rc = task_managers_start(&rig, &err);
	ck_assert_msg(rc == 0, "task_managers_start: %s", err.text);
}

void rig_open_probe(enum on_crash on_crash, const char *more_task_managers)
{
	char text[CONFIG_SIZE];
	snprintf(text, sizeof text,
		"default-task-manager = probe\n"
		"task-manager probe { plugin = null max-running = 2 recovery-limit = 10s }\n%s",
		more_task_managers);
	probe_can_recover();
	with_probe = true;
	rig_open(text);
	rig.tms[0].on_crash = on_crash;
}

const char *rig_task_name(unsigned n, unsigned attempt)
{
	static char name[TASK_NAME_MAX];
	snprintf(name, sizeof name, "%s.%s.%u", rig.spool.uuid, rig_name(n), attempt);
	return name;
}

void rig_watch(void)
{
	ck_assert_int_eq(watch_open(&rig.watch, &rig.spool), 0);
	rig.watch_source =
		loop_add_fd(rig.loop, watch_fd(rig.watch), EPOLLIN, on_spool_changed, &rig);
	ck_assert_ptr_nonnull(rig.watch_source);
}

int rig_recover(void)
{
	struct wq_err err = { 0 };
	int rc = recover_spool(&rig, &err);
	ck_assert(rc == 0 || (rc < 0 && err.text[0]));
	if (rc == 0)
		adopt_tasks(&rig);
	return rc;
}

void rig_start(const char *task_managers)
{
	rig_open(task_managers);
	rig_watch();
	ck_assert_int_eq(rig_recover(), 0);
	rig.page_changed = true;
	look_list(&rig);
}

void rig_close(void)
{
	left_fini(&rig);
	commit_close(&rig); /* its thread looks at the plan */
	rig_repair();
	fault_reset();
	task_managers_free(&rig);
	shepherd_close(&rig);
	if (rig.watch_source)
		loop_del_fd(rig.loop, rig.watch_source);
	watch_close(rig.watch);
	sched_free(rig.sched);
	tasks_fini(&rig.tasks);
	attempts_fini(&rig.attempts);
	metrics_fini(&rig.metrics);
	retain_end(&rig);
	spool_close(&rig.spool);
	loop_free(rig.loop);
	config_fini(&rig.config);
	rig = (struct server){ 0 };
	is_open = with_probe = false;
}

void rig_setup_spool(void)
{
	rig_like = (struct request){ .label = "a label" };
	tmpspool_make_dir();
	fault_reset();
	rig_repair();
	hook.fn = NULL;
	syncing.fn = NULL;
	changes[0] = '\0';
	rig_durability = "none";
	rig_n_moves = 0;
	rig_on_crash = ON_CRASH_UNSAID;
	probe_reset();
	fake_link_reset();
}

void rig_setup(void)
{
	rig_setup_spool();
	rig_start(RIG_QUICK);
}

void rig_teardown(void)
{
	if (rig.loop)
		rig_close();
	tmpspool_remove_dir();
}

static void wait_for_commit(void)
{
	if (!rig.commits.is_flying)
		return;
	struct pollfd done = { .fd = syncer_fd(rig.commits.syncer), .events = POLLIN };
	ck_assert_int_eq(poll(&done, 1, -1), 1);
}

void rig_run(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		wait_for_commit();
		ck_assert_int_eq(loop_run_once(rig.loop, 0), 0);
		server_pass(&rig);
	}
}

void rig_run_later(void)
{
	rig_forward(NS_PER_S);
	rig_run();
}

int rig_n_started(void)
{
	uint64_t n = 0;
	for (uint32_t i = 0; i < rig.n_tms; i++)
		n += rig.metrics.tms[i].histograms[METRICS_WAITING].count;
	return (int)n;
}

/* ---- files --------------------------------------------------------------------------------------
 */

const char *rig_name(unsigned n)
{
	static char name[REQID_SIZE];
	return reqid_format(tmpspool_nth(n), name);
}

static void put(const char *place, const char *name, const struct buf *bytes)
{
	int fd = open(tmpspool_at(place, name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes->data, bytes->len), (ssize_t)bytes->len);
	close(fd);
}

/* Under a name that no server takes, then renamed. */
static void publish(unsigned n, const char *place, const struct buf *bytes)
{
	char from[PATH_MAX * 2];
	put(place, ".new", bytes);
	snprintf(from, sizeof from, "%s", tmpspool_at(place, ".new"));
	ck_assert_int_eq(rename(from, tmpspool_at(place, rig_name(n))), 0);
}

struct request rig_like = { .label = "a label" };

void rig_plant_request(unsigned n, const char *place, const char *task_manager)
{
	static const uint8_t payload[] = { 0xf6 }; /* null, RFC 8949 section 3.3 */
	struct request req = rig_like;
	req.on_crash = rig_on_crash;
	struct buf bytes = { 0 };
	req.payload = (struct wq_bytes){ payload, sizeof payload };
	snprintf(req.task_manager, sizeof req.task_manager, "%s", task_manager);
	ck_assert_int_eq(request_encode(&req, &bytes, NULL), 0);
	publish(n, place, &bytes);
	buf_fini(&bytes);
}

void rig_request(unsigned n, const char *task_manager)
{
	rig_plant_request(n, "1-requested", task_manager);
}

void rig_bad_request(unsigned n)
{
	struct buf bytes = { 0 };
	ck_assert_int_eq(buf_addf(&bytes, "no request"), 0);
	publish(n, "1-requested", &bytes);
	buf_fini(&bytes);
}

void rig_abort(unsigned n)
{
	tmpspool_put("5-aborting", rig_name(n), "");
}

void rig_plant_result(unsigned n, const char *place)
{
	struct result res = { .status = RESULT_OK, .attempt = 1, .label = "a label" };
	struct buf bytes = { 0 };
	snprintf(res.id, sizeof res.id, "%s", rig_name(n));
	ck_assert_int_eq(result_encode(&res, &bytes), 0);
	publish(n, place, &bytes);
	buf_fini(&bytes);
}

bool rig_stands(unsigned n, const char *place)
{
	return tmpspool_has(place, rig_name(n));
}

/* ---- what is true -------------------------------------------------------------------------------
 */

/* `bytes` is what `ret` borrows from. */
static void read_it(unsigned n, enum result_status status, struct buf *bytes, struct result *ret)
{
	struct wq_err err = { 0 };
	int rc = read_result(&rig.spool, tmpspool_nth(n), RESULT_LIMIT, bytes, &err);
	ck_assert_msg(rc == 0, "read_result: %s", err.text);
	rc = result_decode(bytes->data, bytes->len, ret, &err);
	ck_assert_msg(rc == 0, "result_decode: %s", err.text);
	ck_assert_str_eq(ret->id, rig_name(n));
	ck_assert_str_eq(result_status_name(ret->status), result_status_name(status));
}

void rig_assert_result(unsigned n, enum result_status status)
{
	struct buf bytes = { 0 };
	struct result res = { 0 };
	read_it(n, status, &bytes, &res);
	buf_fini(&bytes);
}

void rig_assert_outcome(unsigned n, enum result_status status, const char *error, const char *part,
	unsigned attempt)
{
	struct buf bytes = { 0 };
	struct result res = { 0 };
	read_it(n, status, &bytes, &res);
	ck_assert_str_eq(res.error, error);
	ck_assert_msg(strstr(res.text, part) != NULL, "'%s' is not in: %s", part, res.text);
	ck_assert_uint_eq(res.attempt, attempt);
	buf_fini(&bytes);
}

void rig_assert_error(unsigned n, enum result_status status, const char *error)
{
	struct buf bytes = { 0 };
	struct result res = { 0 };
	read_it(n, status, &bytes, &res);
	ck_assert_str_eq(res.error, error);
	buf_fini(&bytes);
}

void rig_assert_idle(void)
{
	static const char *const places[] = { "1-requested", "2-pending", "3-running", "5-aborting",
		".wq/tmp" };
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		ck_assert_msg(tmpspool_count(places[i]) == 0, "%s is not empty", places[i]);
	struct sched_counts c = sched_counts(rig.sched);
	ck_assert_uint_eq(c.seen + c.pending + c.running, 0);
	ck_assert(sched_is_drained(rig.sched));
	ck_assert_ptr_null(tasks_next(&rig.tasks, 0));
}

void rig_assert_quarantine(int n_files)
{
	ck_assert_int_eq(tmpspool_count(".wq/quarantine"), n_files);
}
