/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/syncer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"

struct syncer {
	const struct spool *spool;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct sync_batch *given, *done;
	bool closing;
	int event_fd;
};

static struct sync_batch *next_batch(struct syncer *s)
{
	pthread_mutex_lock(&s->mutex);
	while (!s->given && !s->closing)
		pthread_cond_wait(&s->changed, &s->mutex);
	struct sync_batch *batch = s->given;
	pthread_mutex_unlock(&s->mutex);
	return batch;
}

static void give_back(struct syncer *s, struct sync_batch *batch)
{
	pthread_mutex_lock(&s->mutex);
	s->given = NULL;
	s->done = batch;
	pthread_mutex_unlock(&s->mutex);
	uint64_t one = 1;
	wq_check(write(s->event_fd, &one, sizeof one) == (ssize_t)sizeof one);
}

static void *run(void *arg)
{
	struct syncer *s = arg;
	struct sync_batch *batch;
	while ((batch = next_batch(s))) {
		batch->rc = sync_now(s->spool, batch->dirs, batch->files, batch->n_files);
		give_back(s, batch);
	}
	return NULL;
}

/* Signals are the loop's. */
static int start_thread(struct syncer *s)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -rc;
}

int syncer_open(struct syncer **ret, const struct spool *sp)
{
	struct syncer *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->spool = sp;
	s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int rc = s->event_fd < 0 ? -errno : 0;
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->changed, NULL);
	if (rc == 0)
		rc = start_thread(s);
	if (rc == 0) {
		*ret = s;
		return 0;
	}
	if (s->event_fd >= 0)
		close(s->event_fd);
	free(s);
	return rc;
}

void syncer_close(struct syncer *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->mutex);
	s->closing = true;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->mutex);
	pthread_join(s->thread, NULL);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->mutex);
	close(s->event_fd);
	free(s);
}

int syncer_fd(const struct syncer *s)
{
	return s->event_fd;
}

void syncer_give(struct syncer *s, struct sync_batch *batch)
{
	pthread_mutex_lock(&s->mutex);
	wq_check(!s->given && !s->done);
	s->given = batch;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->mutex);
}

struct sync_batch *syncer_take(struct syncer *s)
{
	uint64_t n;
	if (read(s->event_fd, &n, sizeof n) < 0)
		return NULL; /* EAGAIN: it is not done */
	pthread_mutex_lock(&s->mutex);
	struct sync_batch *batch = s->done;
	s->done = NULL;
	pthread_mutex_unlock(&s->mutex);
	return batch;
}
