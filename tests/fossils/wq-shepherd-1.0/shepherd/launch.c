/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/launch.h"

#include "base/err.h"
#include "base/fdio.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SCRIPT_LINE_MAX = 256, /* what the kernel reads of a file, execve(2) */
	SCRIPT_DEPTH_MAX = 5,  /* interpreters that are scripts, execve(2) */
	PROGRAM_HEADERS_MAX = 64
};

static const char *name_of(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
	case ELOOP:
		return "not-found";
	case EACCES:
	case EPERM:
	case ETXTBSY:
		return "no-permission";
	case ENOEXEC:
	case EINVAL:
	case ELIBBAD:
		return "bad-format";
	case E2BIG:
		return "too-large";
	default:
		return "no-resources";
	}
}

/* ---- the interpreter of a file ----------------------------------------------------------------- */

static void show_word(const char *word, size_t len, char ret[PATH_MAX])
{
	size_t out = 0;
	for (size_t i = 0; i < len && out + 3 < PATH_MAX; i++) {
		unsigned char c = (unsigned char)word[i];
		if (c == '\r') {
			/* A file with the line ends of another system is the usual cause. */
			ret[out++] = '\\';
			ret[out++] = 'r';
		} else {
			ret[out++] = c < ' ' || c == 0x7f ? '?' : word[i];
		}
	}
	ret[out] = '\0';
}

/* "#!  word": its word, as it stands. */
static bool script_word(const char *line, size_t len, char ret[SCRIPT_LINE_MAX])
{
	if (len < 2 || line[0] != '#' || line[1] != '!')
		return false;
	size_t from = 2;
	while (from < len && (line[from] == ' ' || line[from] == '\t'))
		from++;
	size_t to = from;
	while (to < len && line[to] && !strchr(" \t\n", line[to]))
		to++;
	memcpy(ret, line + from, to - from);
	ret[to - from] = '\0';
	return to > from;
}

/* The dynamic loader that a program of this machine's kind names. */
static bool program_word(int fd, char *ret, size_t size)
{
	Elf64_Ehdr head;
	if (fdio_pread(fd, &head, sizeof head, 0) != sizeof head ||
		memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
		head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_phentsize != sizeof(Elf64_Phdr))
		return false;
	for (unsigned i = 0; i < head.e_phnum && i < PROGRAM_HEADERS_MAX; i++) {
		Elf64_Phdr part;
		off_t at = (off_t)(head.e_phoff + i * sizeof part);
		if (at < 0 || fdio_pread(fd, &part, sizeof part, at) != sizeof part)
			return false;
		if (part.p_type != PT_INTERP)
			continue;
		size_t len = part.p_filesz < size ? part.p_filesz : size - 1;
		ssize_t n = fdio_pread(fd, ret, len, (off_t)part.p_offset);
		ret[n > 0 ? n : 0] = '\0';
		return n > 0;
	}
	return false;
}

static bool interpreter_of(int dir, const char *path, char *ret, size_t size)
{
	char line[SCRIPT_LINE_MAX];
	auto_close int fd = openat(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return false;
	char word[SCRIPT_LINE_MAX];
	ssize_t n = fdio_pread(fd, line, sizeof line - 1, 0);
	if (n <= 0)
		return false;
	line[n] = '\0';
	if (script_word(line, (size_t)n, word)) {
		snprintf(ret, size, "%s", word);
		return true;
	}
	return program_word(fd, ret, size);
}

/* The first in the chain of interpreters that cannot be used. */
static bool bad_interpreter(int dir, const char *path, int mode, char ret[PATH_MAX])
{
	char word[PATH_MAX], next[PATH_MAX];
	if (!interpreter_of(dir, path, word, sizeof word))
		return false;
	for (int depth = 0; depth < SCRIPT_DEPTH_MAX; depth++) {
		if (faccessat(dir, word, mode, AT_EACCESS) < 0)
			break;
		if (!interpreter_of(dir, word, next, sizeof next))
			return false;
		memcpy(word, next, sizeof word);
	}
	show_word(word, strlen(word), ret);
	return true;
}

/* ---- sentences ------------------------------------------------------------------------------- */

/* The first directory on the way to `path` that may not be searched. */
static bool closed_directory(int dir, const char *path, char ret[PATH_MAX])
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t len = slash == path ? 1 : (size_t)(slash - path);
		if (len >= PATH_MAX)
			return false;
		memcpy(ret, path, len);
		ret[len] = '\0';
		if (faccessat(dir, ret, X_OK, AT_EACCESS) < 0)
			return true;
	}
	return false;
}

static int denied(int dir, const char *path, struct wq_err *err)
{
	static const char name[] = "no-permission";
	char what[PATH_MAX];
	struct stat st;
	if (fstatat(dir, path, &st, 0) < 0 && closed_directory(dir, path, what))
		return err_set_name(err, -EACCES, name,
			"cannot run '%s': the directory '%s' may not be searched", path, what);
	if (fstatat(dir, path, &st, 0) == 0 && S_ISDIR(st.st_mode))
		return err_set_name(err, -EACCES, name, "cannot run '%s': it is a directory", path);
	if (faccessat(dir, path, X_OK, AT_EACCESS) == 0 && bad_interpreter(dir, path, X_OK, what))
		return err_set_name(err, -EACCES, name,
			"cannot run '%s': its interpreter '%s' may not be executed", path, what);
	return err_set_name(
		err, -EACCES, name, "cannot run '%s': the file may not be executed", path);
}

static int missing(const struct launch *l, int dir, const char *path, struct wq_err *err)
{
	char word[PATH_MAX];
	bool there = !l->search || l->noted[0];
	if (there && faccessat(dir, path, F_OK, 0) == 0) {
		bool known = bad_interpreter(dir, path, F_OK, word);
		return err_set_name(err, -ENOENT, "bad-interpreter",
			"cannot run '%s': its interpreter%s%s%s is missing", path,
			known ? " '" : "", known ? word : "", known ? "'" : "");
	}
	if (l->search)
		return err_set_name(err, -ENOENT, "not-found", "cannot find '%s' in PATH=%s",
			l->order->what->argv[0], l->search);
	return err_set_name(err, -ENOENT, "not-found", "cannot run '%s'", path);
}

static int explain_exec(const struct launch *l, struct wq_err *err)
{
	const char *path = l->noted[0] ? l->noted : l->order->what->argv[0];
	auto_close int dir = open(l->order->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *name = name_of(l->error);
	switch (l->error) {
	case ENOENT:
		return missing(l, dir, path, err);
	case EACCES:
		return denied(dir, path, err);
	case ENOEXEC:
		return err_set_name(err, -l->error, name,
			"cannot run '%s': it is no program and names no interpreter", path);
	case E2BIG:
		return err_set_name(err, -l->error, name,
			"cannot run '%s': arguments and environment are too large", path);
	default:
		return err_set_name(err, -l->error, name, "cannot run '%s'", path);
	}
}

static const char *name_of_dir(int error)
{
	const char *name = name_of(error);
	return strcmp(name, "not-found") == 0 ? "no-directory" : name;
}

int launch_explain(const struct launch *l, struct wq_err *err)
{
	const struct start_order *o = l->order;
	switch (l->stage) {
	case LAUNCH_DIR:
		return err_set_name(err, -l->error, name_of_dir(l->error),
			"cannot enter the directory '%s'", o->dir);
	case LAUNCH_ALLOWED:
		return err_set_name(err, -EACCES, "directory-not-allowed",
			"commands may not run in '%s'%s%s%s", o->dir,
			strcmp(o->dir, l->directory) != 0 ? ", which is '" : "",
			strcmp(o->dir, l->directory) != 0 ? l->directory : "",
			strcmp(o->dir, l->directory) != 0 ? "'" : "");
	case LAUNCH_LIMIT:
		return err_set_name(err, -l->error,
			l->error == EPERM ? "no-permission" : "no-resources",
			"cannot set resource limit %d to %llu", o->what->limits[l->n].resource,
			(unsigned long long)o->what->limits[l->n].value);
	case LAUNCH_CGROUP:
		return err_set_name(
			err, -l->error, "no-resources", "cannot put a process into its cgroup");
	case LAUNCH_FILES:
		return err_set_name(
			err, -l->error, "no-resources", "cannot set up standard input and output");
	default:
		return explain_exec(l, err);
	}
}
