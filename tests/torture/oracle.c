/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oracle: judges a spool and what happened to it.  tests/torture/README has the events, the promises
 * and which of them a power cut may break.  Nothing of wq is linked or included: what the oracle
 * knows of files it has from docs/wq-spool.7, wq-request.cddl and wq-result.cddl.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	ID_LEN = 31,
	WORD_SIZE = 32,
	DEPTH_MAX = 64,
	FILE_MAX = 64 << 20,
	QUARANTINE_MAX = 1000 /* docs/wq-spool.7, Quarantine: beyond, the oldest go */
};

enum level {
	LEVEL_NONE,
	LEVEL_BATCH,
	LEVEL_STRICT
};

enum policy {
	POLICY_FAIL,
	POLICY_REQUEUE,
	POLICY_ADOPT
};

enum place {
	PLACE_1,
	PLACE_2,
	PLACE_3,
	PLACE_4,
	PLACE_5,
	PLACE_FINISHED,
	PLACE_TMP,
	PLACE_QUARANTINE,
	PLACE_MAX
};

static const char *const place_names[PLACE_MAX] = { "1-requested", "2-pending", "3-running",
	"4-complete", "5-aborting", "finished", ".wq/tmp", ".wq/quarantine" };

/* What is known of one id. */
struct job {
	char id[ID_LEN + 1];
	bool acked_once, bad;
	bool firm;    /* it must stand until it is collected or aborted */
	bool torn_ok; /* a cut may have taken bytes of its request */
	bool was_cut; /* there was a cut since its first event */
	bool collected;
	bool gone;
	bool gone_cut; /* a cut after that */
	bool looked;   /* since it was gone */
	bool asked;    /* somebody may have asked for its abort */
	bool aborting, aborted;
	bool stands[PLACE_MAX];
	unsigned begun;
	long attempt;         /* the last one that began */
	char seen[WORD_SIZE]; /* the status that somebody has read */
	unsigned long acked_at;
	unsigned long barrier; /* when it began, see below */
};

static struct {
	enum level level;
	enum policy policy;
	bool final, left, fifo;
	const char *spool;

	struct job *jobs;
	size_t n_jobs, room;
	uint32_t *slots; /* 1 + index in jobs; 0: free */
	size_t n_slots;

	unsigned long now;       /* counts the lines */
	unsigned long killed_at; /* the server, last */
	unsigned long
		barrier; /* what was published before this line must be seen by the next start */
	unsigned long long hwm;
	bool some_are_bad; /* of those that nobody was told of */
	bool any_begun, killed_client, killed_shepherd, cut, unrecovered;
	bool is_made; /* a server has served here: its directories are there */
	char last_of_client[64][2][WORD_SIZE];
	int n_clients, n_quarantine, n_broken;
} c;

static int dirs[PLACE_MAX];

__attribute__((format(printf, 1, 2), noreturn)) static void bad_use(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("oracle: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

__attribute__((format(printf, 1, 2))) static void broken(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
	c.n_broken++;
}

static void *must_have(void *p)
{
	if (!p)
		bad_use("no memory");
	return p;
}

/* ---- ids ---------------------------------------------------------------------------------------
 */

static bool is_id(const char *s)
{
	static const char pattern[] = "dddddddddd.dddddd-hvvvvvvvvvvvv";
	for (int i = 0; i < ID_LEN; i++) {
		bool digit = s[i] >= '0' && s[i] <= '9';
		char last = pattern[i] == 'h' ? 'f' : 'v';
		bool letter = s[i] >= 'a' && s[i] <= last;
		if (pattern[i] == 'd'                            ? !digit
			: pattern[i] == 'h' || pattern[i] == 'v' ? !digit && !letter
								 : s[i] != pattern[i])
			return false;
	}
	return s[ID_LEN] == '\0';
}

static size_t slot_of(const char *id)
{
	uint64_t h = 14695981039346656037u;
	for (const char *p = id; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	size_t i = h & (c.n_slots - 1);
	while (c.slots[i] && strcmp(c.jobs[c.slots[i] - 1].id, id) != 0)
		i = (i + 1) & (c.n_slots - 1);
	return i;
}

static void grow(void)
{
	c.room = c.room ? c.room * 2 : 64;
	c.n_slots = c.room * 2;
	c.jobs = must_have(realloc(c.jobs, c.room * sizeof *c.jobs));
	free(c.slots);
	c.slots = must_have(calloc(c.n_slots, sizeof *c.slots));
	for (size_t i = 0; i < c.n_jobs; i++)
		c.slots[slot_of(c.jobs[i].id)] = (uint32_t)i + 1;
}

static struct job *job_of(const char *id)
{
	if (c.n_jobs == c.room)
		grow();
	size_t slot = slot_of(id);
	if (c.slots[slot])
		return &c.jobs[c.slots[slot] - 1];
	struct job *j = &c.jobs[c.n_jobs++];
	*j = (struct job){ .torn_ok = c.cut, .was_cut = c.cut };
	memcpy(j->id, id, ID_LEN);
	c.slots[slot] = (uint32_t)c.n_jobs;
	return j;
}

/* ---- files -------------------------------------------------------------------------------------
 */

struct bytes {
	const uint8_t *p, *end;
};

struct head {
	unsigned major;
	uint64_t value;
};

/* The head of an item.  No indefinite length: neither file format has one. */
static bool read_head(struct bytes *b, struct head *ret)
{
	if (b->p == b->end)
		return false;
	unsigned info = *b->p & 31;
	*ret = (struct head){ .major = *b->p++ >> 5, .value = info };
	if (info < 24)
		return true;
	if (info > 27 || (size_t)(b->end - b->p) < (size_t)1 << (info - 24))
		return false;
	ret->value = 0;
	for (int n = 1 << (info - 24); n > 0; n--)
		ret->value = ret->value << 8 | *b->p++;
	return true;
}

static bool read_text(struct bytes *b, struct bytes *ret)
{
	struct head h;
	if (!read_head(b, &h) || h.major != 3 || h.value > (size_t)(b->end - b->p))
		return false;
	*ret = (struct bytes){ b->p, b->p + h.value };
	b->p += h.value;
	return true;
}

static bool skip_item(struct bytes *b)
{
	uint64_t left[DEPTH_MAX + 1] = { 1 };
	for (int depth = 0; depth >= 0;) {
		struct head h;
		if (left[depth] == 0) {
			depth--;
			continue;
		}
		left[depth]--;
		if (!read_head(b, &h))
			return false;
		if (h.major == 2 || h.major == 3) {
			if (h.value > (size_t)(b->end - b->p))
				return false;
			b->p += h.value;
		} else if (h.major >= 4 && h.major <= 6) {
			if (depth == DEPTH_MAX || h.value > (uint64_t)1 << 60)
				return false;
			left[++depth] = h.major == 6 ? 1 : h.major == 5 ? h.value * 2 : h.value;
		}
	}
	return true;
}

/* RFC 3720, appendix B.4: reflected, polynomial 0x1EDC6F41. */
static uint32_t crc32c(const uint8_t *p, const uint8_t *end)
{
	static uint32_t table[256];
	for (uint32_t i = 0; table[255] == 0; i++) {
		uint32_t r = i;
		for (int k = 0; k < 8; k++)
			r = r >> 1 ^ (r & 1 ? 0x82f63b78 : 0);
		table[i] = r;
	}
	uint32_t crc = ~(uint32_t)0;
	for (; p < end; p++)
		crc = table[(crc ^ *p) & 255] ^ crc >> 8;
	return ~crc;
}

enum kind {
	KIND_NEITHER,
	KIND_REQUEST,
	KIND_RESULT
};

struct file {
	enum kind kind;
	char id[WORD_SIZE], status[WORD_SIZE], error[64];
};

static bool is_text(struct bytes t, const char *text)
{
	return (size_t)(t.end - t.p) == strlen(text) && memcmp(t.p, text, strlen(text)) == 0;
}

static void copy_text(struct bytes from, char *to, size_t size)
{
	size_t n = (size_t)(from.end - from.p);
	n = n < size - 1 ? n : size - 1;
	memcpy(to, from.p, n);
	to[n] = '\0';
}

/* Take what matters from one member of an envelope. */
static bool read_member(struct bytes *b, struct file *f)
{
	struct bytes key, text;
	if (!read_text(b, &key))
		return false;
	if (is_text(key, "wq-request") || is_text(key, "wq-result")) {
		f->kind = is_text(key, "wq-result") ? KIND_RESULT : KIND_REQUEST;
		struct head version;
		return read_head(b, &version) && version.major == 0 && version.value == 1;
	}
	bool is_id_key = is_text(key, "id"), is_status = is_text(key, "status");
	if (!is_id_key && !is_status && !is_text(key, "error"))
		return skip_item(b);
	if (!read_text(b, &text))
		return false;
	if (is_id_key)
		copy_text(text, f->id, sizeof f->id);
	else if (is_status)
		copy_text(text, f->status, sizeof f->status);
	else
		copy_text(text, f->error, sizeof f->error);
	return true;
}

/* A map under tag 55799.  Neither: it is another item, or none. */
static struct file read_envelope(struct bytes b)
{
	struct file f = { 0 }, none = { 0 };
	struct head h;
	if (!read_head(&b, &h) || h.major != 6 || h.value != 55799)
		return none;
	if (!read_head(&b, &h) || h.major != 5)
		return none;
	for (uint64_t i = 0; i < h.value; i++)
		if (!read_member(&b, &f))
			return none;
	return f;
}

static bool is_check(struct bytes item, const uint8_t *begin)
{
	if (item.end - item.p != 5 || *item.p != 0x44)
		return false;
	uint32_t crc = crc32c(begin, item.p);
	const uint8_t be[] = { (uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
		(uint8_t)crc };
	return memcmp(item.p + 1, be, 4) == 0;
}

/*
 * The items of a request are its envelope, a payload, perhaps a check; those of a result its
 * envelope, perhaps a payload, a check, and before them perhaps those of the request.
 */
static struct file read_items(struct bytes all)
{
	struct file f = { 0 }, none = { 0 };
	struct bytes item = all;
	int since_envelope = 0, n = 0;
	bool checked = false;
	while (item.end = all.end, item.p < all.end) {
		struct bytes next = item;
		if (checked && f.kind == KIND_REQUEST && n > 3)
			return none;
		if (!skip_item(&next))
			return none;
		item.end = next.p;
		struct file e = read_envelope(item);
		checked = is_check(item, all.p);
		if (e.kind != KIND_NEITHER && (n == 0 || e.kind == KIND_RESULT)) {
			f = e;
			since_envelope = 0;
		} else {
			since_envelope++;
		}
		n++;
		item.p = next.p;
	}
	if (f.kind == KIND_REQUEST)
		return (since_envelope == 1 || (since_envelope == 2 && checked)) ? f : none;
	if (f.kind == KIND_RESULT)
		return checked && since_envelope <= 2 && f.status[0] ? f : none;
	return none;
}

static struct file read_file(enum place place, const char *name)
{
	struct file f = { 0 };
	struct stat st;
	int fd = openat(dirs[place], name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return f;
	uint8_t *p = NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
		st.st_size <= FILE_MAX) {
		p = must_have(malloc((size_t)st.st_size));
		if (pread(fd, p, (size_t)st.st_size, 0) == st.st_size)
			f = read_items((struct bytes){ p, p + st.st_size });
	}
	free(p);
	close(fd);
	return f;
}

/* A whole result of this very id. */
static bool is_result(const struct job *j, const struct file *f)
{
	return f->kind == KIND_RESULT && strcmp(f->id, j->id) == 0;
}

/* ---- what happened ------------------------------------------------------------------------------
 */

static void on_acked(struct job *j, const char *client)
{
	if (j->acked_once)
		broken("I16: %s was given twice", j->id);
	for (int i = 0; *client && i <= c.n_clients && i < 64; i++) {
		if (i == c.n_clients)
			snprintf(c.last_of_client[c.n_clients++][0], WORD_SIZE, "%s", client);
		else if (strcmp(c.last_of_client[i][0], client) != 0)
			continue;
		if (strcmp(c.last_of_client[i][1], j->id) >= 0)
			broken("I16: %s comes after %s, both made by %s", j->id,
				c.last_of_client[i][1], client);
		memcpy(c.last_of_client[i][1], j->id, sizeof j->id);
		break;
	}
	j->acked_once = j->firm = true;
	j->torn_ok = false;
	j->acked_at = c.now;
}

static bool was_answered(const struct job *j)
{
	return j->seen[0] || j->collected;
}

/* It begins only now, and the server must have seen it when it chose one that is greater. */
static void check_order(const struct job *j)
{
	for (size_t i = 0; c.fifo && i < c.n_jobs; i++) {
		const struct job *o = &c.jobs[i];
		if (o->begun > 0 && j->acked_at && j->acked_at < o->barrier &&
			strcmp(j->id, o->id) < 0)
			broken("I9: %s begins before %s", o->id, j->id);
	}
}

static void on_begun(struct job *j, long attempt)
{
	bool on_its_way = strcmp(j->seen, "lost") == 0 && j->begun == 0 && c.killed_shepherd;
	if (was_answered(j) && !on_its_way)
		broken("I5: %s begins after its result was %s", j->id,
			j->seen[0] ? "seen" : "collected");
	else if (j->gone && j->asked)
		broken("I8: %s begins after its abort", j->id);
	else if (j->gone)
		broken("I1: %s begins after somebody was told that it is gone", j->id);
	if (j->begun > 0 && c.policy != POLICY_REQUEUE)
		broken("I6: %s begins twice", j->id);
	else if (j->begun > 0 && attempt <= j->attempt)
		broken("I6: %s begins as attempt %ld after attempt %ld", j->id, attempt,
			j->attempt);
	if (j->begun == 0) {
		check_order(j);
		j->barrier = c.barrier;
	}
	j->begun++;
	j->attempt = attempt;
	j->firm = c.any_begun = true;
}

static void on_ended(struct job *j, long attempt)
{
	if (j->begun > 0 && attempt < j->attempt)
		broken("I6: attempt %ld of %s ends when attempt %ld has begun", attempt, j->id,
			j->attempt);
	c.barrier = c.now;
}

/* Nobody says that it is a request. */
static bool may_be_bad(const struct job *j)
{
	return j->bad || (c.some_are_bad && !j->acked_once);
}

static void check_status(const struct job *j, const char *status)
{
	bool refused = strcmp(status, "rejected") == 0;
	if (refused && !may_be_bad(j) && !j->torn_ok)
		broken("I15: %s is rejected and was a request", j->id);
	if (j->bad && !refused && strcmp(status, "lost") != 0)
		broken("I15: %s is %s and was no request", j->id, status);
	if (strcmp(status, "ok") == 0 && j->begun == 0 && c.any_begun && !j->was_cut)
		broken("I7: %s is ok and never began", j->id);
	if (j->seen[0] && strcmp(j->seen, status) != 0)
		broken("I5: %s was %s and is now %s", j->id, j->seen, status);
}

static void on_seen(struct job *j, const char *status)
{
	if (j->gone && j->looked && !was_answered(j))
		broken("%s: %s has a result after somebody was told that it is gone",
			j->asked ? "I8" : "I1", j->id);
	check_status(j, status);
	if (!j->seen[0])
		snprintf(j->seen, sizeof j->seen, "%s", status);
	j->firm = true;
}

static void on_aborting(struct job *j)
{
	j->asked = true;
	j->aborting = j->firm;
}

static void on_gone(struct job *j)
{
	j->gone = true;
	j->looked = j->gone_cut = false;
}

static void on_hwm(const char *word)
{
	unsigned long long us = strtoull(word, NULL, 10);
	if (us < c.hwm)
		broken("I16: the high-water mark fell from %llu to %llu", c.hwm, us);
	c.hwm = us;
}

/* What this level does not promise of `j` any more. */
static void cut_job(struct job *j)
{
	bool durable = j->begun > 0 || j->seen[0];
	j->was_cut = true;
	j->gone_cut = j->gone;
	switch (c.level) {
	case LEVEL_NONE:
		*j = (struct job){ .acked_once = j->acked_once,
			.bad = j->bad,
			.asked = j->asked,
			.torn_ok = true,
			.was_cut = true };
		return;
	case LEVEL_BATCH:
		j->firm = j->firm && durable;
		j->torn_ok = j->torn_ok || !j->seen[0];
		j->aborted = j->aborted && j->gone;
		break;
	case LEVEL_STRICT:
		j->firm = j->firm && (durable || j->acked_once);
		break;
	}
}

static void on_cut(void)
{
	for (size_t i = 0; i < c.n_jobs; i++) {
		char id[ID_LEN + 1];
		memcpy(id, c.jobs[i].id, sizeof id);
		cut_job(&c.jobs[i]);
		memcpy(c.jobs[i].id, id, sizeof id);
	}
	c.cut = c.unrecovered = true;
	c.is_made = c.is_made && c.level != LEVEL_NONE;
	c.hwm = 0;
	c.barrier = c.now;
}

static void on_job(const char *what, const char *id, const char *word)
{
	if (!is_id(id))
		bad_use("line %lu: '%s' is no id", c.now, id);
	struct job *j = job_of(id);
	if (strcmp(what, "acked") == 0)
		on_acked(j, word);
	else if (strcmp(what, "begun") == 0)
		on_begun(j, strtol(word, NULL, 10));
	else if (strcmp(what, "ended") == 0)
		on_ended(j, strtol(word, NULL, 10));
	else if (strcmp(what, "looking") == 0)
		j->looked = true;
	else if (strcmp(what, "seen") == 0)
		on_seen(j, word);
	else if (strcmp(what, "collected") == 0)
		j->collected = true;
	else if (strcmp(what, "aborting") == 0)
		on_aborting(j);
	else if (strcmp(what, "aborted") == 0)
		j->aborted = j->aborting;
	else if (strcmp(what, "gone") == 0)
		on_gone(j);
	else if (strcmp(what, "bad") == 0)
		j->bad = true;
	else if (strcmp(what, "stands") == 0)
		j->firm = true;
	else
		bad_use("line %lu: '%s' is no event", c.now, what);
}

static void on_event(const char *line)
{
	char what[WORD_SIZE] = "", one[WORD_SIZE] = "", two[WORD_SIZE] = "";
	c.now++;
	if (sscanf(line, "%31s %31s %31s", what, one, two) < 1)
		return;
	if (strcmp(what, "cut") == 0) {
		on_cut();
	} else if (strcmp(what, "ready") == 0) {
		c.unrecovered = false;
		c.is_made = true;
	} else if (strcmp(what, "bad") == 0 && !one[0]) {
		c.some_are_bad = true;
	} else if (strcmp(what, "hwm") == 0) {
		on_hwm(one);
	} else if (strcmp(what, "killed") == 0) {
		c.killed_client |= strcmp(one, "client") == 0;
		c.killed_shepherd |= strcmp(one, "shepherd") == 0;
		if (strcmp(one, "server") == 0)
			c.killed_at = c.barrier = c.now;
	} else {
		on_job(what, one, two);
	}
}

/* ---- what stands -------------------------------------------------------------------------------
 */

static void list(enum place place)
{
	int fd = openat(dirs[place], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	for (struct dirent *e; d && (e = readdir(d));) {
		bool is_client_at_work =
			(place == PLACE_1 || place == PLACE_5) && e->d_name[0] == '.';
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
			is_client_at_work)
			continue;
		if (place == PLACE_QUARANTINE)
			c.n_quarantine++;
		else if (is_id(e->d_name))
			job_of(e->d_name)->stands[place] = true;
		if (place == PLACE_TMP && c.final && !c.left)
			broken("I7: %s is left in .wq/tmp", e->d_name);
		else if (place < PLACE_5 && c.final && !is_id(e->d_name))
			broken("I7: '%s' is left in %s", e->d_name, place_names[place]);
	}
	if (d)
		closedir(d);
}

static void check_marker(const struct job *j)
{
	struct stat st;
	if (j->stands[PLACE_5] && fstatat(dirs[PLACE_5], j->id, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		(!S_ISREG(st.st_mode) || st.st_size > 0))
		broken("I3: the marker of %s is not empty", j->id);
	if (!j->aborted || j->stands[PLACE_5])
		return;
	for (enum place p = PLACE_1; p <= PLACE_3; p++)
		if (j->stands[p])
			broken("I3: %s is aborted, its marker has gone, and it stands in %s", j->id,
				place_names[p]);
	if (j->stands[PLACE_4])
		broken("I8: %s is aborted and has a result", j->id);
}

/* Whole files in 1 to 4; a result says the same as before. */
static void check_files(const struct job *j)
{
	for (enum place p = PLACE_1; p <= PLACE_4; p++) {
		if (!j->stands[p])
			continue;
		struct file f = read_file(p, j->id);
		bool whole =
			is_result(j, &f) ? p >= PLACE_3 : f.kind == KIND_REQUEST && p < PLACE_4;
		bool excused = p == PLACE_4 ? j->torn_ok && c.level == LEVEL_NONE
					    : may_be_bad(j) || j->torn_ok || c.unrecovered;
		if (!whole && !excused)
			broken("I2: %s is not whole in %s", j->id, place_names[p]);
		if (c.unrecovered)
			continue;
		if (is_result(j, &f) && !j->asked)
			check_status(j, f.status);
		else if (f.kind == KIND_REQUEST && was_answered(j))
			broken("I5: the result of %s was seen, and it may begin again", j->id);
	}
}

static int n_standing(const struct job *j)
{
	int n = 0;
	for (enum place p = PLACE_1; p <= PLACE_4; p++)
		n += j->stands[p];
	return n;
}

static void check_place(const struct job *j)
{
	int n = n_standing(j);
	bool collected = j->collected || j->stands[PLACE_FINISHED];
	if (n > 1)
		broken("I1: %s stands in %d places", j->id, n);
	if (n == 0 && j->firm && !j->asked && !collected && !(j->seen[0] && c.killed_client))
		broken("I4: %s is lost", j->id);
	if (n == 0 || j->aborted)
		return;
	bool only_result = n == 1 && j->stands[PLACE_4];
	if (collected && !(only_result && j->was_cut))
		broken("I5: %s was collected and stands again", j->id);
	else if (!collected && j->gone && !(only_result && j->gone_cut && !j->asked))
		broken("%s: somebody was told that %s is gone, and it stands",
			j->asked ? "I8" : "I1", j->id);
}

static bool is_in_quarantine(const struct job *j)
{
	struct stat st;
	/* The reason beside it may be missing where a disk was full. */
	return c.n_quarantine >= QUARANTINE_MAX ||
	       fstatat(dirs[PLACE_QUARANTINE], j->id, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void check_answer(const struct job *j)
{
	enum place place = j->stands[PLACE_4] ? PLACE_4 : PLACE_FINISHED;
	struct file f = read_file(place, j->id);
	if (is_result(j, &f) && !f.error[0])
		broken("I15: %s is %s without a reason", j->id, f.status);
	/* One that a killed server had taken for its turn may be lost instead. */
	if (strcmp(f.status, "rejected") == 0 && !is_in_quarantine(j) && !j->was_cut)
		broken("I15: %s was no request and is not in quarantine", j->id);
}

static void check_rest(const struct job *j)
{
	static const enum place restless[] = { PLACE_1, PLACE_2, PLACE_3, PLACE_5 };
	for (size_t i = 0; i < sizeof restless / sizeof *restless; i++)
		if (j->stands[restless[i]])
			broken("I7: %s is left in %s", j->id, place_names[restless[i]]);
	if (j->bad && !j->asked && (j->stands[PLACE_4] || j->stands[PLACE_FINISHED]))
		check_answer(j);
}

static void check_job(const struct job *j)
{
	check_files(j);
	if (c.unrecovered)
		return;
	check_place(j);
	check_marker(j);
	if (c.final)
		check_rest(j);
}

/* The greater of what .wq/hwm and wq.status say; 0: neither does. */
static unsigned long long read_hwm(int root)
{
	static const char key[] = "\x66hwm-us";
	char text[4096] = "";
	unsigned long long us = 0;
	int fd = openat(root, ".wq/hwm", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t n = read(fd, text, sizeof text - 1);
		text[n > 0 ? n : 0] = '\0';
		us = strtoull(text, NULL, 10);
		close(fd);
	}
	fd = openat(root, "wq.status", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : pread(fd, text, sizeof text, 0);
	char *at = n > 0 ? memmem(text, (size_t)n, key, sizeof key - 1) : NULL;
	struct head h = { 0 };
	if (at) {
		struct bytes b = { (uint8_t *)at + sizeof key - 1, (uint8_t *)text + n };
		if (read_head(&b, &h) && h.major == 0 && h.value > us)
			us = h.value;
	}
	if (fd >= 0)
		close(fd);
	return us;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct job *)a)->id, ((const struct job *)b)->id);
}

static int judge(void)
{
	int root = open(c.spool, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 && (errno != ENOENT || c.is_made || c.n_jobs > 0))
		bad_use("%s: %s", c.spool, strerror(errno));
	for (enum place p = 0; p < PLACE_MAX; p++) {
		dirs[p] = openat(root, place_names[p], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (dirs[p] < 0 && p < PLACE_5 && (c.is_made || c.n_jobs > 0))
			broken("I1: %s is not there", place_names[p]);
		else if (dirs[p] >= 0)
			list(p);
	}
	unsigned long long us = read_hwm(root);
	if (us && us < c.hwm)
		broken("I16: the high-water mark fell from %llu to %llu", c.hwm, us);
	qsort(c.jobs, c.n_jobs, sizeof *c.jobs, by_id);
	for (size_t i = 0; i < c.n_jobs; i++)
		check_job(&c.jobs[i]);
	for (enum place p = 0; p < PLACE_MAX; p++)
		if (dirs[p] >= 0)
			close(dirs[p]);
	if (root >= 0)
		close(root);
	return c.n_broken;
}

/* ---- options -----------------------------------------------------------------------------------
 */

static int choice(const char *word, const char *const *names, const char *option)
{
	for (int i = 0; i < 3; i++)
		if (word && strcmp(word, names[i]) == 0)
			return i;
	bad_use("%s: none of %s, %s, %s", option, names[0], names[1], names[2]);
}

static void begin(char **words)
{
	static const char *const levels[] = { "none", "batch", "strict" };
	static const char *const policies[] = { "fail", "requeue", "adopt" };
	struct job *jobs = c.jobs;
	size_t room = c.room;
	uint32_t *slots = c.slots;
	size_t n_slots = c.n_slots;
	memset(&c, 0, sizeof c);
	c.jobs = jobs;
	c.room = room;
	c.slots = slots;
	c.n_slots = n_slots;
	if (slots)
		memset(slots, 0, n_slots * sizeof *slots);
	for (; *words; words++) {
		if (strcmp(*words, "--level") == 0)
			c.level = (enum level)choice(*++words, levels, "--level");
		else if (strcmp(*words, "--policy") == 0)
			c.policy = (enum policy)choice(*++words, policies, "--policy");
		else if (strcmp(*words, "--final") == 0)
			c.final = true;
		else if (strcmp(*words, "--left") == 0)
			c.final = c.left = true;
		else if (strcmp(*words, "--fifo") == 0)
			c.fifo = true;
		else if (**words == '-' || c.spool)
			bad_use("'%s' is not understood", *words);
		else
			c.spool = *words;
	}
	if (!c.spool)
		bad_use("use: oracle [--level L] [--policy P] [--final|--left] [--fifo] SPOOL "
			"<events");
}

static void serve(void)
{
	static char line[8192], header[8192];
	bool open = false;
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "case ", 5) == 0) {
			char *words[16] = { 0 };
			int n = 0;
			memcpy(header, line, sizeof line);
			strtok(header, " ");
			while (n < 15 && (words[n] = strtok(NULL, " ")))
				n++;
			begin(words);
			open = true;
		} else if (open && strcmp(line, "end") == 0) {
			printf("judged %d\n", judge());
			fflush(stdout);
			open = false;
		} else if (open) {
			on_event(line);
		} else {
			bad_use("'%s' is outside of a case", line);
		}
	}
	if (open)
		bad_use("a case does not end");
}

int main(int argc, char **argv)
{
	static char line[8192];
	if (argc == 2 && strcmp(argv[1], "--serve") == 0) {
		serve();
		return 0;
	}
	begin(argv + 1);
	while (fgets(line, sizeof line, stdin))
		on_event(line);
	return judge() > 0;
}
