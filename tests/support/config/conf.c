/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/config/conf.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int conf_read(const char *text, struct config *ret, struct problems *p)
{
	return config_read_text(text, "wq.conf", "/etc/wq", ret, p);
}

void conf_must_read(const char *text, struct config *ret)
{
	struct problems p = { 0 };
	ck_assert_msg(conf_read(text, ret, &p) == 0, "%s", conf_lines(&p));
	ck_assert_uint_eq(p.n, 0);
}

bool conf_has(const struct problems *p, const char *line)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->lines[i], line) == 0)
			return true;
	return false;
}

const char *conf_lines(const struct problems *p)
{
	static char text[16384];
	size_t used = (size_t)snprintf(text, sizeof text, "%zu problems:", p->n);
	for (size_t i = 0; i < p->n && used < sizeof text; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "\n    %s", p->lines[i]);
	return text;
}

char *conf_mkdir(void)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = NULL;
	ck_assert_int_ge(
		asprintf(&dir, "%s/wq-config-XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp"), 0);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	return dir;
}

char *conf_write(const char *dir, const char *name, const void *bytes, size_t len)
{
	char *path = NULL;
	ck_assert_int_ge(asprintf(&path, "%s/%s", dir, name), 0);
	FILE *f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
	return path;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void conf_rmdir(char *dir)
{
	ck_assert_int_eq(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	free(dir);
}

char *conf_source_file(const char *path)
{
	const char *top = getenv("WQ_SOURCE_DIR");
	char whole[4096];
	snprintf(whole, sizeof whole, "%s/%s", top ? top : ".", path);
	FILE *f = fopen(whole, "re");
	ck_assert_msg(f != NULL, "%s is not there", whole);
	char *text = calloc(1, 1 << 18);
	ck_assert_ptr_nonnull(text);
	size_t n = fread(text, 1, (1 << 18) - 1, f);
	ck_assert_uint_gt(n, 0);
	fclose(f);
	return text;
}
