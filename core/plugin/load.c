/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/plugin.h"

#include "base/err.h"
#include "base/fdio.h"
#include "base/name.h"
#include "config/options.h"
#include "plugin/elf.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DESCRIPTOR_MAX_BYTES = 65536,
	OPTION_MAX_BYTES = 4096,
	OPTIONS_MAX = 256,
	SELF_MAX_BYTES = 1 << 26,
	TASK_MAX_BYTES = 1 << 20,
	/* What ABI 0.1 had; older than that nothing is. */
	DESCRIPTOR_MIN_BYTES = offsetof(struct wq_plugin, create),
	OPTION_MIN_BYTES = 56,
	KNOWN_CAPS = WQ_CAP_WAKES | WQ_CAP_WORK_DIR | WQ_CAP_CHILDREN,
};

/*
 * All that are loaded.  A list of the process, because dlopen's is: what is loaded once stays, for
 * every loop and every reload of the configuration.  Loop thread only.
 */
static struct plugin *loaded;

struct file {
	const char *name; /* as the caller wrote it, for messages */
	char *path;       /* real and absolute */
	int fd;
	struct stat st;
	struct wq_note note;
};

/* ---- find ------------------------------------------------------------------------------------ */

static bool is_plugin_name(const char *s)
{
	return name_is_valid(s, strlen(s), NAME_LONG_MAX);
}

static int open_file(const char *path)
{
	/* Without blocking: a FIFO would wait for its other end. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static int cannot_open(const char *path, int code, struct wq_err *err)
{
	if (code == -ENOENT)
		return err_set(err, code, "cannot open plugin '%s'", path);
	return err_set(err, -WQ_E_REFUSED, "cannot open plugin '%s': %s", path, strerror(-code));
}

static int find_in_dirs(struct file *f, const char *const *dirs, struct wq_err *err)
{
	struct buf looked = { 0 };
	if (!*dirs)
		return err_set(
			err, -ENOENT, "plugin '%s': there is no directory to look in", f->name);
	int rc = -ENOENT;
	for (; *dirs; dirs++) {
		free(f->path);
		if (asprintf(&f->path, "%s/%s.so", *dirs, f->name) < 0) {
			f->path = NULL;
			rc = -ENOMEM;
			break;
		}
		rc = f->fd = open_file(f->path);
		if (rc != -ENOENT && rc != -ENOTDIR)
			break;
		if (buf_addf(&looked, "%s'%s'", looked.len ? ", " : "", *dirs) < 0) {
			rc = -ENOMEM;
			break;
		}
	}
	if (rc == -ENOENT || rc == -ENOTDIR)
		rc = err_set(err, -ENOENT, "plugin '%s': there is no %s.so in %.*s", f->name,
			f->name, (int)looked.len, (const char *)looked.data);
	else if (rc == -ENOMEM)
		err_set(err, rc, "plugin '%s'", f->name);
	else if (rc < 0)
		rc = cannot_open(f->path, rc, err);
	buf_fini(&looked);
	return rc < 0 ? rc : 0;
}

static int find_file(struct file *f, const char *const *dirs, struct wq_err *err)
{
	if (strchr(f->name, '/')) {
		f->fd = open_file(f->name);
		if (f->fd < 0)
			return cannot_open(f->name, f->fd, err);
		f->path = strdup(f->name);
	} else if (!is_plugin_name(f->name)) {
		return err_set(err, -WQ_E_REFUSED,
			"'%s' is not the name of a plugin: a name is [a-z][a-z0-9-]*, at most %d "
			"bytes, and a path has a '/'",
			f->name, NAME_LONG_MAX);
	} else {
		int rc = find_in_dirs(f, dirs, err);
		if (rc < 0)
			return rc;
	}
	char *real = f->path ? realpath(f->path, NULL) : NULL;
	if (!real)
		return cannot_open(f->name, -errno, err);
	free(f->path);
	f->path = real;
	return 0;
}

/* ---- judge the file -------------------------------------------------------------------------- */

static int check_safe(struct file *f, struct wq_err *err)
{
	if (fstat(f->fd, &f->st) < 0)
		return cannot_open(f->path, -errno, err);
	if (!S_ISREG(f->st.st_mode))
		return err_set(err, -WQ_E_REFUSED, "plugin '%s' is not a regular file", f->path);
	if (f->st.st_uid != 0 && f->st.st_uid != geteuid())
		return err_set(err, -WQ_E_REFUSED,
			"plugin '%s' belongs to user %u: it must belong to root or to the user of "
			"the server (%u)",
			f->path, f->st.st_uid, geteuid());
	if (f->st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, -WQ_E_REFUSED,
			"plugin '%s' may be written by others (mode %04o): chmod go-w it", f->path,
			f->st.st_mode & 07777);
	return 0;
}

static int check_abi(const struct file *f, struct wq_err *err)
{
	const struct wq_note *n = &f->note;
	if (n->abi_major != WQ_ABI_MAJOR)
		return err_set(err, -WQ_E_UNSUPPORTED,
			"plugin '%s' is built for plugin ABI %u.%u, this server has %u.%u: compile "
			"it with this server's <wq/plugin.h>",
			f->path, n->abi_major, n->abi_minor, WQ_ABI_MAJOR, WQ_ABI_MINOR);
	if (n->abi_minor > WQ_ABI_MINOR)
		return err_set(err, -WQ_E_UNSUPPORTED,
			"plugin '%s' is built for plugin ABI %u.%u, this server has %u.%u: it "
			"needs a newer server, or compile it with this server's <wq/plugin.h>",
			f->path, n->abi_major, n->abi_minor, WQ_ABI_MAJOR, WQ_ABI_MINOR);
	return 0;
}

static int judge_file(struct file *f, struct wq_err *err)
{
	int rc = check_safe(f, err);
	if (rc < 0)
		return rc;
	rc = elf_read_note(f->fd, &f->note, err);
	if (rc < 0) {
		char why[sizeof err->text] = "";
		if (err)
			memcpy(why, err->text, sizeof why);
		return err_set(err, rc, "plugin '%s' %s", f->path, why);
	}
	return check_abi(f, err);
}

/* ---- load ------------------------------------------------------------------------------------ */

static int call_entry(const struct file *f, const struct wq_plugin **ret, struct wq_err *err)
{
	/* Never closed: its code stays mapped anyway, and a thread of it may end late. */
	void *handle = dlopen(f->path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!handle)
		return err_set(
			err, -WQ_E_REFUSED, "cannot load plugin '%s': %s", f->path, dlerror());
	struct stat now;
	if (stat(f->path, &now) < 0 || now.st_dev != f->st.st_dev || now.st_ino != f->st.st_ino)
		return err_set(err, -WQ_E_REFUSED,
			"plugin '%s' was replaced while it was being loaded: try again", f->path);
	/* POSIX, dlsym: an object pointer that it answers can be that of a function. */
	union {
		void *object;
		wq_plugin_fn *fn;
	} entry = { .object = dlsym(handle, WQ_ENTRY_SYMBOL) };
	if (!entry.object)
		return err_set(err, -WQ_E_REFUSED,
			"plugin '%s' does not export %s, which the macro WQ_PLUGIN makes", f->path,
			WQ_ENTRY_SYMBOL);
	*ret = entry.fn();
	if (!*ret)
		return err_set(err, -WQ_E_REFUSED,
			"plugin '%s' declines to work here: %s answered NULL", f->path,
			WQ_ENTRY_SYMBOL);
	return 0;
}

static int broken(const struct file *f, struct wq_err *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int broken(const struct file *f, struct wq_err *err, const char *fmt, ...)
{
	char what[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	return err_set(err, -WQ_E_REFUSED, "plugin '%s' is broken: %s", f->path, what);
}

static int check_name(const struct file *f, const struct wq_plugin *d, struct wq_err *err)
{
	const char *file = strrchr(f->path, '/') + 1;
	size_t len = strlen(file);
	if (len > 3 && strcmp(file + len - 3, ".so") == 0)
		len -= 3;
	if (!d->name || !is_plugin_name(d->name) || strcmp(d->name, f->note.name) != 0)
		return broken(f, err,
			"its name must be [a-z][a-z0-9-]*, at most %d bytes, the same in its note "
			"and its descriptor",
			NAME_LONG_MAX);
	if (strncmp(d->name, file, len) != 0 || d->name[len] != '\0')
		return broken(
			f, err, "it calls itself '%s': the file must be %s.so", d->name, d->name);
	return 0;
}

/* Copy what the plugin's struct has; the rest of ours stays zero. */
static int take_descriptor(const struct file *f, const struct wq_plugin *theirs,
	struct wq_plugin *ret, struct wq_err *err)
{
	if (theirs->magic != WQ_PLUGIN_MAGIC)
		return broken(f, err, "its descriptor has magic 0x%08x instead of 0x%08x",
			theirs->magic, WQ_PLUGIN_MAGIC);
	if (theirs->struct_size < DESCRIPTOR_MIN_BYTES ||
		theirs->struct_size > DESCRIPTOR_MAX_BYTES)
		return broken(f, err, "its descriptor has struct_size %u; %u to %u is right",
			theirs->struct_size, (unsigned)DESCRIPTOR_MIN_BYTES,
			(unsigned)DESCRIPTOR_MAX_BYTES);
	memcpy(ret, theirs, theirs->struct_size < sizeof *ret ? theirs->struct_size : sizeof *ret);
	ret->struct_size = sizeof *ret;
	if (ret->abi_major != f->note.abi_major || ret->abi_minor != f->note.abi_minor)
		return broken(f, err, "its descriptor says ABI %u.%u, its note %u.%u",
			ret->abi_major, ret->abi_minor, f->note.abi_major, f->note.abi_minor);
	if (ret->self_size > SELF_MAX_BYTES || ret->task_size > TASK_MAX_BYTES)
		return broken(f, err, "self_size is %u (at most %d), task_size %u (at most %d)",
			ret->self_size, SELF_MAX_BYTES, ret->task_size, TASK_MAX_BYTES);
	if (!ret->version)
		ret->version = "";
	if (!ret->summary)
		ret->summary = "";
	return check_name(f, ret, err);
}

static int check_operations(const struct file *f, const struct wq_plugin *d, struct wq_err *err)
{
	const char *missing = !d->start_task     ? "start_task"
			      : !d->reap         ? "reap"
			      : !d->terminate    ? "terminate"
			      : !d->has_capacity ? "has_capacity"
						 : NULL;
	if (missing)
		return broken(f, err,
			"it lacks the operation %s; start_task, reap, terminate and "
			"has_capacity are required",
			missing);
	return 0;
}

/* What it says that it does must hold together. */
static int check_caps(const struct file *f, const struct wq_plugin *d, struct wq_err *err)
{
	uint32_t unknown = d->caps & ~(uint32_t)KNOWN_CAPS;
	if (unknown)
		return broken(f, err,
			"its caps have the bits 0x%x, which mean nothing in ABI %u.%u", unknown,
			d->abi_major, d->abi_minor);
	if (!(d->caps & WQ_CAP_CHILDREN))
		return 0;
	if (!(d->caps & WQ_CAP_WORK_DIR))
		return broken(f, err,
			"it has WQ_CAP_CHILDREN without WQ_CAP_WORK_DIR: the output of children "
			"goes "
			"into the work directory");
	if (!d->on_child)
		return broken(f, err,
			"it has WQ_CAP_CHILDREN and lacks the operation on_child, by which it "
			"hears "
			"how children end");
	return 0;
}

static int take_options(const struct file *f, struct plugin *p, struct wq_err *err)
{
	struct wq_plugin *d = &p->desc;
	if (d->n_options == 0) {
		d->options = NULL;
		return 0;
	}
	if (!d->options || d->n_options > OPTIONS_MAX || d->option_size < OPTION_MIN_BYTES ||
		d->option_size > OPTION_MAX_BYTES)
		return broken(f, err,
			"its option table has %u entries (at most %d) of %u bytes (%d to %d)%s",
			d->n_options, OPTIONS_MAX, d->option_size, OPTION_MIN_BYTES,
			OPTION_MAX_BYTES, d->options ? "" : " at NULL");
	p->options = calloc(d->n_options, sizeof *p->options);
	if (!p->options)
		return err_set(err, -ENOMEM, "plugin '%s'", f->path);
	size_t size = d->option_size < sizeof *p->options ? d->option_size : sizeof *p->options;
	for (size_t i = 0; i < d->n_options; i++)
		memcpy(&p->options[i], (const char *)d->options + i * d->option_size, size);
	d->options = p->options;
	d->option_size = sizeof *p->options;
	if (options_check_table(p->options, d->n_options, err) == 0)
		return 0;
	char why[256] = "";
	if (err)
		snprintf(why, sizeof why, "%s", err->text);
	return broken(f, err, "option table: %s", why);
}

static int load_file(struct file *f, struct plugin *p, struct wq_err *err)
{
	const struct wq_plugin *theirs;
	int rc = call_entry(f, &theirs, err);
	if (rc == 0)
		rc = take_descriptor(f, theirs, &p->desc, err);
	if (rc == 0)
		rc = check_operations(f, &p->desc, err);
	if (rc == 0)
		rc = check_caps(f, &p->desc, err);
	if (rc == 0)
		rc = take_options(f, p, err);
	return rc;
}

static int load_new(struct file *f, const struct plugin **ret, struct wq_err *err)
{
	int rc = judge_file(f, err);
	if (rc < 0)
		return rc;
	struct plugin *p = calloc(1, sizeof *p);
	if (!p)
		return err_set(err, -ENOMEM, "plugin '%s'", f->path);
	rc = load_file(f, p, err);
	if (rc < 0) {
		free(p->options);
		free(p);
		return rc;
	}
	p->path = f->path;
	f->path = NULL;
	p->dev = f->st.st_dev;
	p->ino = f->st.st_ino;
	p->next = loaded;
	loaded = p;
	*ret = p;
	return 0;
}

/*
 * By file, or by path: the dynamic linker answers the old object for a path that it knows, so a
 * file that was replaced since is used only after a restart.
 */
static const struct plugin *find_loaded(const struct file *f)
{
	struct stat st;
	if (fstat(f->fd, &st) < 0)
		return NULL;
	for (const struct plugin *p = loaded; p; p = p->next)
		if ((p->dev == st.st_dev && p->ino == st.st_ino) || strcmp(p->path, f->path) == 0)
			return p;
	return NULL;
}

int plugin_load(
	const char *name, const char *const *dirs, const struct plugin **ret, struct wq_err *err)
{
	struct file f = { .name = name, .fd = -1 };
	int rc = find_file(&f, dirs, err);
	if (rc == 0) {
		*ret = find_loaded(&f);
		if (!*ret)
			rc = load_new(&f, ret, err);
	}
	if (f.fd >= 0)
		fdio_close(&f.fd);
	free(f.path);
	return rc;
}
