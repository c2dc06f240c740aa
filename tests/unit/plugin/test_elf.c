/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/elf.h"

#include "base/buf.h"
#include "base/fdio.h"

#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A plugin that the build made, to be damaged. */
static struct buf good;

static void setup(void)
{
	char path[4096];
	const char *dir = getenv("WQ_PLUGINS");
	ck_assert_msg(dir != NULL, "WQ_PLUGINS must name the directory of the built plugins");
	snprintf(path, sizeof path, "%s/null.so", dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fdio_read_all(fd, 1 << 24, &good), 0);
	close(fd);
}

static void teardown(void)
{
	buf_fini(&good);
}

static int read_bytes(const void *bytes, size_t len, struct wq_note *ret, struct wq_err *err)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fdio_write_all(fd, bytes, len), 0);
	int rc = elf_read_note(fd, ret, err);
	close(fd);
	return rc;
}

static Elf64_Ehdr *header(void)
{
	return (Elf64_Ehdr *)(void *)good.data;
}

static Elf64_Phdr *segment(unsigned type)
{
	Elf64_Phdr *ph = (Elf64_Phdr *)(void *)(good.data + header()->e_phoff);
	for (int i = 0; i < header()->e_phnum; i++)
		if (ph[i].p_type == type)
			return &ph[i];
	ck_abort_msg("no such segment");
	return NULL;
}

static void assert_refused(const char *part)
{
	struct wq_note note;
	struct wq_err err = { 0 };
	ck_assert_int_eq(read_bytes(good.data, good.len, &note, &err), -WQ_E_REFUSED);
	ck_assert_msg(strstr(err.text, part) != NULL, "'%s' has no '%s'", err.text, part);
}

START_TEST(the_note_of_a_plugin_says_its_name_and_abi)
{
	struct wq_note note;
	struct wq_err err = { 0 };

	ck_assert_msg(read_bytes(good.data, good.len, &note, &err) == 0, "%s", err.text);

	ck_assert_str_eq(note.name, "null");
	ck_assert_uint_eq(note.abi_major, WQ_ABI_MAJOR);
	ck_assert_uint_eq(note.abi_minor, WQ_ABI_MINOR);
	ck_assert_uint_eq(note.plugin_size, sizeof(struct wq_plugin));
}
END_TEST

START_TEST(what_is_no_elf_file_is_refused)
{
	struct wq_note note;
	struct wq_err err = { 0 };

	ck_assert_int_eq(read_bytes("", 0, &note, &err), -WQ_E_REFUSED);
	ck_assert_str_eq(err.text, "is not an ELF file");
	ck_assert_int_eq(read_bytes("#!/bin/sh\n", 10, &note, &err), -WQ_E_REFUSED);
	good.data[0] = 'x';
	assert_refused("is not an ELF file");
}
END_TEST

START_TEST(another_machine_is_refused)
{
	header()->e_machine = EM_SPARCV9;
	assert_refused("is built for another machine (ELF machine 43, 64 bits");
}
END_TEST

START_TEST(another_word_size_is_refused)
{
	header()->e_ident[EI_CLASS] = ELFCLASS32;
	assert_refused("32 bits");
}
END_TEST

START_TEST(an_object_file_is_refused)
{
	header()->e_type = ET_REL;
	assert_refused("link it with -shared");
}
END_TEST

START_TEST(segments_that_cannot_be_are_refused)
{
	uint16_t n = header()->e_phnum;
	uint64_t at = header()->e_phoff;

	header()->e_phnum = 0xffff;
	assert_refused("damaged ELF program headers");
	header()->e_phnum = n;
	header()->e_phentsize = 1;
	assert_refused("damaged ELF program headers");
	header()->e_phentsize = sizeof(Elf64_Phdr);
	header()->e_phoff = good.len - 10;
	assert_refused("damaged ELF program headers");
	header()->e_phoff = UINT64_MAX - 8;
	assert_refused("damaged ELF program headers");
	header()->e_phoff = at;
	header()->e_phnum = 0;
	assert_refused("has no ELF note");
}
END_TEST

START_TEST(notes_that_lie_about_their_place_and_size_are_refused)
{
	Elf64_Phdr *ph = segment(PT_NOTE);
	for (Elf64_Phdr *p = ph; p->p_type == PT_NOTE; p++)
		p->p_offset = UINT64_MAX - 4;
	assert_refused("has no ELF note");
	for (Elf64_Phdr *p = ph; p->p_type == PT_NOTE; p++)
		p->p_filesz = UINT64_MAX;
	assert_refused("has no ELF note");
}
END_TEST

START_TEST(a_note_whose_sizes_are_huge_is_refused)
{
	uint8_t *note = memmem(good.data, good.len, "WQP\0", 4);
	ck_assert_ptr_nonnull(note);
	uint32_t huge = UINT32_MAX;

	memcpy(note - 8, &huge, 4); /* desc_size */
	struct wq_note ret;
	struct wq_err err = { 0 };
	(void)read_bytes(good.data, good.len, &ret, &err); /* what counts is that it comes back */
	memcpy(note - 12, &huge, 4);                       /* owner_size */
	assert_refused("has no ELF note");
}
END_TEST

START_TEST(a_note_whose_name_has_no_end_is_refused)
{
	uint8_t *note = memmem(good.data, good.len, "WQP\0", 4);
	ck_assert_ptr_nonnull(note);
	memset(note + 4 + 8, 'n', 64);
	assert_refused("damaged plugin note");
}
END_TEST

START_TEST(a_plugin_that_is_cut_anywhere_is_refused_or_read_right)
{
	size_t headers = header()->e_phoff + header()->e_phnum * sizeof(Elf64_Phdr);
	for (size_t len = 0; len < good.len; len += len < headers + 1024 ? 1 : 997) {
		struct wq_note note;
		struct wq_err err = { 0 };
		int rc = read_bytes(good.data, len, &note, &err);
		if (rc == 0)
			ck_assert_str_eq(note.name, "null");
		else
			ck_assert_int_eq(rc, -WQ_E_REFUSED);
	}
}
END_TEST

START_TEST(random_damage_never_does_harm)
{
	srandom(1);
	struct buf copy = { 0 };
	ck_assert_int_eq(buf_add(&copy, good.data, good.len), 0);
	size_t front = good.len < 1024 ? good.len : 1024;
	for (int i = 0; i < 3000; i++) {
		struct wq_note note;
		for (int k = 0; k < 4; k++)
			good.data[(size_t)random() % front] = (uint8_t)random();
		int rc = read_bytes(good.data, front, &note, NULL);
		ck_assert(rc == 0 || rc == -WQ_E_REFUSED);
		memcpy(good.data, copy.data, front);
	}
	buf_fini(&copy);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plugin/elf");
	TCase *tc = tcase_create("note");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_note_of_a_plugin_says_its_name_and_abi);
	tcase_add_test(tc, what_is_no_elf_file_is_refused);
	tcase_add_test(tc, another_machine_is_refused);
	tcase_add_test(tc, another_word_size_is_refused);
	tcase_add_test(tc, an_object_file_is_refused);
	tcase_add_test(tc, segments_that_cannot_be_are_refused);
	tcase_add_test(tc, notes_that_lie_about_their_place_and_size_are_refused);
	tcase_add_test(tc, a_note_whose_sizes_are_huge_is_refused);
	tcase_add_test(tc, a_note_whose_name_has_no_end_is_refused);
	tcase_add_test(tc, a_plugin_that_is_cut_anywhere_is_refused_or_read_right);
	tcase_add_test(tc, random_damage_never_does_harm);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
