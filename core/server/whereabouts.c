/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is all where clients look for it: the spool at its path, and in it wq.sock and wq.status?  The server
 * itself holds what it has opened, wherever that is moved.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"
#include "control/control.h"
#include "spool/status.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

bool whereabouts_root(struct server *s)
{
	struct stat here, there;
	const struct spool_io *io = s->spool.io;
	int rc = io->fstat(s->spool.root_fd, &here);
	if (rc == 0)
		rc = io->fstatat(AT_FDCWD, s->config.spool, &there, 0);
	bool away = rc < 0 || here.st_dev != there.st_dev || here.st_ino != there.st_ino;
	if (away && !s->away)
		log_err("the spool is not at '%s' any more (%s); what needs a work directory is "
			"not "
			"started until it is back",
			s->config.spool, rc < 0 ? strerror(-rc) : "another directory is there");
	else if (!away && s->away)
		log_notice("the spool is at '%s' again", s->config.spool);
	s->away = away;
	return !away;
}

/* Who removes a whole spool removes these first, perhaps. */
void whereabouts_renew_soon(struct server *s)
{
	loop_set_timer(s->loop, s->renew_timer, time_after(time_mono_ns(), NS_PER_S));
}

void whereabouts_renew(struct server *s)
{
	struct wq_err err = { 0 };
	if (s->directory_moved)
		return;
	int rc = s->control ? control_renew(s->control, &err) : 0;
	if (rc < 0)
		log_warn("wq.sock was removed, and nobody can ask this server: %s", err.text);
	else if (rc > 0)
		log_notice("wq.sock was removed; made anew");
	rc = status_renew(&s->spool, s->config.spool, &err);
	if (rc < 0)
		log_warn("wq.status was removed, and clients do not hear of this server: %s",
			err.text);
	else if (rc > 0)
		log_notice("wq.status was removed or cut; made anew");
	if (rc > 0)
		s->page_changed = true;
}
