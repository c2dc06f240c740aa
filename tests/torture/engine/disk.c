/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The spool's file system as the calls of the seam have made it, and what of that is on disk: names by
 * the moments of the directories, bytes by file.
 *
 * A power cut leaves, on a JOURNAL, all names as they were at one moment since the last sync of
 * anything; on PARTS each directory as it was at a moment of its own, but what had a name on disk and
 * was not unlinked has one: tests/model/README.  Bytes that were not synced may be there, absent,
 * zeros, or half of them zeros.
 */
#include "engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	NODES_MAX = 512,
	ENTRIES_MAX = 512,
	CHANGES_MAX = 4096,
	BYTES_MAX = 1 << 20,
	NAME_SIZE = 48
};

struct data {
	uint32_t at, len;
};

struct inode {
	bool is_dir, poisoned;
	bool was_named;          /* it has, or had, a name on disk */
	uint16_t named_at;       /* then it was that which it had after this change */
	uint16_t dir_synced;     /* of a directory: its names up to this change are on disk */
	uint16_t name_synced;    /* names that it got up to this change are, too */
	char path[32];           /* of a directory */
	struct data now, synced; /* of a file */
};

struct entry {
	node dir, file;
	bool is_old; /* of two names that a cut has left of one file: not the one that goes on */
	char name[NAME_SIZE];
};

struct change {
	uint16_t op; /* those of one call come together */
	node dir, before, after;
	char name[NAME_SIZE];
};

struct names {
	struct entry entries[ENTRIES_MAX];
	size_t n;
};

/* Reset by copying what is used of it: so counts first. */
struct disk {
	size_t n_nodes, n_changes, n_bytes;
	uint16_t n_ops, synced; /* changes of names; JOURNAL: so many of them are on disk */
	struct inode nodes[NODES_MAX];
	struct names base, now;
	struct change changes[CHANGES_MAX];
	uint8_t bytes[BYTES_MAX];
};

static struct disk *disk; /* shared by the runs */
static struct disk *saved[3];

static struct disk *new_disk(void)
{
	void *p = mmap(NULL, sizeof(struct disk), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "engine: %s: %s\n", what, strerror(errno));
	_exit(2);
}

/* ---- names -------------------------------------------------------------------------------------- */

static struct entry *find(struct names *names, node dir, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->entries[i].dir == dir && strcmp(names->entries[i].name, name) == 0)
			return &names->entries[i];
	return NULL;
}

static void set(struct names *names, node dir, const char *name, node file)
{
	struct entry *e = find(names, dir, name);
	if (!file) {
		if (e)
			*e = names->entries[--names->n];
		return;
	}
	if (!e) {
		must(names->n < ENTRIES_MAX, "too many names");
		e = &names->entries[names->n++];
		*e = (struct entry){ .dir = dir };
		snprintf(e->name, sizeof e->name, "%s", name);
	}
	e->file = file;
	e->is_old = false;
}

static bool has_name(const struct names *names, node file)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->entries[i].file == file)
			return true;
	return false;
}

node disk_find(node dir, const char *name)
{
	const struct entry *e = find(&disk->now, dir, name);
	return e ? e->file : 0;
}

node disk_create(bool is_dir)
{
	must(disk->n_nodes < NODES_MAX, "too many files");
	disk->nodes[disk->n_nodes] = (struct inode){ .is_dir = is_dir };
	return (node)disk->n_nodes++;
}

bool disk_is_dir(node n)
{
	return disk->nodes[n].is_dir;
}

const char *disk_path(node dir)
{
	return disk->nodes[dir].path;
}

/* There are two levels of them. */
static void name_dir(node dir, const char *name, node n)
{
	char path[sizeof disk->nodes[0].path];
	if (!disk->nodes[n].is_dir)
		return;
	snprintf(path, sizeof path, "%.15s%s%.15s", dir == 1 ? "" : disk->nodes[dir].path,
		dir == 1 ? "" : "/", name);
	memcpy(disk->nodes[n].path, path, sizeof path);
}

void disk_set(node dir, const char *name, node n, bool is_first)
{
	must(disk->n_changes < CHANGES_MAX, "too many changes");
	disk->n_ops += is_first;
	struct change *c = &disk->changes[disk->n_changes++];
	*c = (struct change){ .op = disk->n_ops, .dir = dir, .before = disk_find(dir, name) };
	c->after = n;
	snprintf(c->name, sizeof c->name, "%s", name);
	set(&disk->now, dir, name, n);
	if (n)
		name_dir(dir, name, n);
}

/* ---- bytes -------------------------------------------------------------------------------------- */

static uint32_t take(size_t len)
{
	must(disk->n_bytes + len <= BYTES_MAX, "too many bytes");
	size_t at = disk->n_bytes;
	disk->n_bytes += len;
	return (uint32_t)at;
}

/* Old bytes are never changed, as they may be those that are synced. */
void disk_write(node n, const void *bytes, size_t len, size_t at)
{
	struct inode *i = &disk->nodes[n];
	size_t size = at + len > i->now.len ? at + len : i->now.len;
	struct data after = { .at = take(size), .len = (uint32_t)size };
	memset(disk->bytes + after.at, 0, size);
	memcpy(disk->bytes + after.at, disk->bytes + i->now.at, i->now.len);
	memcpy(disk->bytes + after.at + at, bytes, len);
	i->now = after;
}

void disk_truncate(node n)
{
	disk->nodes[n].now = (struct data){ 0 };
}

size_t disk_size(node n)
{
	return disk->nodes[n].now.len;
}

static bool is_dirty(const struct inode *i)
{
	return i->now.len != i->synced.len ||
	       memcmp(disk->bytes + i->now.at, disk->bytes + i->synced.at, i->now.len) != 0;
}

bool disk_is_dirty(void)
{
	for (size_t n = 1; n < disk->n_nodes; n++)
		if (is_dirty(&disk->nodes[n]))
			return true;
	return false;
}

/* ---- syncs -------------------------------------------------------------------------------------- */

static void name_is_on_disk(node n)
{
	disk->nodes[n].was_named = true;
	disk->nodes[n].named_at = disk->n_ops;
}

static void names_are_on_disk(node dir)
{
	for (size_t i = 0; i < disk->now.n; i++)
		if (disk->now.entries[i].dir == dir)
			name_is_on_disk(disk->now.entries[i].file);
}

/* The names of the directories above come with what is synced in them. */
static void sync_above(node n)
{
	for (size_t i = 0; n != 1 && i < disk->now.n; i++)
		if (disk->now.entries[i].file == n) {
			disk->nodes[n].name_synced = disk->n_ops;
			sync_above(disk->now.entries[i].dir);
		}
}

/* On a journal all names go with it; else those of this directory, or those that this file has. */
void disk_fsync(node n)
{
	struct inode *i = &disk->nodes[n];
	disk->synced = disk->n_ops;
	sync_above(n);
	if (i->is_dir) {
		i->dir_synced = disk->n_ops;
		names_are_on_disk(n);
		return;
	}
	i->name_synced = disk->n_ops;
	if (has_name(&disk->now, n))
		name_is_on_disk(n);
	if (!i->poisoned)
		i->synced = i->now;
}

void disk_syncfs(void)
{
	for (node n = 1; n < disk->n_nodes; n++)
		disk_fsync(n);
}

void disk_poison(node n)
{
	disk->nodes[n].poisoned = true;
}

unsigned disk_moments(void)
{
	return stage->scene->fs == FS_PARTS ? 1 : disk->n_ops - disk->synced + 1u;
}

/* ---- what a power cut leaves --------------------------------------------------------------------- */

static void replay(struct names *ret, bool (*has_happened)(const struct change *, const uint16_t *),
	const uint16_t *moments)
{
	*ret = disk->base;
	for (size_t i = 0; i < disk->n_changes; i++)
		if (has_happened(&disk->changes[i], moments))
			set(ret, disk->changes[i].dir, disk->changes[i].name,
				disk->changes[i].after);
}

static bool on_journal(const struct change *c, const uint16_t *moments)
{
	return c->op <= moments[0];
}

static bool in_parts(const struct change *c, const uint16_t *moments)
{
	return c->op <= moments[c->dir] || (c->after && c->op <= disk->nodes[c->after].name_synced);
}

static bool moves(uint16_t op, node n)
{
	for (size_t i = 0; i < disk->n_changes; i++)
		if (disk->changes[i].op == op && disk->changes[i].after == n)
			return true;
	return false;
}

/* Names that a file has had since it was on disk, without those that were unlinked, or whose directory
 * is on disk without them. */
static void names_of(node n, struct names *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < disk->n_changes; i++) {
		const struct change *c = &disk->changes[i];
		bool went = c->before == n && c->op <= disk->nodes[c->dir].dir_synced;
		if (c->op > disk->nodes[n].named_at && (c->after == n || c->before == n))
			set(ret, c->dir, c->name, moves(c->op, n) && !went ? n : 0);
	}
	for (size_t i = 0; i < disk->now.n; i++)
		if (disk->now.entries[i].file == n && !disk->now.entries[i].is_old)
			set(ret, disk->now.entries[i].dir, disk->now.entries[i].name, n);
}

/* Unless it has one of them, give it one that is no other file's only name. */
static void give_name_back(struct names *names, node n, uint64_t *random)
{
	static struct names all;
	names_of(n, &all);
	const struct entry *had = all.entries;
	size_t n_had = all.n;
	for (unsigned i = 0; i < n_had; i++) {
		const struct entry *e = find(names, had[i].dir, had[i].name);
		if (e && e->file == n)
			return;
	}
	for (unsigned tries = 0; n_had > 0 && tries < 2 * n_had; tries++) {
		const struct entry *c = &had[draw(random) % n_had];
		const struct entry *e = find(names, c->dir, c->name);
		struct names without = *names;
		set(&without, c->dir, c->name, 0);
		if (e && !has_name(&without, e->file) && disk->nodes[e->file].was_named)
			continue;
		set(names, c->dir, c->name, n);
		return;
	}
}

static void draw_parts(struct names *ret, uint64_t *random)
{
	uint16_t moments[NODES_MAX];
	for (node n = 0; n < disk->n_nodes; n++) {
		unsigned from = disk->nodes[n].dir_synced;
		moments[n] = (uint16_t)(from + draw(random) % (disk->n_ops - from + 1u));
	}
	replay(ret, in_parts, moments);
	for (node n = 2; n < disk->n_nodes; n++)
		if (disk->nodes[n].was_named && !disk->nodes[n].is_dir && has_name(&disk->now, n))
			give_name_back(ret, n, random);
}

enum {
	BYTES_WHOLE,
	BYTES_AS_SYNCED,
	BYTES_ZEROS,
	BYTES_HALF,
	BYTES_WAYS
};

static size_t leave_bytes(const struct inode *i, unsigned way, uint8_t *ret)
{
	size_t len = i->now.len;
	memcpy(ret, disk->bytes + i->now.at, len);
	if (!is_dirty(i) || way == BYTES_WHOLE)
		return len;
	if (way == BYTES_AS_SYNCED) {
		memcpy(ret, disk->bytes + i->synced.at, i->synced.len);
		return i->synced.len;
	}
	size_t from = way == BYTES_HALF ? len / 2 : 0;
	memset(ret + from, 0, len - from);
	return len;
}

/* ---- real files ---------------------------------------------------------------------------------- */

static void put(int dir, const char *name, const uint8_t *bytes, size_t len)
{
	int fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	must(fd >= 0 && write(fd, bytes, len) == (ssize_t)len, name);
	close(fd);
}

struct making {
	const struct names *names;
	int made[NODES_MAX]; /* the directory where it has a name, as a descriptor; 0: nowhere yet */
	const char *as[NODES_MAX];
	unsigned bytes;
	uint64_t *random; /* NULL: all bytes in the same way */
};

static void make_dir(struct making *m, node dir, int at)
{
	static uint8_t bytes[65536];
	for (size_t i = 0; i < m->names->n; i++) {
		const struct entry *e = &m->names->entries[i];
		const struct inode *file = &disk->nodes[e->file];
		if (e->dir != dir)
			continue;
		if (file->is_dir) {
			must(mkdirat(at, e->name, 0700) == 0, e->name);
			int fd = openat(at, e->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			must(fd >= 0, e->name);
			m->made[e->file] = fd;
			make_dir(m, e->file, fd);
		} else if (m->made[e->file]) {
			must(linkat(m->made[e->file], m->as[e->file], at, e->name, 0) == 0,
				e->name);
		} else {
			unsigned way = m->random ? draw(m->random) % BYTES_WAYS : m->bytes;
			put(at, e->name, bytes, leave_bytes(file, way, bytes));
			m->made[e->file] = at;
			m->as[e->file] = e->name;
		}
	}
}

static int make_all(const char *path, const struct names *names, unsigned way, uint64_t *random)
{
	struct making m = { .names = names, .bytes = way, .random = random };
	if (mkdir(path, 0700) < 0)
		return -errno;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	make_dir(&m, 1, fd);
	for (node n = 2; n < disk->n_nodes; n++)
		if (disk->nodes[n].is_dir && m.made[n])
			close(m.made[n]);
	close(fd);
	return 0;
}

int disk_make(const char *path)
{
	return make_all(path, &disk->now, BYTES_WHOLE, NULL);
}

int disk_cut(const char *path)
{
	const struct ending *end = &stage->scene->runs[stage->run];
	uint64_t random = end->moment + 1000003u * (end->bytes + 1u);
	struct names names;
	if (stage->scene->fs == FS_PARTS) {
		draw_parts(&names, &random);
		return make_all(path, &names, 0, &random);
	}
	unsigned since = disk->n_ops - disk->synced + 1u;
	uint16_t moment = (uint16_t)(disk->synced + end->moment % since);
	replay(&names, on_journal, &moment);
	return make_all(path, &names, end->bytes, NULL);
}

static void read_file(int dir, const char *name, struct inode *ret)
{
	struct stat st;
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	must(fd >= 0 && fstat(fd, &st) == 0, name);
	ret->now = (struct data){ .at = take((size_t)st.st_size), .len = (uint32_t)st.st_size };
	must(read(fd, disk->bytes + ret->now.at, ret->now.len) == ret->now.len, name);
	ret->synced = ret->now;
	close(fd);
}

/* Files with several names are told by their numbers. */
static void read_dir(node dir, int fd, ino_t *inos)
{
	DIR *d = fdopendir(fd);
	struct stat st;
	must(d != NULL, "fdopendir");
	for (struct dirent *e; (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		must(fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0, e->d_name);
		if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) /* the socket */
			continue;
		node n = 2;
		while (n < disk->n_nodes && inos[n] != st.st_ino)
			n++;
		if (n == disk->n_nodes) {
			disk_create(S_ISDIR(st.st_mode));
			inos[n] = st.st_ino;
			disk->nodes[n].was_named = true;
			if (S_ISREG(st.st_mode))
				read_file(fd, e->d_name, &disk->nodes[n]);
		}
		set(&disk->now, dir, e->d_name, n);
		name_dir(dir, e->d_name, n);
		if (S_ISDIR(st.st_mode))
			read_dir(
				n, openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), inos);
	}
	closedir(d);
}

/* Recovery goes on with the later of them: docs/wq-spool.7. */
static void find_old_names(void)
{
	struct entry *entries = disk->now.entries;
	for (size_t i = 0; i < disk->now.n; i++)
		for (size_t j = 0; j < disk->now.n; j++)
			if (entries[i].file == entries[j].file &&
				strcmp(disk_path(entries[i].dir), disk_path(entries[j].dir)) < 0)
				entries[i].is_old = true;
}

int disk_read(const char *path)
{
	ino_t inos[NODES_MAX] = { 0 };
	if (!disk) {
		disk = new_disk();
		for (size_t i = 0; i < sizeof saved / sizeof *saved; i++)
			saved[i] = new_disk();
		must(disk && saved[0] && saved[1] && saved[2], "memory");
	}
	disk->n_changes = disk->n_bytes = 0;
	disk->n_ops = disk->synced = 0;
	disk->now.n = 0;
	disk->n_nodes = 1;
	node root = disk_create(true);
	snprintf(disk->nodes[root].path, sizeof disk->nodes[root].path, ".");
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		read_dir(root, fd, inos);
	find_old_names();
	disk->base = disk->now;
	return fd < 0 ? -errno : 0;
}

static void copy_used(struct disk *to, const struct disk *from)
{
	memcpy(to, from, offsetof(struct disk, nodes));
	memcpy(to->nodes, from->nodes, from->n_nodes * sizeof *to->nodes);
	memcpy(&to->now, &from->now, sizeof to->now.entries[0] * from->now.n);
	memcpy(&to->base, &from->base, sizeof to->base.entries[0] * from->base.n);
	to->now.n = from->now.n;
	to->base.n = from->base.n;
	memcpy(to->changes, from->changes, from->n_changes * sizeof *to->changes);
	memcpy(to->bytes, from->bytes, from->n_bytes);
}

void disk_save(int which)
{
	copy_used(saved[which], disk);
}

void disk_restore(int which)
{
	copy_used(disk, saved[which]);
}

static void remove_below(int fd)
{
	DIR *d = fdopendir(fd);
	for (struct dirent *e; d && (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (e->d_type == DT_DIR) {
			remove_below(openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
			(void)unlinkat(fd, e->d_name, AT_REMOVEDIR);
		} else {
			(void)unlinkat(fd, e->d_name, 0);
		}
	}
	if (d)
		closedir(d);
}

void disk_remove(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	remove_below(fd);
	(void)rmdir(path);
}
