/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/elf.h"

#include "base/err.h"
#include "base/fdio.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

enum {
	SEGMENTS_MAX = 128,      /* linkers make about ten */
	NOTES_MAX_BYTES = 16384, /* of one segment; build id, properties and ours make 200 */
	NOTE_HEADER = 12,        /* owner_size, desc_size, type */
	NOTE_SIZE = sizeof(struct wq_note),
};

#if defined(__x86_64__)
static const uint16_t OUR_MACHINE = EM_X86_64;
#elif defined(__aarch64__)
static const uint16_t OUR_MACHINE = EM_AARCH64;
#elif defined(__riscv)
static const uint16_t OUR_MACHINE = EM_RISCV;
#elif defined(__powerpc64__)
static const uint16_t OUR_MACHINE = EM_PPC64;
#elif defined(__s390x__)
static const uint16_t OUR_MACHINE = EM_S390;
#else
#	error "add the ELF machine number of this architecture"
#endif

static const unsigned char OUR_DATA = __BYTE_ORDER == __LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB;

static bool read_at(int fd, void *ret, size_t len, uint64_t offset)
{
	return offset <= INT64_MAX - len && fdio_pread(fd, ret, len, (off_t)offset) == (ssize_t)len;
}

static int check_header(const Elf64_Ehdr *h, struct wq_err *err)
{
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
		return err_set(err, -WQ_E_REFUSED, "is not an ELF file");
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != OUR_DATA ||
		h->e_machine != OUR_MACHINE)
		return err_set(err, -WQ_E_REFUSED,
			"is built for another machine (ELF machine %d, %d bits; this server: "
			"machine %d, 64 bits)",
			h->e_machine, h->e_ident[EI_CLASS] == ELFCLASS32 ? 32 : 64, OUR_MACHINE);
	if (h->e_type != ET_DYN)
		return err_set(err, -WQ_E_REFUSED, "is not a shared object: link it with -shared");
	if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum > SEGMENTS_MAX)
		return err_set(err, -WQ_E_REFUSED, "has damaged ELF program headers");
	return 0;
}

static size_t padded(size_t n, size_t align)
{
	return (n + align - 1) / align * align;
}

/* elf(5): notes follow each other, name and descriptor each padded to the alignment. */
static bool find_note(const uint8_t *notes, size_t len, size_t align, struct wq_note *ret)
{
	while (len >= NOTE_HEADER) {
		struct wq_note n;
		memcpy(&n, notes, NOTE_HEADER);
		/* Both are below 2^32 and size_t has 64 bits, so no sum below can wrap. */
		size_t desc = NOTE_HEADER + padded(n.owner_size, 4);
		size_t next = padded(padded(desc, align) + n.desc_size, align);
		if (n.type == WQ_NOTE_TYPE && n.owner_size == sizeof n.owner &&
			n.desc_size >= NOTE_SIZE - NOTE_HEADER - sizeof n.owner &&
			len >= NOTE_SIZE && memcmp(notes + NOTE_HEADER, "WQP", 4) == 0) {
			memcpy(ret, notes, NOTE_SIZE);
			return true;
		}
		if (next >= len)
			return false;
		notes += next;
		len -= next;
	}
	return false;
}

static bool look_in_segment(int fd, const Elf64_Phdr *ph, struct wq_note *ret)
{
	uint8_t notes[NOTES_MAX_BYTES];
	if (ph->p_type != PT_NOTE || ph->p_filesz > sizeof notes)
		return false;
	if (!read_at(fd, notes, ph->p_filesz, ph->p_offset))
		return false;
	return find_note(notes, ph->p_filesz, ph->p_align == 8 ? 8 : 4, ret);
}

/* dlopen would map what is not there, and the first touch would be a SIGBUS. */
static bool is_cut(const Elf64_Phdr *ph, const struct stat *st)
{
	uint64_t end;
	return ph->p_type == PT_LOAD && (__builtin_add_overflow(ph->p_offset, ph->p_filesz, &end) ||
						end > (uint64_t)st->st_size);
}

int elf_read_note(int fd, struct wq_note *ret, struct wq_err *err)
{
	Elf64_Ehdr header;
	struct stat st;
	bool found = false;
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot be looked at");
	if (!read_at(fd, &header, sizeof header, 0))
		return err_set(err, -WQ_E_REFUSED, "is not an ELF file");
	int rc = check_header(&header, err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr ph;
		uint64_t at;
		if (__builtin_add_overflow(header.e_phoff, i * sizeof ph, &at) ||
			!read_at(fd, &ph, sizeof ph, at))
			return err_set(err, -WQ_E_REFUSED, "has damaged ELF program headers");
		if (is_cut(&ph, &st))
			return err_set(err, -WQ_E_REFUSED, "is cut off: it ends within a segment");
		if (found || !look_in_segment(fd, &ph, ret))
			continue;
		if (!memchr(ret->name, '\0', sizeof ret->name))
			return err_set(err, -WQ_E_REFUSED, "has a damaged plugin note");
		found = true;
	}
	if (found)
		return 0;
	return err_set(err, -WQ_E_REFUSED,
		"is no plugin of wq: it has no ELF note \"WQP\", which the macro WQ_PLUGIN makes");
}
