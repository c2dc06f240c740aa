/* SPDX-License-Identifier: BSD-2-Clause */
#include "library.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <wq/plugin-util.h>

#define SHIPPED "handlers/standard.so"

/* What a table must have at least: up to `run`, and up to `version`. */
enum {
	HANDLER_SIZE_MIN = offsetof(struct wq_handler, check),
	FILE_SIZE_MIN = sizeof(struct wq_handlers),
	NAME_SIZE_MAX = 63
};

static int32_t shipped_path(char ret[PATH_MAX], struct wq_err *err)
{
	Dl_info info;
	/* A data object would do as well, but a function needs no cast away from const. */
	if (dladdr((void *)(uintptr_t)library_open, &info) == 0 || !info.dli_fname)
		return wq_fail(err, -WQ_E_REFUSED, NULL,
			"cannot tell where thread-pool.so is: give its option 'handlers' a path");
	const char *slash = strrchr(info.dli_fname, '/');
	int dir = slash ? (int)(slash - info.dli_fname) + 1 : 0;
	int n = snprintf(ret, PATH_MAX, "%s%.*s" SHIPPED, slash ? "" : "./", dir, info.dli_fname);
	if (n < 0 || n >= PATH_MAX)
		return wq_fail(err, -ENAMETOOLONG, NULL, "the path of " SHIPPED);
	return 0;
}

static int32_t check_file(const char *path, struct wq_err *err)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return wq_fail(err, -errno, NULL, "handler file '%s'", path);
	if (!S_ISREG(st.st_mode))
		return wq_fail(
			err, -WQ_E_REFUSED, NULL, "handler file '%s' is not a regular file", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return wq_fail(err, -WQ_E_REFUSED, NULL,
			"handler file '%s' belongs to user %u, not to root or to the server's user",
			path, (unsigned)st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return wq_fail(err, -WQ_E_REFUSED, NULL,
			"handler file '%s' may be written by others (mode %04o): chmod go-w", path,
			(unsigned)(st.st_mode & 07777u));
	return 0;
}

static bool name_is_good(const char *name)
{
	size_t len = name ? strlen(name) : 0;
	if (len == 0 || len > NAME_SIZE_MAX || name[0] < 'a' || name[0] > 'z')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static int32_t check_header(const char *path, const struct wq_handlers *file, struct wq_err *err)
{
	if (!file || file->magic != WQ_HANDLER_MAGIC)
		return wq_fail(err, -WQ_E_REFUSED, NULL, "'%s' is not a handler file", path);
	if (file->abi_major != WQ_HANDLER_ABI_MAJOR || file->abi_minor > WQ_HANDLER_ABI_MINOR)
		return wq_fail(err, -WQ_E_UNSUPPORTED, NULL,
			"handler file '%s' is made for handler ABI %u.%u, this thread-pool has "
			"%u.%u",
			path, file->abi_major, file->abi_minor, WQ_HANDLER_ABI_MAJOR,
			WQ_HANDLER_ABI_MINOR);
	if (file->out_size != sizeof(struct wq_cbor_out))
		return wq_fail(err, -WQ_E_UNSUPPORTED, NULL,
			"handler file '%s' was built with another wq/cbor.h", path);
	if (file->struct_size < FILE_SIZE_MIN || file->handler_size < HANDLER_SIZE_MIN ||
		file->handler_size % sizeof(void *) != 0 || !file->handlers ||
		file->n_handlers == 0 || file->n_handlers > LIBRARY_HANDLERS_MAX)
		return wq_fail(err, -WQ_E_REFUSED, NULL, "handler file '%s': bad table", path);
	return 0;
}

/* Entries are as large as their compiler had them: what is missing becomes zero. */
static int32_t copy_table(
	struct library *lib, const char *path, const struct wq_handlers *file, struct wq_err *err)
{
	size_t size = file->handler_size < sizeof(struct wq_handler) ? file->handler_size
								     : sizeof(struct wq_handler);
	lib->handlers = calloc(file->n_handlers, sizeof(*lib->handlers));
	if (!lib->handlers)
		return wq_fail(err, -ENOMEM, NULL, "handler file '%s'", path);
	for (uint32_t i = 0; i < file->n_handlers; i++) {
		struct wq_handler *h = &lib->handlers[i];
		memcpy(h, (const char *)file->handlers + (size_t)i * file->handler_size, size);
		if (!name_is_good(h->name) || !h->run)
			return wq_fail(err, -WQ_E_REFUSED, NULL,
				"handler file '%s': entry %u has no good name or no 'run'", path,
				i);
		if (library_find(lib, h->name, strlen(h->name)))
			return wq_fail(err, -WQ_E_REFUSED, NULL,
				"handler file '%s' has two handlers '%s'", path, h->name);
		lib->n_handlers++;
	}
	return 0;
}

int32_t library_open(struct library *lib, const char *path, struct wq_err *err)
{
	char shipped[PATH_MAX];
	memset(lib, 0, sizeof(*lib));
	int32_t rc = path ? 0 : shipped_path(shipped, err);
	if (!path)
		path = shipped;
	if (rc == 0)
		rc = check_file(path, err);
	if (rc < 0)
		return rc;

	/* The dynamic linker searches its own directories for a name without a slash. */
	lib->dl = strchr(path, '/') ? dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : NULL;
	if (!lib->dl)
		return wq_fail(err, -WQ_E_REFUSED, NULL, "cannot load handler file '%s': %s", path,
			strchr(path, '/') ? dlerror() : "the path has no '/'");
	wq_handlers_fn *entry;
	*(void **)&entry = dlsym(lib->dl, WQ_HANDLERS_SYMBOL);
	const struct wq_handlers *file = entry ? entry() : NULL;
	rc = check_header(path, file, err);
	if (rc == 0)
		rc = copy_table(lib, path, file, err);
	if (rc < 0)
		library_close(lib);
	return rc;
}

void library_close(struct library *lib)
{
	free(lib->handlers);
	if (lib->dl)
		(void)dlclose(lib->dl); /* counts down only: RTLD_NODELETE */
	memset(lib, 0, sizeof(*lib));
}

const struct wq_handler *library_find(const struct library *lib, const char *name, size_t len)
{
	for (uint32_t i = 0; i < lib->n_handlers; i++) {
		const struct wq_handler *h = &lib->handlers[i];
		if (strlen(h->name) == len && memcmp(h->name, name, len) == 0)
			return h;
	}
	return NULL;
}

char *library_list(const struct library *lib, char *ret, size_t size)
{
	size_t len = 0;
	ret[0] = '\0';
	for (uint32_t i = 0; i < lib->n_handlers && len < size; i++)
		len += (size_t)snprintf(
			ret + len, size - len, "%s%s", i > 0 ? ", " : "", lib->handlers[i].name);
	return ret;
}
