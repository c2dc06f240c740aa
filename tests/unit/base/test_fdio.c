/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/fdio.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	LARGE = 1 << 20
};

static int memory_file(const void *bytes, size_t len)
{
	int fd = memfd_create("fdio", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fdio_write_all(fd, bytes, len), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

START_TEST(what_is_written_is_read)
{
	struct buf b = { 0 };
	auto_close int fd = memory_file("abcdef", 6);
	ck_assert_int_eq(lseek(fd, 2, SEEK_SET), 2);
	buf_add(&b, "x", 1);

	ck_assert_int_eq(fdio_read_all(fd, 100, &b), 0);

	ck_assert_uint_eq(b.len, 5);
	ck_assert_mem_eq(b.data, "xcdef", 5);
	buf_fini(&b);
}
END_TEST

START_TEST(the_limit_is_exact)
{
	struct buf b = { 0 };
	auto_close int fd = memory_file("abcdef", 6);

	ck_assert_int_eq(fdio_read_all(fd, 6, &b), 0);
	ck_assert_uint_eq(b.len, 6);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(fdio_read_all(fd, 5, &b), -EFBIG);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(fdio_read_all(fd, 0, &b), -EFBIG);
	ck_assert_int_eq(fdio_read_all(fd, SIZE_MAX, &b), 0);
	buf_fini(&b);
}
END_TEST

START_TEST(a_large_file_arrives_whole)
{
	uint8_t *bytes = malloc(LARGE);
	for (size_t i = 0; i < LARGE; i++)
		bytes[i] = (uint8_t)(i ^ i >> 8);
	struct buf b = { 0 };
	auto_close int fd = memory_file(bytes, LARGE);

	ck_assert_int_eq(fdio_read_all(fd, LARGE, &b), 0);
	ck_assert_uint_eq(b.len, LARGE);
	ck_assert_mem_eq(b.data, bytes, LARGE);
	buf_clear(&b);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(fdio_read_all(fd, LARGE - 1, &b), -EFBIG);
	buf_fini(&b);
	free(bytes);
}
END_TEST

START_TEST(failures_of_the_system_are_passed_on)
{
	struct buf b = { 0 };
	char byte;
	ck_assert_int_eq(fdio_read_all(-1, 10, &b), -EBADF);
	ck_assert_int_eq(fdio_write_all(-1, "x", 1), -EBADF);
	ck_assert_int_eq(fdio_write_all(-1, "", 0), 0);
	ck_assert_int_eq(fdio_pread(-1, &byte, 1, 0), -EBADF);
	auto_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(fdio_write_all(full, "x", 1), -ENOSPC);
	auto_close int dir = open("/", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(fdio_read_all(dir, 10, &b), -EISDIR);
	buf_fini(&b);
}
END_TEST

START_TEST(pread_is_short_only_at_the_end)
{
	char bytes[8] = { 0 };
	auto_close int fd = memory_file("abcdef", 6);

	ck_assert_int_eq(fdio_pread(fd, bytes, 4, 1), 4);
	ck_assert_str_eq(bytes, "bcde");
	ck_assert_int_eq(fdio_pread(fd, bytes, 8, 4), 2);
	ck_assert_int_eq(fdio_pread(fd, bytes, 8, 6), 0);
	ck_assert_int_eq(fdio_pread(fd, bytes, 0, 0), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
}
END_TEST

static void on_signal(int sig)
{
	(void)sig;
}

struct drain {
	int fd;
	pthread_t writer;
	size_t n;
};

/* Read all of a pipe, interrupting its writer all the time. */
static void *drain(void *arg)
{
	struct drain *d = arg;
	char bytes[1024];
	ssize_t n;
	while (d->n < LARGE && (n = read(d->fd, bytes, sizeof bytes)) > 0) {
		d->n += (size_t)n;
		pthread_kill(d->writer, SIGUSR1);
	}
	return NULL;
}

START_TEST(signals_and_short_writes_do_not_show)
{
	int fds[2];
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	struct sigaction sa = { .sa_handler = on_signal }; /* without SA_RESTART */
	sigaction(SIGUSR1, &sa, NULL);
	struct drain d = { .fd = fds[0], .writer = pthread_self() };
	pthread_t thread;
	char *bytes = calloc(1, LARGE);
	ck_assert_int_eq(pthread_create(&thread, NULL, drain, &d), 0);

	int rc = fdio_write_all(fds[1], bytes, LARGE);

	close(fds[1]);
	pthread_join(thread, NULL);
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(d.n, LARGE);
	close(fds[0]);
	free(bytes);
}
END_TEST

START_TEST(close_forgets_the_descriptor)
{
	int fd = memory_file("", 0), copy = fd, none = -1;

	fdio_close(&fd);
	fdio_close(&fd);
	fdio_close(&none);

	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(fcntl(copy, F_GETFD), -1);
}
END_TEST

START_TEST(an_open_file_has_a_path)
{
	char path[40], byte;
	auto_close int fd = memory_file("a", 1);

	auto_close int again = open(fdio_proc_path(fd, path), O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(read(again, &byte, 1), 1);
	ck_assert_int_eq(byte, 'a');
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/fdio");
	TCase *tc = tcase_create("fdio");
	tcase_add_test(tc, what_is_written_is_read);
	tcase_add_test(tc, the_limit_is_exact);
	tcase_add_test(tc, a_large_file_arrives_whole);
	tcase_add_test(tc, failures_of_the_system_are_passed_on);
	tcase_add_test(tc, pread_is_short_only_at_the_end);
	tcase_add_test(tc, signals_and_short_writes_do_not_show);
	tcase_add_test(tc, close_forgets_the_descriptor);
	tcase_add_test(tc, an_open_file_has_a_path);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
