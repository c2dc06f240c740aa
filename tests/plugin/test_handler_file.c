/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which handler files thread-pool takes, and what it says of the others.
 */
#include "fake_host.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fake fake; /* each test has a process of its own */
static char probe_path[PATH_MAX];
static char dir[PATH_MAX];

static void make_dir(void)
{
	const char *tmp = getenv("TMPDIR");
	(void)snprintf(dir, sizeof(dir), "%s/wq-test-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
	char path[PATH_MAX + 16];
	(void)snprintf(path, sizeof(path), "%s/handlers.so", dir);
	(void)unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* A copy of a file as dir/handlers.so; 0755. */
static void copy_to_dir(const char *from, void (*change)(char *bytes, size_t len))
{
	static char bytes[8 << 20];
	char path[PATH_MAX + 16];
	FILE *in = fopen(from, "rb");
	ck_assert_ptr_nonnull(in);
	size_t len = fread(bytes, 1, sizeof(bytes), in);
	ck_assert(feof(in));
	(void)fclose(in);
	if (change)
		change(bytes, len);
	(void)snprintf(path, sizeof(path), "%s/handlers.so", dir);
	FILE *out = fopen(path, "wb");
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(bytes, 1, len, out), len);
	ck_assert_int_eq(fclose(out), 0);
	ck_assert_int_eq(chmod(path, 0755), 0);
}

static int32_t try_file(const char *path, struct wq_err *err)
{
	char option[PATH_MAX + 16];
	(void)snprintf(option, sizeof(option), "handlers=%s", path);
	int32_t rc = fake_create(
		&fake, "thread-pool", (const char *[]){ "threads=1", option, NULL }, err);
	if (rc == 0)
		fake_close(&fake);
	return rc;
}

static int32_t try_copy(struct wq_err *err)
{
	char path[PATH_MAX + 16];
	(void)snprintf(path, sizeof(path), "%s/handlers.so", dir);
	return try_file(path, err);
}

START_TEST(a_handler_file_that_is_missing_or_no_file_is_refused)
{
	struct wq_err err = { 0 };

	ck_assert_int_eq(try_file("/nonexistent/handlers.so", &err), -ENOENT);
	ck_assert_str_eq(
		err.text, "handler file '/nonexistent/handlers.so': No such file or directory");
	ck_assert_int_eq(try_file("/tmp", &err), -WQ_E_REFUSED);
	ck_assert_str_eq(err.text, "handler file '/tmp' is not a regular file");
}
END_TEST

START_TEST(a_handler_file_that_others_may_write_is_refused)
{
	struct wq_err err = { 0 };
	char path[PATH_MAX + 16];
	(void)fake_beside("probe_handlers.so", probe_path, sizeof(probe_path));
	make_dir();
	copy_to_dir(probe_path, NULL);
	ck_assert_int_eq(try_copy(&err), 0);
	(void)snprintf(path, sizeof(path), "%s/handlers.so", dir);

	ck_assert_int_eq(chmod(path, 0775), 0);
	ck_assert_int_eq(try_copy(&err), -WQ_E_REFUSED);
	ck_assert_ptr_nonnull(strstr(err.text, "may be written by others (mode 0775)"));
	ck_assert_int_eq(chmod(path, 0757), 0);
	ck_assert_int_eq(try_copy(&err), -WQ_E_REFUSED);

	remove_dir();
}
END_TEST

START_TEST(a_handler_file_of_another_user_is_refused)
{
	struct wq_err err = { 0 };
	char path[PATH_MAX + 16];
	(void)fake_beside("probe_handlers.so", probe_path, sizeof(probe_path));
	make_dir();
	copy_to_dir(probe_path, NULL);
	(void)snprintf(path, sizeof(path), "%s/handlers.so", dir);
	ck_assert_int_eq(chown(path, 12345, 12345), 0);

	ck_assert_int_eq(try_copy(&err), -WQ_E_REFUSED);

	ck_assert_ptr_nonnull(strstr(err.text, "belongs to user 12345"));
	remove_dir();
}
END_TEST

START_TEST(a_shared_object_without_handlers_and_a_file_that_is_none_are_refused)
{
	struct wq_err err = { 0 };
	char path[PATH_MAX];
	make_dir();

	ck_assert_int_eq(
		try_file(fake_path("thread-pool.so", path, sizeof(path)), &err), -WQ_E_REFUSED);
	ck_assert_ptr_nonnull(strstr(err.text, "is not a handler file"));
	copy_to_dir("/proc/version", NULL);
	ck_assert_int_eq(try_copy(&err), -WQ_E_REFUSED);
	ck_assert_ptr_nonnull(strstr(err.text, "cannot load handler file"));

	remove_dir();
}
END_TEST

/* The table of the probe handlers: "WQH1", its size (40), ABI 0.1, entries of 32 bytes. */
static char *find_table(char *bytes, size_t len)
{
	static const char want[] = "WQH1\x28\0\0\0\0\0\1\0\x20\0\0";
	char *at = memmem(bytes, len, want, sizeof(want));
	ck_assert_ptr_nonnull(at);
	return at;
}

static void make_newer(char *bytes, size_t len)
{
	find_table(bytes, len)[10] = 2;
}

static void make_other_major(char *bytes, size_t len)
{
	find_table(bytes, len)[8] = 1;
}

static void make_other_cbor(char *bytes, size_t len)
{
	find_table(bytes, len)[16]++;
}

static void make_unmarked(char *bytes, size_t len)
{
	find_table(bytes, len)[0] = 'X';
}

static void make_empty(char *bytes, size_t len)
{
	memset(find_table(bytes, len) + 20, 0, 4);
}

static void make_repeated(char *bytes, size_t len)
{
	char *name = memmem(bytes, len, "\0late\0", 6);
	ck_assert_ptr_nonnull(name);
	memcpy(name + 1, "liar", 4);
}

static const struct {
	void (*change)(char *bytes, size_t len);
	int32_t rc;
	const char *part;
} bad_tables[] = {
	{ make_newer, -WQ_E_UNSUPPORTED, "made for handler ABI 0.2, this thread-pool has 0.1" },
	{ make_other_major, -WQ_E_UNSUPPORTED, "made for handler ABI 1.1" },
	{ make_other_cbor, -WQ_E_UNSUPPORTED, "built with another wq/cbor.h" },
	{ make_unmarked, -WQ_E_REFUSED, "is not a handler file" },
	{ make_empty, -WQ_E_REFUSED, "bad table" },
	{ make_repeated, -WQ_E_REFUSED, "has two handlers 'liar'" },
};

START_TEST(a_handler_file_whose_table_does_not_fit_is_refused)
{
	struct wq_err err = { 0 };
	(void)fake_beside("probe_handlers.so", probe_path, sizeof(probe_path));
	make_dir();
	copy_to_dir(probe_path, bad_tables[_i].change);

	ck_assert_int_eq(try_copy(&err), bad_tables[_i].rc);

	ck_assert_msg(strstr(err.text, bad_tables[_i].part) != NULL, "%s", err.text);
	remove_dir();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("plugin/handler-file");

	TCase *tc = tcase_create("handler files");
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, a_handler_file_that_is_missing_or_no_file_is_refused);
	tcase_add_test(tc, a_handler_file_that_others_may_write_is_refused);
	if (geteuid() == 0) /* only root has a second user at hand */
		tcase_add_test(tc, a_handler_file_of_another_user_is_refused);
	tcase_add_test(tc, a_shared_object_without_handlers_and_a_file_that_is_none_are_refused);
	tcase_add_loop_test(tc, a_handler_file_whose_table_does_not_fit_is_refused, 0,
		sizeof(bad_tables) / sizeof(bad_tables[0]));
	suite_add_tcase(s, tc);
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
