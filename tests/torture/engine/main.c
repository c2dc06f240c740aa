/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which scenes are played, by how many workers, and the table of what came of it.
 *
 *	engine short|full [--seed N] [--calls FILE] [--oracle PROGRAM]
 *	engine --life NAME [--level L] [--policy P] [--fs F] [--race R:RUN:K] [--plant X] [--end E]...
 *	engine --life NAME [--level L] [--policy P] [--fs F] --all SORT
 *
 * The second form repeats one scene and tells what happens, the third plays all of one SORT (kills,
 * second, faults, cuts, second-cuts, races, late-faults); E is one of the first form's own, as it
 * prints them: before:37, after:37, all:37, cut:37:MOMENT:BYTES, and fault:37:ENOSPC:1 before any of
 * these, joined by a plus.
 */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

enum {
	WORKERS_MAX = 16,
	TELL_MAX = 4,       /* broken scenes of one life that are printed, for each worker */
	SECONDS_A_RUN = 10, /* of real time: then it hangs */
	DRAWS_OF_PARTS = 3,
	FULL_DISK = 40 /* calls */
};

static const char *const level_names[] = { "none", "batch", "strict" };
static const char *const policy_names[] = { "fail", "requeue", "adopt" };
static const char *const race_names[] = { "abort", "new", "new-abort" };
static const char *const fs_names[] = { "journal", "parts", "mount", "poor" };

/* The policies that this server has. */
static const bool has_policy[POLICY_MAX] = { [POLICY_FAIL] = true, [POLICY_ADOPT] = true };

struct stage *stage;
bool verbose;

/* What a worker counts. */
struct tally {
	unsigned kills[HOW_MAX], at_changes, second, cuts, second_cuts, faults, late_faults, races;
	unsigned scenes, broken_scenes, cases, not_reached;
	struct kind kinds[KINDS_MAX];
	unsigned n_kinds;
};

static struct tally *tally; /* of this worker */

/* ---- small things ------------------------------------------------------------------------------- */

uint64_t draw(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = *state;
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void event(const char *format, ...)
{
	char line[128];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(line, sizeof line - 1, format, args);
	va_end(args);
	line[n++] = '\n';
	if (stage->n_events + (size_t)n > sizeof stage->events)
		_exit(EXIT_STUCK);
	memcpy(stage->events + stage->n_events, line, (size_t)n);
	stage->n_events += (size_t)n;
	if (verbose)
		fprintf(stderr, "%.*s", n, line);
}

static double seconds(void)
{
	struct timespec ts;
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int choice(const char *word, const char *const *names, int n, const char *option)
{
	for (int i = 0; i < n; i++)
		if (word && strcmp(word, names[i]) == 0)
			return i;
	fprintf(stderr, "engine: %s: '%s' is none of its words\n", option, word ? word : "");
	exit(2);
}

static void *shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		perror("engine");
		exit(2);
	}
	return p;
}

/* ---- telling ------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	int code;
} errors[] = { { "ENOSPC", ENOSPC }, { "EIO", EIO }, { "EROFS", EROFS }, { "EMFILE", EMFILE },
	{ "EINTR", EINTR }, { "ENOMEM", ENOMEM }, { "short", SHORT } };

static const char *error_name(int code)
{
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (errors[i].code == code)
			return errors[i].name;
	return "?";
}

static void format_ending(const struct ending *e, char *ret, size_t size)
{
	static const char *const words[HOW_MAX] = { "rest", "before", "after", "all", "cut" };
	size_t n = 0;
	if (e->fault_n)
		n = (size_t)snprintf(ret, size, "fault:%u:%s:%u%s", e->fault_at,
			error_name(e->error), e->fault_n, e->how ? "+" : "");
	if (e->how == HOW_CUT)
		snprintf(ret + n, size - n, "cut:%u:%u:%u", e->at, e->moment, e->bytes);
	else if (e->how != HOW_REST)
		snprintf(ret + n, size - n, "%s:%u", words[e->how], e->at);
	else if (!e->fault_n)
		snprintf(ret + n, size - n, "rest");
}

static void print_command(const struct scene *s)
{
	char line[512], word[64];
	int n = snprintf(line, sizeof line, "\tengine --life %s --level %s --policy %s --fs %s",
		s->life->name, level_names[s->level], policy_names[s->policy], fs_names[s->fs]);
	if (s->plant)
		n += snprintf(
			line + n, sizeof line - (size_t)n, " --plant %s", plant_name(s->plant));
	if (s->race_at)
		n += snprintf(line + n, sizeof line - (size_t)n, " --race %s:%d:%u",
			race_names[s->race], s->race_run, s->race_at);
	for (int i = 0; i < RUNS_MAX && (s->runs[i].how || s->runs[i].fault_n); i++) {
		format_ending(&s->runs[i], word, sizeof word);
		n += snprintf(line + n, sizeof line - (size_t)n, " --end %s", word);
	}
	n += snprintf(line + n, sizeof line - (size_t)n, "\n");
	(void)!write(1, line, (size_t)n);
}

/* ---- a case ------------------------------------------------------------------------------------- */

static char first_broken[512]; /* of the case that is played */
static char all_broken[4096];
static bool quiet; /* nothing is printed */
static unsigned n_told;

static void tell(const char *broken)
{
	size_t n = strlen(all_broken);
	if (!first_broken[0])
		snprintf(first_broken, sizeof first_broken, "%s", broken);
	snprintf(all_broken + n, sizeof all_broken - n, "%s\n", broken);
}

static void tell_case(const struct scene *scene)
{
	if (quiet || n_told++ >= TELL_MAX)
		return;
	(void)!write(1, all_broken, strlen(all_broken));
	print_command(scene);
}

static void start_from(const struct scene *scene)
{
	size_t keep = offsetof(struct stage, now_ns);
	disk_remove(stage->spool);
	disk_remove(stage->image);
	/* The calls and kinds are overwritten or wanted. */
	stage->scene = scene;
	memset((char *)stage + keep, 0, offsetof(struct stage, events) - keep);
	stage->now_ns = 1000000 * INT64_C(1000000000);
	stage->random = 1;
	stage->step = 0;
	memset(stage->jobs, 0, sizeof stage->jobs);
	memset(stage->outside, 0, sizeof stage->outside);
	stage->rebooted = stage->failed_sync = false;
	first_broken[0] = all_broken[0] = '\0';
	if (scene->life->no_spool) {
		(void)disk_read("/nowhere");
		return;
	}
	disk_restore((int)scene->level);
	if (disk_make(stage->spool) < 0) {
		perror(stage->spool);
		exit(2);
	}
}

static int run_once(int run)
{
	int status;
	stage->run = run;
	stage->n_calls = stage->n_recovery = stage->n_ready = 0;
	stage->is_ready = stage->is_repaired = false;
	for (size_t i = 0; i < JOBS_MAX * 2; i++)
		stage->outside[i].tid = 0;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(SECONDS_A_RUN);
		if (!verbose)
			dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
		play();
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("engine: fork");
		exit(2);
	}
	return status;
}

/* What does not outlive its server, or a power cut. */
static void end_tasks(bool all)
{
	for (size_t i = 0; i < JOBS_MAX * 2; i++)
		if (all || stage->scene->policy != POLICY_ADOPT)
			stage->outside[i].state = TASK_NONE;
}

static void power_comes_back(void)
{
	disk_remove(stage->spool);
	if (rename(stage->image, stage->spool) < 0 || disk_read(stage->spool) < 0) {
		perror("engine: the image of a power cut");
		exit(2);
	}
	end_tasks(true);
	stage->rebooted = true;
}

static struct kind *kind_at(unsigned k)
{
	return &stage->kinds[k < CALLS_MAX ? stage->calls[k].kind : 0];
}

/* What stands there now, for who repeats a case. */
static void list_spool(void)
{
	char command[PATH_SIZE + 64];
	fflush(NULL);
	snprintf(command, sizeof command,
		"cd %s && find . -name '*-*[0-9a-v]*' -type f -size -9999k "
		"-printf '  %%p %%s\\n'",
		stage->spool);
	(void)!system(command);
}

/* False: the case ends here. */
static bool judge_run(const struct ending *e, int status, bool *ret_ended)
{
	char line[128];
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	*ret_ended = code == 0;
	switch (code) {
	case 0:
		return true;
	case EXIT_KILLED:
		kind_at(e->at)->kills++;
		end_tasks(false);
		if (verbose)
			list_spool();
		return judge(REST_NONE, tell) == 0;
	case EXIT_CUT:
		power_comes_back();
		if (verbose)
			list_spool();
		return judge(REST_NONE, tell) == 0;
	case EXIT_FAILURE:
		if (!e->fault_n)
			break;
		/* Start-up fails where a call does; and a server may not trust a sync that failed. */
		event("killed server");
		end_tasks(false);
		if (!stage->is_ready || stage->failed_sync)
			return true;
		break;
	default:
		break;
	}
	if (WIFSIGNALED(status))
		snprintf(line, sizeof line, "I12: the server dies of signal %d", WTERMSIG(status));
	else if (code == EXIT_STUCK)
		snprintf(line, sizeof line, "I7: it never comes to rest");
	else
		snprintf(line, sizeof line, "I12: the server ends with %d", code);
	tell(line);
	return false;
}

/* Play it all, to its rest.  False: a promise is broken. */
static bool play_case(const struct scene *scene)
{
	static const struct ending rest;
	bool faulty = false, ended = false;
	start_from(scene);
	if (tally)
		tally->cases++;
	for (int run = 0; run < RUNS_MAX + 2; run++) {
		const struct ending *e = run < RUNS_MAX ? &scene->runs[run] : &rest;
		if (!judge_run(e, run_once(run), &ended))
			break;
		if (e->fault_n && tally)
			kind_at(e->fault_at)->faults++;
		if (!ended)
			continue;
		if (e->how != HOW_REST && tally)
			tally->not_reached++;
		(void)judge(e->fault_n ? REST_LEFT : REST_FINAL, tell);
		/* After a fault the next start must find nothing that this one has left. */
		if (first_broken[0] || !e->fault_n || faulty)
			break;
		faulty = true;
	}
	if (!ended && !first_broken[0])
		tell("I7: it never comes to rest");
	if (first_broken[0])
		tell_case(scene);
	return !first_broken[0];
}

/* What became of each job, as its client was told last. */
static void outcome(char *ret, size_t size)
{
	size_t n = 0;
	ret[0] = '\0';
	for (size_t i = 0; i < JOBS_MAX; i++) {
		char found[64] = "-", line[128];
		for (const char *p = stage->events; p < stage->events + stage->n_events;) {
			const char *end =
				memchr(p, '\n', (size_t)(stage->events + stage->n_events - p));
			snprintf(line, sizeof line, "%.*s", (int)(end - p), p);
			char what[16] = "", id[REQID_SIZE] = "", word[16] = "";
			(void)sscanf(line, "%15s %31s %15s", what, id, word);
			if (stage->jobs[i].id[0] && strcmp(id, stage->jobs[i].id) == 0 &&
				(strcmp(what, "seen") == 0 || strcmp(what, "gone") == 0))
				snprintf(found, sizeof found, "%s%s", what, word);
			p = end + 1;
		}
		n += (size_t)snprintf(ret + n, size - n, "%s ", found);
		if (n >= size)
			return;
	}
}

/* ---- the torture of one scene -------------------------------------------------------------------- */

/* In thousands: how many of all there are. */
struct rates {
	unsigned kills, second, faults, cuts, second_cuts, races, late_faults;
};

static uint64_t dice;

static bool happens(unsigned rate)
{
	return draw(&dice) % 1000 < rate;
}

/* A server starts on an empty spool in the same way in all lives but the first. */
static unsigned n_start;

static bool happens_at(unsigned k, unsigned rate)
{
	return happens(k > n_start ? rate : rate / 8);
}

static bool torture_kill(struct scene *s, const struct call *call, struct rates rates)
{
	static uint8_t roles[CALLS_MAX];
	char first[256], second[256];
	bool ok = play_case(s);
	tally->kills[s->runs[0].how]++;
	tally->at_changes += call->changes;
	outcome(first, sizeof first);
	unsigned n = stage->n_recovery;
	for (unsigned k = 1; k <= n && k < CALLS_MAX; k++)
		roles[k] = stage->calls[k].role;
	for (unsigned k = 1; ok && k <= n && k < CALLS_MAX; k++) {
		/* A client that goes on before there is a server is no recovery. */
		if (roles[k] != ROLE_SERVER || !happens(rates.second))
			continue;
		s->runs[1] = (struct ending){ .how = k & 1 ? HOW_BEFORE : HOW_AFTER, .at = k };
		ok = play_case(s) && ok;
		tally->second++;
		outcome(second, sizeof second);
		if (ok && strcmp(first, second) != 0) {
			char line[600];
			snprintf(line, sizeof line, "I17: %sinstead of %s", second, first);
			tell(line);
			tell_case(s);
			ok = false;
		}
	}
	s->runs[1] = (struct ending){ 0 };
	return ok;
}

static bool torture_kills(struct scene *s, const struct call *calls, unsigned n, struct rates rates)
{
	bool ok = true;
	for (unsigned k = 1; k <= n; k++)
		for (enum how how = HOW_BEFORE; how <= HOW_ALL; how++) {
			if (how == HOW_ALL && calls[k].role == ROLE_SERVER)
				continue;
			if (!happens_at(k, rates.kills))
				continue;
			s->runs[0] = (struct ending){ .how = how, .at = k };
			ok = torture_kill(s, &calls[k], rates) && ok;
		}
	s->runs[0] = (struct ending){ 0 };
	return ok;
}

static bool torture_faults(
	struct scene *s, const struct call *calls, unsigned n, struct rates rates)
{
	bool ok = true;
	for (unsigned k = 1; k <= n; k++)
		for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
			char kind[sizeof stage->kinds[0].name];
			memcpy(kind, stage->kinds[calls[k].kind].name, sizeof kind);
			if (!seam_may_fail(kind, errors[e].code) || !happens_at(k, rates.faults))
				continue;
			/* Full disks stay so for a while. */
			bool stays = errors[e].code == ENOSPC && happens(300);
			s->runs[0] = (struct ending){ .fault_at = k,
				.fault_n = stays ? FULL_DISK : 1,
				.error = errors[e].code };
			tally->faults++;
			ok = play_case(s) && ok;
		}
	s->runs[0] = (struct ending){ 0 };
	return ok;
}

/* One way in which the power may fail just after call `k` of a run. */
static struct ending draw_cut(const struct scene *s, unsigned k, const struct call *call)
{
	struct ending e = { .how = HOW_CUT, .at = k };
	if (s->fs == FS_PARTS) {
		e.moment = (unsigned)(draw(&dice) % 1000);
	} else {
		e.moment = (unsigned)(draw(&dice) % (call->moments ? call->moments : 1u));
		e.bytes = call->dirty ? (unsigned)(draw(&dice) % 4) : 0;
	}
	return e;
}

static bool torture_cuts(struct scene *s, const struct call *calls, unsigned n, struct rates rates)
{
	bool ok = true;
	for (unsigned k = 1; k <= n; k++) {
		unsigned moments = s->fs == FS_PARTS ? DRAWS_OF_PARTS : calls[k].moments;
		unsigned ways = s->fs != FS_PARTS && calls[k].dirty ? 4 : 1;
		for (unsigned i = 0; i < moments * ways; i++) {
			if (!happens_at(k, rates.cuts))
				continue;
			s->runs[0] = (struct ending){
				.how = HOW_CUT, .at = k, .moment = i / ways, .bytes = i % ways
			};
			if (s->fs == FS_PARTS)
				s->runs[0].moment = (unsigned)(draw(&dice) % 100000);
			tally->cuts++;
			ok = play_case(s) && ok;
		}
	}
	s->runs[0] = (struct ending){ 0 };
	return ok;
}

/* Killed, or cut; and then the power fails while the next one recovers, or killed then. */
static bool torture_second_cuts(
	struct scene *s, const struct call *calls, unsigned n, struct rates rates)
{
	static struct call next[CALLS_MAX];
	bool ok = true;
	for (unsigned k = 1; k <= n; k++) {
		if (!happens_at(k, rates.second_cuts))
			continue;
		s->runs[0] = (struct ending){ .how = HOW_AFTER, .at = k };
		if (happens(300))
			s->runs[0] = draw_cut(s, k, &calls[k]);
		s->runs[1] = (struct ending){ 0 };
		if (!play_case(s)) {
			ok = false;
			continue;
		}
		unsigned n_next = stage->n_calls < CALLS_MAX ? stage->n_calls : CALLS_MAX - 1;
		memcpy(next, stage->calls, (n_next + 1) * sizeof *next);
		for (int i = 0; i < 8 && n_next > 0; i++) {
			unsigned at = 1 + (unsigned)(draw(&dice) % n_next);
			s->runs[1] = draw_cut(s, at, &next[at]);
			tally->second_cuts++;
			ok = play_case(s) && ok;
		}
	}
	s->runs[0] = s->runs[1] = (struct ending){ 0 };
	return ok;
}

/* A client comes at each instant; and now and then the server is killed as well. */
static bool torture_races(struct scene *s, unsigned n, struct rates rates)
{
	bool ok = true;
	for (unsigned k = 1; k <= n; k++)
		for (enum race race = 0; race < RACE_MAX; race++) {
			if (!happens_at(k, rates.races))
				continue;
			s->race_at = k;
			s->race = race;
			if (happens(300))
				s->runs[0] = (struct ending){ .how = HOW_AFTER,
					.at = k + 1 + (unsigned)(draw(&dice) % 60) };
			tally->races++;
			ok = play_case(s) && ok;
			s->runs[0] = (struct ending){ 0 };
		}
	s->race_at = 0;
	return ok;
}

/* The same while a server recovers. */
static bool torture_late_races(struct scene *s, unsigned n, struct rates rates)
{
	bool ok = true;
	s->race_run = 1;
	for (unsigned k = 1; k <= n; k++) {
		if (!happens_at(k, rates.races / 4))
			continue;
		s->runs[0] = (struct ending){ .how = HOW_AFTER, .at = k };
		s->race_at = 0;
		ok = play_case(s) && ok;
		unsigned n_ready = stage->n_ready;
		for (int i = 0; i < 6 && n_ready > 0; i++) {
			s->race_at = 1 + (unsigned)(draw(&dice) % n_ready);
			s->race = (enum race)(draw(&dice) % RACE_MAX);
			tally->races++;
			ok = play_case(s) && ok;
		}
	}
	s->runs[0] = (struct ending){ 0 };
	s->race_at = 0;
	s->race_run = 0;
	return ok;
}

/* A call fails, and not much later the server is killed or the power fails. */
static bool torture_late_faults(
	struct scene *s, const struct call *calls, unsigned n, struct rates rates)
{
	bool ok = true;
	for (unsigned k = 1; k <= n; k++)
		for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
			if (!seam_may_fail(stage->kinds[calls[k].kind].name, errors[e].code) ||
				!happens_at(k, rates.late_faults))
				continue;
			unsigned at = k + 1 + (unsigned)(draw(&dice) % 80);
			static const struct call unknown = { .moments = 3, .dirty = true };
			struct ending cut = draw_cut(s, at, &unknown);
			s->runs[0] =
				happens(600) ? cut : (struct ending){ .how = HOW_AFTER, .at = at };
			s->runs[0].fault_at = k;
			s->runs[0].fault_n = 1;
			s->runs[0].error = errors[e].code;
			tally->faults++;
			tally->late_faults++;
			ok = play_case(s) && ok;
		}
	s->runs[0] = (struct ending){ 0 };
	return ok;
}

static void torture(struct scene *s, struct rates rates)
{
	static struct call calls[CALLS_MAX];
	n_told = 0;
	bool ok = play_case(s);
	unsigned n = stage->n_calls < CALLS_MAX ? stage->n_calls : CALLS_MAX - 1;
	unsigned n_served = stage->n_served;
	memcpy(calls, stage->calls, (n + 1) * sizeof *calls);
	n_start = s->life == lives ? 0 : stage->n_ready;
	if (ok) {
		ok = torture_kills(s, calls, n, rates);
		ok = torture_faults(s, calls, n, rates) && ok;
		ok = torture_cuts(s, calls, n, rates) && ok;
		ok = torture_second_cuts(s, calls, n, rates) && ok;
		ok = torture_races(s, n_served, rates) && ok;
		ok = torture_late_races(s, n, rates) && ok;
		ok = torture_late_faults(s, calls, n, rates) && ok;
	}
	tally->scenes++;
	tally->broken_scenes += !ok;
}

/* ---- planted faults ------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	const char *broken; /* the promises that it breaks, one of which is to be named */
	const char *life;
	enum spool_durability level;
} planted[] = {
	{ "start-before-rename", "I6", "ok", SPOOL_DURABILITY_NONE },
	{ "publish-before-unlink", "I1", "ok", SPOOL_DURABILITY_NONE },
	{ "marker-before-subject", "I3", "abort-pending", SPOOL_DURABILITY_NONE },
	{ "complete-by-unlink", "I4", "ok", SPOOL_DURABILITY_NONE },
	{ "name-before-bytes", "I2", "ok", SPOOL_DURABILITY_NONE },
	{ "no-directory-sync", "I4 I5 I6", "slow", SPOOL_DURABILITY_BATCH },
	{ "no-file-sync", "I2", "kept", SPOOL_DURABILITY_BATCH },
	{ "publish-before-sync", "I2 I4 I5 I6", "kept", SPOOL_DURABILITY_BATCH },
	{ "client-does-not-sync", "I2 I4", "slow", SPOOL_DURABILITY_STRICT },
	{ "marker-stays", "I7", "abort-running", SPOOL_DURABILITY_NONE },
	{ "request-stays", "I7", "ok", SPOOL_DURABILITY_NONE },
	{ "result-is-lost", "I4", "kept", SPOOL_DURABILITY_NONE },
	{ "bad-is-not-kept", "I15", "bad", SPOOL_DURABILITY_NONE },
};

/* How many cases it takes until it is found; 0: it is not. */
static unsigned find_planted(size_t i)
{
	static struct call calls[CALLS_MAX];
	struct scene s = { .life = life_find(planted[i].life),
		.level = planted[i].level,
		.plant = plant_find(planted[i].name) };
	unsigned n_cases = 0;
	quiet = true;
	bool ok = play_case(&s);
	unsigned n = stage->n_calls < CALLS_MAX ? stage->n_calls : CALLS_MAX - 1;
	memcpy(calls, stage->calls, (n + 1) * sizeof *calls);
	for (unsigned k = 1; ok && k <= n; k++)
		for (enum how how = HOW_BEFORE; ok && how <= HOW_CUT; how++)
			for (unsigned m = 0; ok && m < (how == HOW_CUT ? calls[k].moments : 1u);
				m++) {
				n_cases++;
				s.runs[0] = (struct ending){ .how = how,
					.at = k,
					.moment = m,
					.bytes = calls[k].dirty ? 2 : 0 };
				ok = play_case(&s);
			}
	quiet = false;
	char name[8] = "";
	(void)sscanf(first_broken, "%7[^:]", name);
	if (ok || !strstr(planted[i].broken, name))
		return 0;
	printf("planted %s: found after %u cases: %s\n", planted[i].name, n_cases, first_broken);
	print_command(&s);
	return n_cases + 1;
}

static unsigned find_all_planted(void)
{
	unsigned found = 0;
	for (size_t i = 0; i < sizeof planted / sizeof *planted; i++) {
		if (find_planted(i))
			found++;
		else
			printf("planted %s: not found: %s\n", planted[i].name,
				first_broken[0] ? first_broken : "all promises are kept");
		fflush(stdout);
	}
	return found;
}

/* ---- workers ------------------------------------------------------------------------------------ */

static char top[64];
static const char *oracle;

static void open_worker(int worker)
{
	static const struct life nothing = { .name = "nothing", .no_spool = true };
	struct scene scene = { .life = &nothing };
	stage = shared(sizeof *stage);
	snprintf(stage->spool, sizeof stage->spool, "%s/%d-spool", top, worker);
	snprintf(stage->image, sizeof stage->image, "%s/%d-image", top, worker);
	judge_open(oracle);
	if (disk_read("/nowhere") == 0)
		exit(2);
	/* Clients go by the level that the last server has told. */
	for (int level = 0; level <= SPOOL_DURABILITY_STRICT; level++) {
		scene.level = (enum spool_durability)level;
		if (!play_case(&scene)) {
			fprintf(stderr, "engine: a server cannot make a spool in %s\n", top);
			exit(2);
		}
		(void)disk_read(stage->spool);
		disk_save(level);
	}
}

static void close_worker(void)
{
	disk_remove(stage->spool);
	disk_remove(stage->image);
	judge_close();
}

/* How much of what is there is played, of this combination. */
static struct rates rates_of(const struct scene *s, bool full)
{
	bool main_one = s->fs == FS_JOURNAL, is_none = s->level == SPOOL_DURABILITY_NONE;
	if (!full) {
		bool one =
			main_one && s->level == SPOOL_DURABILITY_BATCH && s->policy == POLICY_FAIL;
		return one ? (struct rates){ 110, 2, 40, 25, 10, 10, 12 }
			   : (struct rates){ 7, 1, 3, is_none ? 1 : 3, 1, 1, 1 };
	}
	if (main_one)
		return (struct rates){ 1000, 5, 300, is_none ? 20 : 200, 60, 200, 100 };
	return (struct rates){ 200, 4, 60, is_none ? 10 : 200, 60, 40, 40 };
}

static void work(int worker, int n_workers, bool full, uint64_t seed)
{
	unsigned number = 0;
	for (size_t l = 0; l < n_lives; l++)
		for (enum spool_durability level = 0; level <= SPOOL_DURABILITY_STRICT; level++)
			for (enum policy policy = 0; policy < POLICY_MAX; policy++)
				for (enum fs fs = 0; fs < FS_MAX; fs++) {
					struct scene s = { .life = &lives[l],
						.level = level,
						.policy = policy,
						.fs = fs };
					/* To mount makes no difference where nothing is synced. */
					if (!has_policy[policy] ||
						(fs == FS_MOUNT && level == SPOOL_DURABILITY_NONE))
						continue;
					if ((int)(number++ % (unsigned)n_workers) != worker)
						continue;
					dice = seed + number * UINT64_C(7919);
					torture(&s, rates_of(&s, full));
				}
}

static void keep_kinds(struct tally *t)
{
	memcpy(t->kinds, stage->kinds, stage->n_kinds * sizeof *t->kinds);
	t->n_kinds = stage->n_kinds;
}

static void add_kind(struct tally *sum, const struct kind *kind)
{
	unsigned i = 0;
	while (i < sum->n_kinds && strcmp(sum->kinds[i].name, kind->name) != 0)
		i++;
	if (i == sum->n_kinds)
		memcpy(sum->kinds[sum->n_kinds++].name, kind->name, sizeof kind->name);
	sum->kinds[i].kills += kind->kills;
	sum->kinds[i].faults += kind->faults;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct kind *)a)->name, ((const struct kind *)b)->name);
}

static struct tally *sum_up(const struct tally *tallies, int n)
{
	static struct tally sum;
	for (int i = 0; i < n; i++) {
		const unsigned *from = (const unsigned *)&tallies[i];
		unsigned *to = (unsigned *)&sum;
		for (size_t k = 0; k < offsetof(struct tally, kinds) / sizeof *to; k++)
			to[k] += from[k];
		for (unsigned k = 0; k < tallies[i].n_kinds; k++)
			add_kind(&sum, &tallies[i].kinds[k]);
	}
	qsort(sum.kinds, sum.n_kinds, sizeof *sum.kinds, by_name);
	return &sum;
}

static void print_kinds(const struct tally *sum, const char *path)
{
	FILE *f = fopen(path, "w");
	if (!f) {
		perror(path);
		exit(2);
	}
	for (unsigned i = 0; i < sum->n_kinds; i++)
		fprintf(f, "%s\n", sum->kinds[i].name);
	fclose(f);
}

static unsigned n_killed_kinds(const struct tally *sum)
{
	unsigned n = 0;
	for (unsigned i = 0; i < sum->n_kinds; i++)
		n += sum->kinds[i].kills > 0;
	return n;
}

static void print_table(const struct tally *t, unsigned found, double took)
{
	unsigned n_planted = sizeof planted / sizeof *planted;
	unsigned kills = t->kills[HOW_BEFORE] + t->kills[HOW_AFTER] + t->kills[HOW_ALL] + t->second;
	printf("\n");
	printf("kill points                     %8u\n", kills);
	printf("  before a call                 %8u\n", t->kills[HOW_BEFORE]);
	printf("  after a call                  %8u\n", t->kills[HOW_AFTER]);
	printf("  after it, client and server   %8u\n", t->kills[HOW_ALL]);
	printf("  again, while it recovers      %8u\n", t->second);
	printf("  at calls that change things   %8u\n", t->at_changes);
	printf("  kinds of calls and places     %8u\n", n_killed_kinds(t));
	printf("fault points                    %8u\n", t->faults);
	printf("  and then killed, or cut       %8u\n", t->late_faults);
	printf("simulated power cuts            %8u\n", t->cuts + t->second_cuts);
	printf("  the second end of a life      %8u\n", t->second_cuts);
	printf("clients that come at any call   %8u\n", t->races);
	printf("ends that were not reached      %8u\n", t->not_reached);
	printf("planted faults found            %8u of %u\n", found, n_planted);
	printf("cases played and judged         %8u\n", t->cases);
	printf("seconds                         %8.1f (%.0f kill points a second)\n", took,
		kills / took);
	/* A test is a life at a level, policy and file system; or a planted fault. */
	printf("%u passed, %u failed\n", t->scenes - t->broken_scenes + found,
		t->broken_scenes + n_planted - found);
}

static int run_all(bool full, uint64_t seed, const char *calls)
{
	double begin = seconds();
	int n = full ? (int)sysconf(_SC_NPROCESSORS_ONLN) : 1;
	n = n > WORKERS_MAX ? WORKERS_MAX : n;
	struct tally *tallies = shared((size_t)n * sizeof *tallies);
	pid_t pids[WORKERS_MAX];
	printf("seed %llu, %d workers\n", (unsigned long long)seed, n);
	fflush(stdout);
	for (int i = 0; i < n; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			open_worker(i);
			tally = &tallies[i];
			work(i, n, full, seed);
			keep_kinds(tally);
			close_worker();
			_exit(0);
		}
	}
	bool all = true;
	for (int i = 0; i < n; i++) {
		int status;
		all = waitpid(pids[i], &status, 0) == pids[i] && status == 0 && all;
	}
	double took = seconds() - begin;
	open_worker(n);
	unsigned found = find_all_planted();
	close_worker();
	struct tally *sum = sum_up(tallies, n);
	if (calls)
		print_kinds(sum, calls);
	if (!all)
		sum->broken_scenes++;
	print_table(sum, found, took);
	return sum->broken_scenes > 0 || found < sizeof planted / sizeof *planted;
}

/* ---- one scene ---------------------------------------------------------------------------------- */

static void parse_ending(struct ending *e, char *text)
{
	char *rest = NULL;
	for (char *word = strtok_r(text, "+", &rest); word; word = strtok_r(NULL, "+", &rest)) {
		static const char *const words[HOW_MAX] = { "rest", "before", "after", "all",
			"cut" };
		char what[16] = "", error[16] = "";
		if (sscanf(word, "fault:%u:%15[^:]:%u", &e->fault_at, error, &e->fault_n) == 3) {
			for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
				if (strcmp(errors[i].name, error) == 0)
					e->error = errors[i].code;
			continue;
		}
		(void)sscanf(word, "%15[^:]:%u:%u:%u", what, &e->at, &e->moment, &e->bytes);
		e->how = (enum how)choice(what, words, HOW_MAX, "--end");
	}
}

static void parse_race(struct scene *s, const char *text)
{
	char what[16] = "";
	(void)sscanf(text, "%15[^:]:%d:%u", what, &s->race_run, &s->race_at);
	s->race = (enum race)choice(what, race_names, RACE_MAX, "--race");
}

static bool play_all(struct scene *s, int sort)
{
	static struct tally counts;
	struct rates rates = { .kills = sort == 1 || sort == 2 ? 1000 : 0,
		.second = sort == 2 ? 1000 : 0,
		.faults = sort == 3 ? 1000 : 0,
		.late_faults = sort == 7 ? 1000 : 0,
		.cuts = sort == 4 ? 1000 : 0,
		.second_cuts = sort == 5 ? 1000 : 0,
		.races = sort == 6 ? 1000 : 0 };
	tally = &counts;
	dice = 1;
	torture(s, rates);
	printf("%u cases, %u of them with a broken promise\n", counts.cases, n_told);
	return counts.broken_scenes == 0;
}

static int play_one(char **words)
{
	static const char *const sorts[] = { "kills", "second", "faults", "cuts", "second-cuts",
		"races", "late-faults" };
	struct scene s = { .level = SPOOL_DURABILITY_BATCH };
	int n = 0, all = 0;
	for (; *words; words += 2) {
		char *value = words[1];
		if (!value)
			break;
		if (strcmp(*words, "--life") == 0)
			s.life = life_find(value);
		else if (strcmp(*words, "--level") == 0)
			s.level = (enum spool_durability)choice(value, level_names, 3, *words);
		else if (strcmp(*words, "--policy") == 0)
			s.policy = (enum policy)choice(value, policy_names, 3, *words);
		else if (strcmp(*words, "--fs") == 0)
			s.fs = (enum fs)choice(value, fs_names, FS_MAX, *words);
		else if (strcmp(*words, "--race") == 0)
			parse_race(&s, value);
		else if (strcmp(*words, "--plant") == 0)
			s.plant = plant_find(value);
		else if (strcmp(*words, "--all") == 0)
			all = 1 + choice(value, sorts, (int)(sizeof sorts / sizeof *sorts), *words);
		else if (strcmp(*words, "--end") == 0 && n < RUNS_MAX)
			parse_ending(&s.runs[n++], value);
		else
			break;
	}
	if (*words || !s.life) {
		fprintf(stderr, "engine: %s is not understood\n", *words ? *words : "the life");
		return 2;
	}
	open_worker(0);
	bool ok = all ? play_all(&s, all) : (verbose = true, play_case(&s));
	if (!ok && !all)
		printf("the spool is kept: %s\n", stage->spool);
	else
		close_worker();
	(void)rmdir(top);
	printf("%s\n", ok ? "1 passed, 0 failed" : "0 passed, 1 failed");
	return !ok;
}

int main(int argc, char **argv)
{
	static char program[512];
	const char *calls = NULL;
	uint64_t seed = 1;
	snprintf(top, sizeof top, "/dev/shm/wq-engine-%d", (int)getpid());
	snprintf(program, sizeof program, "%s", argv[0]);
	snprintf(program, sizeof program, "%s/oracle", strdup(dirname(program)));
	oracle = program;
	if (argc < 2 || mkdir(top, 0700) < 0) {
		fprintf(stderr,
			"use: engine short|full [--seed N] [--calls FILE], or --life NAME ...\n");
		return 2;
	}
	if (argv[1][0] == '-')
		return play_one(argv + 1);
	for (int i = 2; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 10);
		if (strcmp(argv[i], "--calls") == 0)
			calls = argv[i + 1];
	}
	int rc = run_all(strcmp(argv[1], "full") == 0, seed, calls);
	(void)rmdir(top);
	return rc;
}
