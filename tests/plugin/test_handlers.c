/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The handlers that come with thread-pool, through the plugin.  Digests are compared with published
 * vectors and with what coreutils say of the same files.
 */
#include "fake_host.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct fake fake; /* each test has a process of its own */
static char dir[PATH_MAX];

static void setup(void)
{
	const char *tmp = getenv("TMPDIR");
	(void)snprintf(dir, sizeof(dir), "%s/wq-test-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	fake_open(&fake, "thread-pool", (const char *[]){ "threads=2", NULL });
}

static void teardown(void)
{
	fake_close(&fake);
	DIR *d = opendir(dir);
	ck_assert_ptr_nonnull(d);
	for (const struct dirent *e; (e = readdir(d));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			(void)unlinkat(dirfd(d), e->d_name, e->d_type == DT_DIR ? AT_REMOVEDIR : 0);
	(void)closedir(d);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* ---- files ----------------------------------------------------------------------------------- */

/* "<dir>/<name>", in one of 32 buffers. */
static const char *in_dir(const char *name)
{
	static char buffers[32][PATH_MAX + NAME_MAX + 2];
	static unsigned next;
	char *path = buffers[next++ % 32];
	(void)snprintf(path, sizeof(buffers[0]), "%s/%s", dir, name);
	return path;
}

/* Bytes that do not repeat soon; another `seed`, other bytes. */
static void make_file(const char *path, size_t len, uint32_t seed)
{
	FILE *f = fopen(path, "wb");
	ck_assert_ptr_nonnull(f);
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525u + 1013904223u;
		(void)putc_unlocked((int)(seed >> 24), f);
	}
	ck_assert_int_eq(fclose(f), 0);
}

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "wb");
	ck_assert_ptr_nonnull(f);
	(void)fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

/* What cmp(1) says. */
static bool same_content(const char *a, const char *b)
{
	char command[3 * PATH_MAX];
	(void)snprintf(command, sizeof(command), "cmp -s '%s' '%s'", a, b);
	return system(command) == 0;
}

static int n_files(void)
{
	int n = 0;
	DIR *d = opendir(dir);
	ck_assert_ptr_nonnull(d);
	for (const struct dirent *e; (e = readdir(d));)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	(void)closedir(d);
	return n;
}

/* ---- requests -------------------------------------------------------------------------------- */

/* A map of texts: key, value, ..., NULL; the handler first. */
static struct wq_cbor_out *request(const char *handler, const char *const *pairs)
{
	static struct wq_cbor_out o;
	size_t n = 1;
	for (const char *const *p = pairs; *p; p += 2)
		n++;
	wq_cbor_out_init(&o);
	wq_cbor_put_map(&o, n);
	wq_cbor_put_text(&o, "handler");
	wq_cbor_put_text(&o, handler);
	for (const char *const *p = pairs; *p; p++)
		wq_cbor_put_text(&o, *p);
	return &o;
}

#define REQUEST(handler, ...) request(handler, (const char *[]){ __VA_ARGS__, NULL })

static void text_of(const struct fake_outcome *outcome, const char *key, char *ret, size_t size)
{
	const char *text;
	size_t len;
	ck_assert_int_eq(wq_cbor_find_text(outcome->result, outcome->len, key, &text, &len), 1);
	ck_assert_uint_lt(len, size);
	memcpy(ret, text, len);
	ret[len] = '\0';
}

static int64_t int_of(const struct fake_outcome *outcome, const char *key)
{
	int64_t n;
	ck_assert_int_eq(wq_cbor_find_int(outcome->result, outcome->len, key, &n), 1);
	return n;
}

static void expect_done(const struct fake_outcome *outcome)
{
	ck_assert_msg(outcome->how == WQ_DONE_OK, "%s: %s", outcome->error, outcome->text);
}

static void expect_failed(const struct fake_outcome *outcome, const char *error)
{
	ck_assert_int_eq(outcome->how, WQ_DONE_FAILED);
	ck_assert_msg(strcmp(outcome->error, error) == 0, "%s: %s", outcome->error, outcome->text);
	ck_assert_int_eq(outcome->code, 1);
	ck_assert_str_ne(outcome->text, "");
	ck_assert_uint_eq(outcome->len, 0);
}

/* ---- digest ---------------------------------------------------------------------------------- */

static void digest_of(const char *path, const char *algorithm, char ret[256])
{
	struct fake_outcome outcome;
	char text[PATH_MAX];
	fake_run(&fake, REQUEST("digest", "path", path, "algorithm", algorithm), &outcome);
	expect_done(&outcome);
	text_of(&outcome, "path", text, sizeof(text));
	ck_assert_str_eq(text, path);
	text_of(&outcome, "algorithm", text, sizeof(text));
	ck_assert_str_eq(text, algorithm);
	text_of(&outcome, "digest", ret, 256);
}

/* The first word that a tool of coreutils prints. */
static void tool_says(const char *tool, const char *path, char ret[256])
{
	char command[2 * PATH_MAX];
	(void)snprintf(command, sizeof(command), "%s '%s'", tool, path);
	FILE *p = popen(command, "r");
	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(fscanf(p, "%255s", ret), 1);
	ck_assert_int_eq(pclose(p), 0);
}

static const size_t sizes[] = { 0, 1, 131071, 131072, 131073, 10u << 20 };

START_TEST(digest_says_what_sha256sum_says)
{
	struct fake_outcome outcome;
	char got[256], want[256];
	const char *path = in_dir("file");
	make_file(path, sizes[_i], 1);
	tool_says("sha256sum", path, want);

	fake_run(&fake, REQUEST("digest", "path", path), &outcome);

	expect_done(&outcome);
	text_of(&outcome, "digest", got, sizeof(got));
	ck_assert_str_eq(got, want);
	text_of(&outcome, "algorithm", got, sizeof(got));
	ck_assert_str_eq(got, "sha256");
	ck_assert_int_eq(int_of(&outcome, "bytes"), (int64_t)sizes[_i]);
	ck_assert_int_ge(int_of(&outcome, "ns"), 0);
	ck_assert_int_eq(fake.permille_max, sizes[_i] > 0 ? 1000 : 0);
}
END_TEST

static const struct {
	const char *algorithm, *tool;
} tools[] = {
	{ "sha512", "sha512sum" },
	{ "sha384", "sha384sum" },
	{ "sha1", "sha1sum" },
	{ "md5", "md5sum" },
	{ "blake2b512", "b2sum" },
};

START_TEST(digest_says_what_the_tool_of_the_algorithm_says)
{
	char got[256], want[256];
	const char *path = in_dir("file");
	make_file(path, 300000, 2);
	tool_says(tools[_i].tool, path, want);

	digest_of(path, tools[_i].algorithm, got);

	ck_assert_str_eq(got, want);
}
END_TEST

/* FIPS 180-4 and FIPS 202, the message "abc". */
static const struct {
	const char *algorithm, *digest;
} vectors[] = {
	{ "sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "sha3-256", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532" },
	{ "sha1", "a9993e364706816aba3e25717850c26c9cd0d89d" },
};

START_TEST(digest_agrees_with_the_published_vectors)
{
	char got[256];
	const char *path = in_dir("abc");
	put_file(path, "abc");

	digest_of(path, vectors[_i].algorithm, got);

	ck_assert_str_eq(got, vectors[_i].digest);
}
END_TEST

START_TEST(digest_reads_to_the_end_also_where_the_size_is_not_known)
{
	char got[256], want[256];
	tool_says("sha256sum", "/proc/version", want);

	digest_of("/proc/version", "sha256", got);

	ck_assert_str_eq(got, want);
}
END_TEST

START_TEST(digest_says_by_name_what_is_wrong_with_a_file)
{
	struct fake_outcome outcome;
	const char *fifo = in_dir("fifo"), *sock = in_dir("s");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	ck_assert_uint_lt(strlen(sock), sizeof(addr.sun_path));
	(void)strcpy(addr.sun_path, sock);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);

	fake_run(&fake, REQUEST("digest", "path", in_dir("missing")), &outcome);
	expect_failed(&outcome, "no-such-file");
	ck_assert_ptr_nonnull(strstr(outcome.text, "/missing': No such file or directory"));
	fake_run(&fake, REQUEST("digest", "path", dir), &outcome);
	expect_failed(&outcome, "not-a-file");
	fake_run(&fake, REQUEST("digest", "path", fifo), &outcome);
	expect_failed(&outcome, "not-a-file");
	fake_run(&fake, REQUEST("digest", "path", sock), &outcome);
	expect_failed(&outcome, "not-a-file");
	fake_run(&fake, REQUEST("digest", "path", "/dev/zero"), &outcome);
	expect_failed(&outcome, "not-a-file");
	/* A regular file that may be opened; at address 0 there is nothing. */
	fake_run(&fake, REQUEST("digest", "path", "/proc/self/mem"), &outcome);
	expect_failed(&outcome, "unreadable");

	(void)close(fd);
}
END_TEST

START_TEST(digest_of_a_huge_file_can_be_aborted)
{
	struct fake_outcome outcome;
	wq_tid tid;
	const char *path = in_dir("sparse");
	put_file(path, "");
	ck_assert_int_eq(truncate(path, INT64_C(64) << 30), 0);
	ck_assert_int_eq(fake_start(&fake, REQUEST("digest", "path", path), &tid, NULL), WQ_OK);
	pthread_mutex_lock(&fake.lock);
	while (fake.permille_max == 0)
		pthread_cond_wait(&fake.woken, &fake.lock);
	pthread_mutex_unlock(&fake.lock);

	fake_terminate(&fake, tid);

	fake_wait(&fake, &outcome);
	ck_assert_int_eq(outcome.how, WQ_DONE_ABORTED);
}
END_TEST

/* ---- copy ------------------------------------------------------------------------------------ */

START_TEST(copy_makes_the_same_file_with_the_same_mode)
{
	struct fake_outcome outcome;
	struct stat st;
	const char *from = in_dir("from"), *to = in_dir("to");
	make_file(from, sizes[_i], 3);
	ck_assert_int_eq(chmod(from, 0751), 0);
	(void)umask(077);

	fake_run(&fake, REQUEST("copy", "from", from, "to", to), &outcome);

	expect_done(&outcome);
	ck_assert_int_eq(int_of(&outcome, "bytes"), (int64_t)sizes[_i]);
	ck_assert(same_content(from, to));
	ck_assert_int_eq(stat(to, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777u, 0751);
	ck_assert_int_eq(n_files(), 2);
	ck_assert_int_eq(fake.permille_max, sizes[_i] > 0 ? 1000 : 0);
}
END_TEST

START_TEST(copy_gives_the_mode_that_it_is_told_and_never_set_user_id)
{
	struct fake_outcome outcome;
	struct stat st;
	const char *from = in_dir("from"), *to = in_dir("to");
	make_file(from, 10, 4);
	ck_assert_int_eq(chmod(from, 04755), 0);

	fake_run(&fake, REQUEST("copy", "from", from, "to", to, "mode", "0640"), &outcome);
	expect_done(&outcome);
	ck_assert_int_eq(stat(to, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777u, 0640);

	fake_run(&fake, REQUEST("copy", "from", from, "to", to), &outcome);
	expect_done(&outcome);
	ck_assert_int_eq(stat(to, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777u, 0755);
}
END_TEST

START_TEST(copy_replaces_a_symbolic_link_and_not_what_it_points_at)
{
	struct fake_outcome outcome;
	struct stat st;
	const char *from = in_dir("from"), *to = in_dir("to"), *other = in_dir("other");
	make_file(from, 1000, 5);
	put_file(other, "other");
	ck_assert_int_eq(symlink(other, to), 0);

	fake_run(&fake, REQUEST("copy", "from", from, "to", to), &outcome);

	expect_done(&outcome);
	ck_assert_int_eq(lstat(to, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	ck_assert(same_content(from, to));
	ck_assert_int_eq(stat(other, &st), 0);
	ck_assert_int_eq(st.st_size, 5);
}
END_TEST

START_TEST(whoever_looks_sees_the_old_target_or_the_whole_new_one)
{
	enum {
		OLD = 1000,
		NEW = 300000
	};
	struct fake_outcome outcome;
	struct wq_cbor_out *o;
	static char bytes[NEW + 1];
	int n_old = 0, n_new = 0;
	const char *from = in_dir("from"), *to = in_dir("to");
	make_file(from, NEW, 6);
	make_file(to, OLD, 7);

	o = REQUEST("copy", "from", from, "to", to, "rate", "1M");
	ck_assert_int_eq(fake_start(&fake, o, NULL, NULL), WQ_OK);
	for (bool ended = false; !ended || n_new == 0;) {
		ended = ended || fake_reap(&fake, &outcome);
		int fd = open(to, O_RDONLY | O_CLOEXEC);
		ck_assert_int_ge(fd, 0);
		ssize_t n = read(fd, bytes, sizeof(bytes));
		(void)close(fd);
		ck_assert_msg(n == OLD || n == NEW, "%zd bytes", n);
		n_old += n == OLD;
		n_new += n == NEW;
	}

	expect_done(&outcome);
	ck_assert_int_gt(n_old, 0);
	ck_assert(same_content(from, to));
	ck_assert_int_eq(n_files(), 2);
}
END_TEST

static const struct {
	const char *rate;
	int64_t bytes, per_second;
} rates[] = {
	{ "400K", 200 << 10, 400 << 10 },
	{ "2M", 1 << 20, 2 << 20 },
	{ "204800", 50 << 10, 204800 },
};

START_TEST(copy_is_not_faster_than_its_rate)
{
	struct fake_outcome outcome;
	struct timespec before, after;
	const char *from = in_dir("from"), *to = in_dir("to");
	make_file(from, (size_t)rates[_i].bytes, 8);
	(void)clock_gettime(CLOCK_MONOTONIC, &before);

	fake_run(&fake, REQUEST("copy", "from", from, "to", to, "rate", rates[_i].rate), &outcome);

	(void)clock_gettime(CLOCK_MONOTONIC, &after);
	double seconds = (double)(after.tv_sec - before.tv_sec) +
			 (double)(after.tv_nsec - before.tv_nsec) / 1e9;
	double least = (double)rates[_i].bytes / (double)rates[_i].per_second;
	expect_done(&outcome);
	ck_assert(same_content(from, to));
	ck_assert_msg(seconds >= 0.99 * least, "%f s, not %f s", seconds, least);
	ck_assert_msg((double)int_of(&outcome, "ns") / 1e9 >= 0.99 * least, "ns");
	ck_assert_msg((double)int_of(&outcome, "ns") / 1e9 <= seconds, "ns");
}
END_TEST

/* The temporary file of task `tid`, as the manual names it. */
static const char *temp_of(const char *name, wq_tid tid)
{
	char temp[NAME_MAX + 1];
	(void)snprintf(temp, sizeof(temp), ".%s.wq-%s", name, fake.id[tid - 1]);
	return in_dir(temp);
}

START_TEST(an_aborted_copy_removes_its_temporary_file_and_leaves_the_target)
{
	struct fake_outcome outcome;
	struct stat st;
	wq_tid tid;
	const char *from = in_dir("from"), *to = in_dir("to");
	make_file(from, 1 << 20, 9);
	put_file(to, "old");
	ck_assert_int_eq(fake_start(&fake, REQUEST("copy", "from", from, "to", to, "rate", "1K"),
				 &tid, NULL),
		WQ_OK);
	const char *temp = temp_of("to", tid);
	while (access(temp, F_OK) < 0) {
		ck_assert(!fake_reap(&fake, &outcome));
		(void)sched_yield();
	}

	fake_terminate(&fake, tid);

	fake_wait(&fake, &outcome);
	ck_assert_int_eq(outcome.how, WQ_DONE_ABORTED);
	ck_assert_int_eq(access(temp, F_OK), -1);
	ck_assert_int_eq(n_files(), 2);
	ck_assert_int_eq(stat(to, &st), 0);
	ck_assert_int_eq(st.st_size, 3);
}
END_TEST

START_TEST(copy_replaces_the_temporary_file_of_an_attempt_that_died)
{
	struct fake_outcome outcome;
	const char *from = in_dir("from"), *to = in_dir("to");
	make_file(from, 1000, 10);
	/* The id that fake_start will give to the first task. */
	(void)snprintf(fake.id[0], sizeof(fake.id[0]), "1700000000.000001-1");
	put_file(temp_of("to", 1), "what was left behind");
	fake_run(&fake, REQUEST("copy", "from", from, "to", to), &outcome);

	expect_done(&outcome);
	ck_assert(same_content(from, to));
	ck_assert_int_eq(access(temp_of("to", 1), F_OK), -1);
}
END_TEST

START_TEST(copy_to_the_longest_name_works)
{
	struct fake_outcome outcome;
	char name[NAME_MAX + 1];
	const char *from = in_dir("from");
	make_file(from, 1000, 11);
	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = '\0';
	const char *to = in_dir(name);

	fake_run(&fake, REQUEST("copy", "from", from, "to", to), &outcome);

	expect_done(&outcome);
	ck_assert(same_content(from, to));
	ck_assert_int_eq(n_files(), 2);
}
END_TEST

static void expect_copy_fails(const char *from, const char *to, const char *error)
{
	struct fake_outcome outcome;
	int n = n_files();
	fake_run(&fake, REQUEST("copy", "from", from, "to", to), &outcome);
	expect_failed(&outcome, error);
	ck_assert_int_eq(n_files(), n);
}

START_TEST(copy_says_by_name_what_is_wrong_and_leaves_things_alone)
{
	struct stat st;
	const char *from = in_dir("from"), *sub = in_dir("sub"), *fifo = in_dir("fifo");
	make_file(from, 1000, 12);
	ck_assert_int_eq(mkdir(sub, 0700), 0);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	ck_assert_int_eq(link(from, in_dir("hard")), 0);
	ck_assert_int_eq(symlink("from", in_dir("soft")), 0);
	ck_assert_int_eq(symlink("sub", in_dir("subsoft")), 0);

	expect_copy_fails(in_dir("missing"), in_dir("to"), "no-such-file");
	expect_copy_fails(sub, in_dir("to"), "not-a-file");
	expect_copy_fails("/proc/self/mem", in_dir("to"), "unreadable");
	expect_copy_fails(from, from, "same-file");
	expect_copy_fails(from, in_dir("hard"), "same-file");
	expect_copy_fails(from, in_dir("soft"), "same-file");
	expect_copy_fails(from, sub, "is-a-directory");
	expect_copy_fails(from, in_dir("subsoft"), "is-a-directory");
	expect_copy_fails(from, in_dir("missing/to"), "no-such-directory");
	expect_copy_fails(from, in_dir("from/to"), "no-such-directory");
	expect_copy_fails(from, fifo, "not-a-file");
	expect_copy_fails(from, "/dev/null", "not-a-file");

	ck_assert_int_eq(lstat(fifo, &st), 0);
	ck_assert(S_ISFIFO(st.st_mode));
	ck_assert_int_eq(lstat(from, &st), 0);
	ck_assert_int_eq(st.st_size, 1000);
}
END_TEST

START_TEST(copy_of_more_than_fits_says_no_space_and_leaves_nothing)
{
	struct rlimit limit = { 50000, RLIM_INFINITY };
	struct fake_outcome outcome;
	const char *from = in_dir("from"), *to = in_dir("to");
	make_file(from, 100000, 13);
	/* The threads of a plugin have signals blocked, so SIGXFSZ becomes EFBIG. */
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);

	fake_run(&fake, REQUEST("copy", "from", from, "to", to), &outcome);

	limit.rlim_cur = RLIM_INFINITY;
	(void)setrlimit(RLIMIT_FSIZE, &limit);
	expect_failed(&outcome, "no-space");
	ck_assert_int_eq(n_files(), 1);
}
END_TEST

/* ---- sleep and echo --------------------------------------------------------------------------- */

static struct wq_cbor_out *nap(double seconds, const char *fail)
{
	static struct wq_cbor_out o;
	wq_cbor_out_init(&o);
	wq_cbor_put_map(&o, fail ? 3 : 2);
	wq_cbor_put_text(&o, "handler");
	wq_cbor_put_text(&o, "sleep");
	wq_cbor_put_text(&o, "seconds");
	if (fabs(seconds) < 1e6 && seconds == (double)(int)seconds)
		wq_cbor_put_int(&o, (int)seconds);
	else
		wq_cbor_put_double(&o, seconds);
	if (fail) {
		wq_cbor_put_text(&o, "fail");
		wq_cbor_put_text(&o, fail);
	}
	return &o;
}

/* Not time(2): its clock is one of ticks, and may be behind. */
static double wall_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static const double naps[] = { 0, 0.05, 1 };

START_TEST(sleep_sleeps_and_says_from_when_to_when)
{
	struct fake_outcome outcome;
	double start, end;
	double before = wall_s();

	fake_run(&fake, nap(naps[_i], NULL), &outcome);

	expect_done(&outcome);
	ck_assert_int_eq(wq_cbor_find_double(outcome.result, outcome.len, "start", &start), 1);
	ck_assert_int_eq(wq_cbor_find_double(outcome.result, outcome.len, "end", &end), 1);
	ck_assert_double_ge(start, before - 0.001);
	ck_assert_double_ge(end - start, naps[_i] - 0.001);
	ck_assert_double_le(end, wall_s() + 0.001);
}
END_TEST

START_TEST(sleep_fails_with_the_words_that_it_is_given)
{
	struct fake_outcome outcome;

	fake_run(&fake, nap(0, "out of\nluck"), &outcome);

	expect_failed(&outcome, "sleep-failed");
	ck_assert_str_eq(outcome.text, "out of?luck");
}
END_TEST

START_TEST(sleep_can_be_aborted)
{
	struct fake_outcome outcome;
	wq_tid tid;
	ck_assert_int_eq(fake_start(&fake, nap(1e9, NULL), &tid, NULL), WQ_OK);

	fake_terminate(&fake, tid);

	fake_wait(&fake, &outcome);
	ck_assert_int_eq(outcome.how, WQ_DONE_ABORTED);
}
END_TEST

START_TEST(echo_gives_back_the_whole_request)
{
	/* {"handler": "echo", "x": [1, h'00ff', null]} with the numbers in longer forms */
	static const char bytes[] = "\xa2\x67handler\x64"
				    "echo\x61x\x83\x18\x01\x58\x02\x00\xff\xf6";
	struct wq_cbor_out o;
	struct fake_outcome outcome;
	wq_cbor_out_init(&o);
	wq_cbor_put_raw(&o, bytes, sizeof(bytes) - 1);

	fake_run(&fake, &o, &outcome);

	expect_done(&outcome);
	ck_assert_uint_eq(outcome.len, sizeof(bytes) - 1);
	ck_assert_mem_eq(outcome.result, bytes, sizeof(bytes) - 1);
}
END_TEST

/* ---- bad requests ---------------------------------------------------------------------------- */

static const struct {
	const char *handler;
	const char *pairs[8];
	const char *error, *part;
} bad[] = {
	{ "digest", { NULL }, "bad-request", "'path' is missing" },
	{ "digest", { "path", "a/b", NULL }, "bad-request", "'path' must be absolute, not 'a/b'" },
	{ "digest", { "path", "", NULL }, "bad-request", "'path' must be absolute" },
	{ "digest", { "path", "/a", "algoritm", "md5", NULL }, "bad-request",
		"unknown key 'algoritm'; known are: path, algorithm" },
	{ "digest", { "path", "/a", "algorithm", "sha257", NULL }, "unknown-algorithm",
		"no digest 'sha257'" },
	{ "copy", { "from", "/a", NULL }, "bad-request", "'to' is missing" },
	{ "copy", { "to", "/a", NULL }, "bad-request", "'from' is missing" },
	{ "copy", { "from", "a", "to", "/b", NULL }, "bad-request", "'from' must be absolute" },
	{ "copy", { "from", "/a", "to", "./b", NULL }, "bad-request", "'to' must be absolute" },
	{ "copy", { "from", "/a", "to", "/b/", NULL }, "bad-request", "'to' must name a file" },
	{ "copy", { "from", "/a", "to", "/b/..", NULL }, "bad-request", "'to' must name a file" },
	{ "copy", { "from", "/a", "to", "/b", "rate", "0", NULL }, "bad-request", "'rate'" },
	{ "copy", { "from", "/a", "to", "/b", "rate", "10m", NULL }, "bad-request", "'rate'" },
	{ "copy", { "from", "/a", "to", "/b", "rate", "-1", NULL }, "bad-request", "'rate'" },
	{ "copy", { "from", "/a", "to", "/b", "rate", "M", NULL }, "bad-request", "'rate'" },
	{ "copy", { "from", "/a", "to", "/b", "rate", "9223372036854775807K", NULL }, "bad-request",
		"'rate'" },
	{ "copy", { "from", "/a", "to", "/b", "mode", "0999", NULL }, "bad-request", "'mode'" },
	{ "copy", { "from", "/a", "to", "/b", "mode", "4755", NULL }, "bad-request", "'mode'" },
	{ "sleep", { NULL }, "bad-request", "'seconds' must be a number" },
	{ "sleep", { "seconds", "1", NULL }, "bad-request", "'seconds' must be a number" },
};

START_TEST(a_bad_request_is_refused_early_and_again_when_it_runs)
{
	struct fake_outcome outcome;
	struct wq_err err = { 0 };

	ck_assert_int_eq(
		fake_validate(&fake, request(bad[_i].handler, bad[_i].pairs), &err), WQ_REJECT);
	ck_assert_str_eq(err.name, bad[_i].error);
	ck_assert_msg(strstr(err.text, bad[_i].part) != NULL, "%s", err.text);

	fake_run(&fake, request(bad[_i].handler, bad[_i].pairs), &outcome);
	ck_assert_int_eq(outcome.how, WQ_DONE_REJECTED);
	ck_assert_str_eq(outcome.error, bad[_i].error);
	ck_assert_str_eq(outcome.text, err.text);
}
END_TEST

static const double bad_naps[] = { -1, -0.5, 1e10, 1e300 };

START_TEST(sleep_refuses_a_time_that_is_none)
{
	struct wq_err err = { 0 };

	ck_assert_int_eq(fake_validate(&fake, nap(bad_naps[_i], NULL), &err), WQ_REJECT);

	ck_assert_str_eq(err.name, "bad-request");
}
END_TEST

START_TEST(keys_that_begin_with_x_pass)
{
	struct wq_err err = { 0 };

	ck_assert_int_eq(
		fake_validate(&fake, REQUEST("digest", "path", "/a", "x-origin", "here"), &err),
		WQ_OK);
}
END_TEST

START_TEST(a_path_with_a_nul_in_it_is_refused)
{
	struct wq_cbor_out o;
	struct wq_err err = { 0 };
	wq_cbor_out_init(&o);
	wq_cbor_put_map(&o, 2);
	wq_cbor_put_text(&o, "handler");
	wq_cbor_put_text(&o, "digest");
	wq_cbor_put_text(&o, "path");
	wq_cbor_put_text_n(&o, "/etc\0/x", 7);

	ck_assert_int_eq(fake_validate(&fake, &o, &err), WQ_REJECT);

	ck_assert_str_eq(err.text, "'path' has a NUL in it");
}
END_TEST

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

static TCase *new_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	suite_add_tcase(s, tc);
	return tc;
}

static Suite *suite(void)
{
	Suite *s = suite_create("plugin/handlers");

	TCase *tc = new_case(s, "digest");
	tcase_add_loop_test(tc, digest_says_what_sha256sum_says, 0, N(sizes));
	tcase_add_loop_test(tc, digest_says_what_the_tool_of_the_algorithm_says, 0, N(tools));
	tcase_add_loop_test(tc, digest_agrees_with_the_published_vectors, 0, N(vectors));
	tcase_add_test(tc, digest_reads_to_the_end_also_where_the_size_is_not_known);
	tcase_add_test(tc, digest_says_by_name_what_is_wrong_with_a_file);
	tcase_add_test(tc, digest_of_a_huge_file_can_be_aborted);

	tc = new_case(s, "copy");
	tcase_add_loop_test(tc, copy_makes_the_same_file_with_the_same_mode, 0, N(sizes));
	tcase_add_test(tc, copy_gives_the_mode_that_it_is_told_and_never_set_user_id);
	tcase_add_test(tc, copy_replaces_a_symbolic_link_and_not_what_it_points_at);
	tcase_add_test(tc, whoever_looks_sees_the_old_target_or_the_whole_new_one);
	tcase_add_loop_test(tc, copy_is_not_faster_than_its_rate, 0, N(rates));
	tcase_add_test(tc, an_aborted_copy_removes_its_temporary_file_and_leaves_the_target);
	tcase_add_test(tc, copy_replaces_the_temporary_file_of_an_attempt_that_died);
	tcase_add_test(tc, copy_to_the_longest_name_works);
	tcase_add_test(tc, copy_says_by_name_what_is_wrong_and_leaves_things_alone);
	tcase_add_test(tc, copy_of_more_than_fits_says_no_space_and_leaves_nothing);

	tc = new_case(s, "sleep and echo");
	tcase_add_loop_test(tc, sleep_sleeps_and_says_from_when_to_when, 0, N(naps));
	tcase_add_test(tc, sleep_fails_with_the_words_that_it_is_given);
	tcase_add_test(tc, sleep_can_be_aborted);
	tcase_add_test(tc, echo_gives_back_the_whole_request);

	tc = new_case(s, "bad requests");
	tcase_add_loop_test(tc, a_bad_request_is_refused_early_and_again_when_it_runs, 0, N(bad));
	tcase_add_loop_test(tc, sleep_refuses_a_time_that_is_none, 0, N(bad_naps));
	tcase_add_test(tc, keys_that_begin_with_x_pass);
	tcase_add_test(tc, a_path_with_a_nul_in_it_is_refused);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	srunner_run_all(sr, CK_ENV);
	int n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed != 0;
}
