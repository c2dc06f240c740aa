/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plugin/plugin: find a plugin's file, judge it before any of its code runs, load it, copy its
 * descriptor.  docs/wq-plugin.3 lists the steps and their messages.
 */
#pragma once

#include <stdio.h>

#include <wq/plugin.h>

struct wq_err;

/* A loaded plugin.  Never unloaded: its code may still be running in a thread that ends late. */
struct plugin {
	struct wq_plugin desc; /* our copy: what the plugin's struct does not have is zero */
	char *path;
	struct wq_option *options; /* our copy, n_options of our size */
	uint64_t dev, ino;
	struct plugin *next;
};

/*
 * Load `name` (looked up as NAME.so in `dirs`, NULL-terminated) or a path with a '/'.  A plugin
 * that is loaded already is answered again.  In this order, each with its own message: found;
 * regular file, owned by root or us, not writable by others; ELF of this machine with the note;
 * ABI; dlopen; entry symbol; magic, sizes, name; required operations; capabilities; option table.
 * -ENOENT, -WQ_E_REFUSED (not safe, or not a plugin, or broken), -WQ_E_UNSUPPORTED (ABI).
 */
int plugin_load(
	const char *name, const char *const *dirs, const struct plugin **ret, struct wq_err *err);

/* What `wq-server --describe` prints. */
void plugin_describe(const struct plugin *p, FILE *out);
