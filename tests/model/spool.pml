/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The spool protocol of wq (docs/wq-spool.7) for the life of one request id: clients, the server and
 * the task, with crashes of the server and power cuts at any step.  README says which part here is
 * which step there.
 *
 * A d_step is one system call, or what nobody can see the halves of.  Between two of them everybody
 * else may move, the server may be killed and the power may fail.
 */

/* ---- parameters -------------------------------------------------------------------------------- */

/*
 * -DNAME=VALUE to spin; or -DFROM_ENVIRONMENT, and the program that spin makes takes them all from
 * there, which saves compiling it for each.
 */
#ifdef FROM_ENVIRONMENT
hidden byte level, promise, policy, fs, server_crashes, power_cuts, looks, mutant;
#define LEVEL level
#define PROMISE promise
#define POLICY policy
#define FS fs
#define CRASHES server_crashes
#define CUTS power_cuts
#define LOOKS looks
#define MUTANT mutant
#endif

/* LEVEL of durability; and PROMISE, the level whose promises must hold across power cuts. */
#define NONE 0
#define BATCH 1
#define STRICT 2
#ifndef LEVEL
#define LEVEL STRICT
#endif
#ifndef PROMISE
#define PROMISE LEVEL
#endif

/* POLICY: what becomes of a request in 3 whose server has died. */
#define FAIL 0    /* lost; its task dies with the server */
#define REQUEUE 1 /* pending again; its task may outlive the server, but cannot be taken up again */
#define ADOPT 2   /* its task, a child of the shepherd, is taken up again */
#ifndef POLICY
#define POLICY FAIL
#endif

/* FS: what a power cut may undo of the changes of directories that were not synced. */
#define JOURNAL 0 /* the last ones, of all; and to sync one directory is to sync them all */
#define PARTS 1   /* any; but what was renamed has its old name, its new one, or both */
#define APART 2   /* any */
#ifndef FS
#define FS PARTS
#endif

#ifndef CRASHES /* of the server */
#define CRASHES 2
#endif
#ifndef CUTS
#define CUTS 2
#endif

/* LOOKS: how often a client looks in 1, 2 and 3 before it says that a request is gone; 0: never. */
#ifndef LOOKS
#define LOOKS 0
#endif

/* MUTANT: a step that is missing or in the wrong place. */
#define RESULT_NAME_UNSYNCED 1  /* no sync of the directory before the result can be seen */
#define RESULT_BYTES_UNSYNCED 2 /* none of the file */
#define SHOWN_BEFORE_DURABLE 3  /* published, then committed */
#define SHOWN_BESIDE_REQUEST 4  /* published, then the request in 3 unlinked */
#define BEGUN_BEFORE_RENAME 5   /* the task begins when the request is in 2 */
#define MARKER_FIRST 6          /* the marker goes before its subject */
#define NO_PROOF_OF_DEATH 7     /* pending again when the old attempt may run */
#define REQUEST_UNSYNCED 8      /* by its client, at STRICT */
#define MARKER_UNSYNCED 9       /* by its client, at STRICT */
#define TORN_NOT_REFUSED 10     /* the check item is not looked at */
#define END_NOT_AWAITED 11      /* the marker goes when the task may run */
#define ORDER_NOT_READ 12       /* the shepherd answers without what the old server has sent */
#define REBOOT_UNNOTICED 13     /* no record of a task is a proof after a power cut, too */
#define RESULT_LEFT_IN_3 14     /* recovery passes over it */
#define MARKER_PASSED_OVER 15   /* by recovery, to be seen later */
/* What a design or the code said, and this model found to be wrong. */
#define FOUND_SHOWN_UNSYNCED 20 /* recovery publishes what it finds in 3 as it is */
#define NOTHING_UNSYNCED 21     /* a marker goes without a sync when nothing stands under its id */
#define MARKERS_LISTED_LAST 22  /* at start */
#define TMP_TAKEN_BACK 23       /* a request alone in tmp goes back to 3 */
#define REBOOT_FORGOTTEN 24     /* a task of another id begins before the lost ones are published */
/* The same, but enough on a JOURNAL. */
#define START_SYNCS_3 30    /* and not 1 and 2 */
#define ABORT_SYNCS_ONE 31  /* the directory where the subject stood */
#define CLIENT_SYNCS_1 32   /* at STRICT, and not the file once more */
#define FOUND_UNSYNCED 33   /* recovery takes for durable what it finds */
#define TIDYING_UNSYNCED 34 /* and what it unlinks */
#define REQUEUE_UNSYNCED 35 /* nothing is synced at start where a second one does no harm */
#define FEWER_SYNCS 36      /* all of 30 to 35 */
#ifndef MUTANT
#define MUTANT 0
#endif
#define IS(one) (MUTANT == one || MUTANT == FEWER_SYNCS && one >= START_SYNCS_3)

/* ---- the spool --------------------------------------------------------------------------------- */

#define TMP 0 /* .wq/tmp; 1 to 5 are the directories of these numbers */

/* What stands there under the id: a bit each, so that a set of them is what a cut may leave. */
#define NIL 1
#define REQ 2   /* the request */
#define RES 4   /* the result of its task */
#define LOST 8  /* a result that the server gives: lost, or rejected */
#define TORN 16 /* half a file */
#define MARK 32 /* the abort marker, which has no bytes */

#define BIT(d) (1 << (d))
#define FILE(what) ((what) >> 1)
#define IS_FILE(what) ((what) & (REQ | RES | LOST))
#define IS_RESULT(what) ((what) & (RES | LOST))
#define STANDS_IN(d, what) (now[d] == (what) -> BIT(d) : 0)
#define STANDS(what) (STANDS_IN(TMP, what) | STANDS_IN(1, what) | STANDS_IN(2, what) | \
	STANDS_IN(3, what) | STANDS_IN(4, what))

byte now[6] = NIL;  /* as processes see it */
byte disk[6] = NIL; /* as a power cut may leave it; known as long as there is one to come */
byte synced;        /* the files whose bytes are on disk */
byte names[5];      /* of a FILE that got a name on disk: where it has stood since */

byte crashes;
byte cuts;

/* ---- the server and the task --------------------------------------------------------------------- */

/* What the server does next. */
mtype = { boot, listed, recover, idle, started, committed, running, create, write, exchange, commit,
	publish, retire, acknowledge, remove, unmark, begun_first };
mtype step = boot;
byte result;   /* to be written */
bool rebooted; /* since the last task began: what is not known of those before is not known */
bool was_busy; /* a task manager had no room after all, once */
byte stood;    /* where the subject of an abort did, for ABORT_SYNCS_ONE */

mtype = { nothing, runs, ended, orphan };
mtype task = nothing; /* orphan: it runs, and nobody can hear of its end */
bool ordered;         /* the order to start it is in the shepherd's socket */

/* ---- the clients, and what they were promised ---------------------------------------------------- */

mtype = { not_yet, under_way, done };
mtype publishing = not_yet;
mtype aborting = not_yet;
byte looked; /* so many directories were empty */
#define ALL_LOOKS (3 * LOOKS + 1)

bool acked;   /* its client was told that the request is published */
bool stands;  /* it is in one of 1 to 4 */
bool kept;    /* who asked for the abort was told that this is certain */
bool early;   /* when the request was still in 1 */
bool marked;  /* its marker was there when the server started, and no result */
bool aborted; /* the marker has gone */
bool begun;   /* a task has begun */
byte seen;    /* the result that a client has read */
bool collected;
bool cut;     /* the power has failed */
bool unclear; /* and recovery has not run since */

/* The names of broken promises, to be read in messages: none is ever true. */
hidden byte stands_twice, is_lost, request_is_torn, runs_twice_at_once, runs_again,
	runs_after_its_result, result_changes, aborted_runs, aborted_stands, aborted_is_shown,
	early_abort_runs, outlives_its_abort, torn_is_shown, torn_is_run, is_overwritten, told_gone;

#define HOLDS(one) (!cut || PROMISE >= one)
#define PLACES ((now[1] != NIL) + (now[2] != NIL) + (now[3] != NIL) + (now[4] != NIL))

inline check()
{
	assert(unclear || PLACES <= 1 || stands_twice);
	assert(unclear || !stands || PLACES == 1 || is_lost);
	assert(unclear || !aborted || PLACES == 0 || !HOLDS(BATCH) || aborted_stands);
	assert(now[4] != TORN || !HOLDS(BATCH) || torn_is_shown);
	assert(!seen || now[4] == NIL || now[4] == seen || !HOLDS(BATCH) || result_changes)
}

/* ---- what system calls do ------------------------------------------------------------------------ */

hidden byte other;

inline put(d, what)
{
	now[d] = what;
	if
	:: FS != JOURNAL && cuts > 0 -> disk[d] = disk[d] | what
	:: else
	fi
}

inline note_name(d)
{
	if
	:: FS == PARTS && IS_FILE(now[d]) && names[FILE(now[d])] ->
		names[FILE(now[d])] = names[FILE(now[d])] | BIT(d)
	:: else
	fi
}

inline rename(from, to)
{
	assert(now[to] == NIL || is_overwritten);
	put(to, now[from]);
	put(from, NIL);
	note_name(to);
	check()
}

inline exchange_with_tmp(d)
{
	other = now[d];
	put(d, now[TMP]);
	put(TMP, other);
	note_name(d);
	note_name(TMP);
	other = 0;
	check()
}

inline unlink(d)
{
	other = now[d];
	put(d, NIL);
	if
	:: FS == PARTS && IS_FILE(other) ->
		names[FILE(other)] = (STANDS(other) -> names[FILE(other)] & ~BIT(d) : 0)
	:: else
	fi;
	other = 0
}

/* Directory d is on disk as it is now. */
inline settle(d)
{
	if
	:: cuts > 0 ->
		disk[d] = now[d];
		if
		/* One of two names, and not that which will be renamed, changes nothing. */
		:: FS == PARTS && IS_FILE(now[d]) &&
			(!names[FILE(now[d])] || names[FILE(now[d])] & BIT(d)) ->
			names[FILE(now[d])] = BIT(d)
		:: else
		fi
	:: else
	fi
}

inline settle_all()
{
	settle(TMP);
	settle(1);
	settle(2);
	settle(3);
	settle(4);
	settle(5)
}

inline fsync_dir(d)
{
	if
	:: LEVEL > NONE && FS == JOURNAL -> settle_all()
	:: LEVEL > NONE && FS != JOURNAL -> settle(d)
	:: else
	fi
}

inline fsync_bytes(what)
{
	if
	:: LEVEL > NONE && cuts > 0 -> synced = synced | IS_FILE(what)
	:: else
	fi
}

/* Sync a file that has a name: on disk it has that name, too, wherever it stands by now. */
inline fsync_name(what)
{
	if
	:: now[TMP] == what -> fsync_dir(TMP)
	:: now[1] == what -> fsync_dir(1)
	:: now[2] == what -> fsync_dir(2)
	:: now[3] == what -> fsync_dir(3)
	:: else
	fi
}

/* ---- clients ------------------------------------------------------------------------------------- */

inline look_in(d)
{
	looked = (now[d] == NIL -> looked + 1 : ALL_LOOKS + 1);
	assert(looked != ALL_LOOKS || !stands || told_gone)
}

proctype Clients()
{
end:
	do
	/* Publish.  Bytes are written to a file without a name, which nobody sees. */
	:: d_step {
		publishing == not_yet ->
		if
		:: LEVEL == STRICT && !IS(REQUEST_UNSYNCED) -> fsync_bytes(REQ)
		:: else
		fi;
		put(1, REQ);
		stands = true;
		publishing = under_way;
		check()
	   }
	:: d_step {
		publishing == under_way ->
		if
		:: LEVEL == STRICT && !IS(CLIENT_SYNCS_1) -> fsync_name(REQ)
		:: LEVEL == STRICT && IS(CLIENT_SYNCS_1) -> fsync_dir(1)
		:: else
		fi;
		acked = true;
		publishing = done
	   }

	/* Withdraw. */
	:: d_step { now[1] != NIL && aborting == not_yet -> unlink(1); stands = false; aborting = done }

	/* Wait: look for it in the direction in which it moves. */
	:: d_step { looked < ALL_LOOKS - 1 && publishing != not_yet && looked % 3 == 0 -> look_in(1) }
	:: d_step { looked < ALL_LOOKS - 1 && looked % 3 == 1 -> look_in(2) }
	:: d_step { looked < ALL_LOOKS - 1 && looked % 3 == 2 -> look_in(3) }
	:: d_step { looked == ALL_LOOKS - 1 && LOOKS > 0 -> look_in(4) }

	/* Collect: read, and then take away, to where nothing depends on it. */
	:: d_step {
		!seen && now[4] != NIL ->
		assert(now[4] != TORN || !HOLDS(BATCH) || torn_is_shown);
		assert(!aborted || !HOLDS(BATCH) || aborted_stands);
		seen = now[4]
	   }
	:: d_step { seen && now[4] != NIL -> unlink(4); stands = false; collected = true }

	/* Abort. */
	:: d_step {
		publishing != not_yet && aborting == not_yet ->
		put(5, MARK);
		aborting = under_way
	   }
	:: d_step {
		aborting == under_way ->
		if
		:: LEVEL == STRICT && !IS(MARKER_UNSYNCED) -> fsync_dir(5)
		:: else
		fi;
		/* Where no cut is to come, every level keeps it. */
		kept = PROMISE == STRICT || CUTS == 0;
		early = kept && now[1] != NIL;
		aborting = done
	   }
#ifdef LIVENESS
	:: other = 0 /* and any of these never */
#endif
	od
}

/* ---- the task ------------------------------------------------------------------------------------ */

inline begin()
{
	assert(task == nothing || runs_twice_at_once);
	assert(!begun || POLICY == REQUEUE || !HOLDS(BATCH) || runs_again);
	assert(!seen || !HOLDS(BATCH) || runs_after_its_result);
	assert(!aborted || !HOLDS(BATCH) || aborted_runs);
	assert(!early || early_abort_runs);
	assert(now[3] != TORN || torn_is_run);
	task = runs;
	begun = true
}

/* In the server; or an order, which the shepherd passes over when it knows the task already. */
inline start_task()
{
	if
	:: POLICY == ADOPT -> ordered = true
	:: else -> begin()
	fi
}

proctype Task()
{
end:
	do
	:: d_step {
		ordered ->
		ordered = false;
		rebooted = false;
		if
		:: task == nothing -> begin()
		:: else
		fi
	   }
	:: d_step { task == runs -> task = ended }
	:: d_step { task == orphan -> task = nothing }
	od
}

/* ---- the server ---------------------------------------------------------------------------------- */

/* After a power cut it is clear again where things stand. */
inline recovered(next)
{
	step = next;
	if
	:: unclear ->
		unclear = false;
		assert(!stands || PLACES > 0 || collected || is_lost ||
			!(PROMISE == STRICT && acked ||
				PROMISE >= BATCH && begun && !IS(REQUEUE_UNSYNCED)));
		stands = PLACES > 0
	:: else
	fi;
	check()
}

/* Names that were unlinked must not come back later. */
inline tidied(next)
{
	if
	:: IS(TIDYING_UNSYNCED) || IS(FOUND_SHOWN_UNSYNCED)
	:: else -> fsync_dir(1); fsync_dir(2)
	fi;
	recovered(next)
}

inline lose()
{
	result = LOST;
	step = create
}

inline take_away(d)
{
	stood = (IS(ABORT_SYNCS_ONE) -> stood | BIT(d) : 0);
	unlink(d)
}

#define HAS_ENDED (task != runs && task != orphan && (!ordered || IS(ORDER_NOT_READ)))
#define IS_TAKEN_BACK (now[TMP] == REQ && PLACES == 0 && IS(TMP_TAKEN_BACK))
#define IS_KNOWN_TO_SHEPHERD (POLICY == ADOPT && (!ordered || IS(ORDER_NOT_READ)))

proctype Server()
{
end:
	do
	/* Accept. */
	:: d_step { step == idle && now[1] != NIL -> rename(1, 2) }

	/* Start: rename, commit, and only then the task begins. */
	:: d_step {
		step == idle && now[2] != NIL && now[5] == NIL && !IS(BEGUN_BEFORE_RENAME) ->
		rename(2, 3);
		step = started
	   }
	:: d_step {
		step == started ->
		if
		:: IS(REQUEUE_UNSYNCED) && POLICY == REQUEUE
		:: else ->
			fsync_dir(3);
			if
			:: IS(START_SYNCS_3)
			:: else -> fsync_dir(2); fsync_dir(1)
			fi
		fi;
		step = committed
	   }
	/* Rejected: it is torn, or its task manager says so. */
	:: d_step { step == committed && !IS(TORN_NOT_REFUSED) -> lose() }
	:: d_step { step == committed && now[5] != NIL -> step = remove }
	:: d_step { step == committed && !was_busy -> was_busy = true; rename(3, 2); step = idle }
	:: d_step {
		step == committed && (now[3] != TORN || IS(TORN_NOT_REFUSED)) ->
		step = running;
		start_task()
	   }
	:: d_step {
		step == idle && now[2] != NIL && now[5] == NIL && IS(BEGUN_BEFORE_RENAME) ->
		step = begun_first;
		start_task()
	   }
	:: d_step { step == begun_first -> rename(2, 3); step = running }

	/* Complete: write, exchange, commit, publish, and only then the request goes. */
	:: d_step { step == running && task == ended -> result = RES; step = create }
	:: d_step { step == create -> put(TMP, TORN); step = write }
	:: d_step {
		step == write ->
		put(TMP, result);
		synced = synced & ~result;
		result = 0;
		step = (IS(SHOWN_BESIDE_REQUEST) -> commit : exchange)
	   }
	:: d_step {
		step == exchange ->
		exchange_with_tmp(3);
		step = (IS(SHOWN_BEFORE_DURABLE) -> publish : commit)
	   }
	:: d_step {
		step == commit ->
		if
		:: IS(RESULT_BYTES_UNSYNCED)
		:: else -> fsync_bytes(now[3] | now[4])
		fi;
		if
		:: IS(RESULT_NAME_UNSYNCED)
		:: else -> fsync_dir(3)
		fi;
		step = (IS(SHOWN_BEFORE_DURABLE) -> retire : publish)
	   }
	:: d_step { step == publish && now[5] != NIL -> step = remove }
	:: d_step {
		step == publish ->
		if
		:: IS(SHOWN_BESIDE_REQUEST) -> rename(TMP, 4)
		:: else -> rename(3, 4)
		fi;
		assert(!marked || aborted_is_shown);
		step = (IS(SHOWN_BEFORE_DURABLE) -> commit : retire)
	   }
	:: d_step { step == retire -> unlink(TMP); step = acknowledge }
	:: d_step { step == acknowledge -> task = nothing; step = idle }

	/* Abort: the task ends, the subject goes, that is committed, and only then the marker goes. */
	:: d_step {
		(step == idle || step == running) && now[5] != NIL && !IS(MARKER_FIRST) ->
		step = (IS(NOTHING_UNSYNCED) && PLACES == 0 -> unmark : remove)
	   }
	:: d_step {
		step == remove && (HAS_ENDED || IS(END_NOT_AWAITED)) ->
		stands = false;
		if
		:: now[TMP] != NIL -> unlink(TMP)
		:: now[TMP] == NIL && now[1] != NIL -> take_away(1)
		:: now[TMP] == NIL && now[1] == NIL && now[2] != NIL -> take_away(2)
		:: now[TMP] == NIL && now[1] == NIL && now[2] == NIL && now[3] != NIL -> take_away(3)
		:: now[TMP] == NIL && PLACES == 1 && now[4] != NIL -> take_away(4)
		:: else ->
			if
			:: !IS(ABORT_SYNCS_ONE) || stood & BIT(1) || stood == 0 -> fsync_dir(1)
			:: else
			fi;
			if
			:: !IS(ABORT_SYNCS_ONE) || stood & BIT(2) -> fsync_dir(2)
			:: else
			fi;
			if
			:: !IS(ABORT_SYNCS_ONE) || stood & BIT(3) -> fsync_dir(3)
			:: else
			fi;
			if
			:: !IS(ABORT_SYNCS_ONE) || stood & BIT(4) -> fsync_dir(4)
			:: else
			fi;
			stood = 0;
			step = unmark
		fi
	   }
	:: d_step {
		step == unmark ->
		assert(HAS_ENDED || outlives_its_abort);
		put(5, NIL);
		aborted = true;
		marked = false;
		task = nothing;
		recovered(idle)
	   }
	:: d_step {
		(step == idle || step == running) && now[5] != NIL && IS(MARKER_FIRST) ->
		put(5, NIL);
		aborted = true;
		step = remove;
		check()
	   }

	/*
	 * Recovery.  What is found may be there for processes only, so it is synced before it counts.
	 * Markers are listed first: one that comes later is seen as at any time.
	 */
	:: d_step {
		step == boot ->
		if
		:: IS(FOUND_UNSYNCED) || IS(FOUND_SHOWN_UNSYNCED)
		:: else ->
			fsync_bytes(now[3] | now[TMP]);
			fsync_dir(TMP);
			fsync_dir(1);
			fsync_dir(2);
			fsync_dir(3);
			fsync_dir(4);
			fsync_dir(5)
		fi;
		if
		:: IS(MARKERS_LISTED_LAST) && PLACES == 0 && now[TMP] == NIL -> step = listed
		:: IS(NOTHING_UNSYNCED) && PLACES == 0 && now[TMP] == NIL && now[5] != NIL ->
			step = unmark
		:: IS(MARKER_PASSED_OVER) -> step = recover
		:: else -> step = (now[5] != NIL -> remove : recover)
		fi;
		marked = now[5] != NIL && now[4] == NIL
	   }
	:: d_step { step == listed -> step = (now[5] != NIL -> unmark : recover) }
	:: d_step {
		step == recover ->
		if
		/* 4X and 1, 2 or tmp; 4X and 3 */
		:: now[4] == TORN && now[3] == NIL -> rename(4, 3)
		:: now[4] == TORN && now[3] != NIL -> unlink(4)
		/* 1 and a later one */
		:: now[4] != TORN && now[1] != NIL && PLACES > 1 -> unlink(1)
		/* 2 and 3Q; 2, and 3R or 4 */
		:: now[4] != TORN && now[1] == NIL && now[2] != NIL && PLACES > 1 -> unlink(2)
		:: else ->
			if
			/* 4R and 3 or tmp */
			:: now[4] != NIL && now[3] != NIL -> unlink(3)
			:: now[4] != NIL && now[3] == NIL && now[TMP] != NIL -> unlink(TMP)
			/* 3R, with or without tmp Q */
			:: IS_RESULT(now[3]) && now[4] == NIL && !IS(RESULT_LEFT_IN_3) ->
				if
				:: IS(FOUND_SHOWN_UNSYNCED) -> tidied(publish)
				:: else -> tidied(commit)
				fi
			/* 3Q or 3X, and tmp R */
			:: now[3] & (REQ | TORN) && IS_RESULT(now[TMP]) && now[4] == NIL ->
				exchange_with_tmp(3)
			/* 3Q and tmp X */
			:: now[3] == REQ && now[TMP] & (REQ | TORN) && now[4] == NIL -> unlink(TMP)
			/* 3X and tmp Q */
			:: now[3] == TORN && now[TMP] == REQ && now[4] == NIL -> exchange_with_tmp(3)
			/* 3X */
			:: now[3] == TORN && now[TMP] == TORN && now[4] == NIL -> unlink(TMP)
			:: now[3] == TORN && now[TMP] == NIL && now[4] == NIL -> tidied(create); lose()
			/* tmp alone */
			:: IS_TAKEN_BACK -> rename(TMP, 3)
			:: now[3] == NIL && now[TMP] != NIL && now[4] == NIL && !IS_TAKEN_BACK ->
				unlink(TMP)
			/* 3Q */
			:: now[3] == REQ && now[TMP] == NIL && now[4] == NIL ->
				if
				:: POLICY == FAIL -> tidied(create); lose()
				/* Its old attempt is dead for certain. */
				:: POLICY == REQUEUE && (task == nothing || IS(NO_PROOF_OF_DEATH)) ->
					rename(3, 2);
					tidied(idle)
				:: IS_KNOWN_TO_SHEPHERD && task != nothing -> tidied(running)
				:: IS_KNOWN_TO_SHEPHERD && task == nothing && !rebooted ->
					rename(3, 2); /* it never began */
					tidied(idle)
				:: IS_KNOWN_TO_SHEPHERD && task == nothing && rebooted ->
					tidied(create);
					lose()
				:: else -> skip /* it waits */
				fi
			/* 1; 2; 4 alone */
			:: else -> tidied(idle)
			fi
		fi
	   }
	/* A task of another id begins, which the shepherd remembers. */
	:: d_step {
		rebooted && (step == idle || IS(REBOOT_FORGOTTEN) && step != boot && step != recover) ->
		rebooted = false
	   }
	od
}

/* ---- what goes wrong ------------------------------------------------------------------------------ */

/* One of those contents that directory d may have on disk. */
inline survive(d)
{
	if
	:: disk[d] & NIL -> now[d] = NIL
	:: disk[d] & REQ -> now[d] = REQ
	:: disk[d] & RES -> now[d] = RES
	:: disk[d] & LOST -> now[d] = LOST
	:: disk[d] & TORN -> now[d] = TORN
	:: disk[d] & MARK -> now[d] = MARK
	fi
}

/* A file whose bytes were not synced is whole, or it is not. */
inline tear(what)
{
	if
	:: !(synced & what) && STANDS(what) ->
		assert(what != REQ || !acked || PROMISE < STRICT || request_is_torn);
		now[TMP] = (now[TMP] == what -> TORN : now[TMP]);
		now[1] = (now[1] == what -> TORN : now[1]);
		now[2] = (now[2] == what -> TORN : now[2]);
		now[3] = (now[3] == what -> TORN : now[3]);
		now[4] = (now[4] == what -> TORN : now[4])
	:: true
	fi
}

#define NAME_IS_LOST(what) (names[FILE(what)] && !(names[FILE(what)] & STANDS(what)))

/* Of two names that a cut has left of one file the later is renamed on, and the other unlinked. */
inline note_latest_names()
{
	if
	:: FS == PARTS ->
		names[FILE(REQ)] = (now[3] == REQ -> BIT(3) : (now[2] == REQ -> BIT(2) :
			(now[1] == REQ -> BIT(1) : STANDS(REQ))));
		names[FILE(RES)] = (now[4] == RES -> BIT(4) : (now[3] == RES -> BIT(3) : STANDS(RES)));
		names[FILE(LOST)] = (now[4] == LOST -> BIT(4) :
			(now[3] == LOST -> BIT(3) : STANDS(LOST)))
	:: else
	fi
}

#define COPY(to, from) to[TMP] = from[TMP]; to[1] = from[1]; to[2] = from[2]; to[3] = from[3]; \
	to[4] = from[4]; to[5] = from[5]
#define CLEAR(a) a[TMP] = 0; a[1] = 0; a[2] = 0; a[3] = 0; a[4] = 0; a[5] = 0

proctype Failures()
{
	byte was[6];

end:
	do
	/* The server is killed, and starts again when it likes. */
	:: atomic {
		crashes > 0 && step != boot ->
		crashes--;
		step = boot;
		result = 0;
		stood = 0;
		marked = false;
		if
		:: POLICY == FAIL -> task = nothing
		:: POLICY == REQUEUE -> task = (task == runs || task == orphan -> orphan : nothing)
		:: POLICY == REQUEUE && task != nothing -> task = nothing
		:: POLICY == ADOPT
		fi
	   }

	/* The power fails. */
	:: atomic {
		cuts > 0 && publishing != not_yet ->
		COPY(was, now);
		survive(TMP);
		survive(1);
		survive(2);
		survive(3);
		survive(4);
		survive(5);
		if
		:: FS == PARTS && (NAME_IS_LOST(REQ) || NAME_IS_LOST(RES) || NAME_IS_LOST(LOST)) ->
			COPY(now, was)
		:: else
		fi;
		tear(REQ);
		tear(RES);
		tear(LOST);
		d_step {
			CLEAR(was);
			settle_all();
			note_latest_names();
			synced = REQ | RES | LOST;
			cuts--;
			if
			:: cuts == 0 ->
				CLEAR(disk);
				names[FILE(REQ)] = 0;
				names[FILE(RES)] = 0;
				names[FILE(LOST)] = 0;
				synced = 0
			:: else
			fi;
			cut = true;
			unclear = true;
			step = boot;
			result = 0;
			stood = 0;
			marked = false;
			task = nothing;
			ordered = false;
			rebooted = POLICY == ADOPT && !IS(REBOOT_UNNOTICED);
			publishing = done;
			aborting = (aborting == under_way -> done : aborting);
			looked = ALL_LOOKS + 1
		}
	   }

	/* The kernel writes in its own time. */
	:: d_step {
		FS == JOURNAL && cuts > 0 &&
			(disk[TMP] != now[TMP] || disk[1] != now[1] || disk[2] != now[2] ||
				disk[3] != now[3] || disk[4] != now[4] || disk[5] != now[5]) ->
		settle_all()
	   }
#ifdef LIVENESS
	:: other = 0 /* and any of these never */
#endif
	od
}

#ifdef FROM_ENVIRONMENT
c_code {
	static int parameter(const char *name)
	{
		const char *text = getenv(name);
		if (text)
			return atoi(text);
		printf("pan: no %s in the environment\n", name);
		exit(2);
	}
}
#endif

init
{
	atomic {
#ifdef FROM_ENVIRONMENT
		c_code {
			level = parameter("LEVEL");
			promise = parameter("PROMISE");
			policy = parameter("POLICY");
			fs = parameter("FS");
			server_crashes = parameter("CRASHES");
			power_cuts = parameter("CUTS");
			looks = parameter("LOOKS");
			mutant = parameter("MUTANT");
		}
#endif
		crashes = CRASHES;
		cuts = CUTS;
		run Clients();
		run Task();
		run Server();
		run Failures()
	}
}

#ifdef LIVENESS
/*
 * Again and again each request is answered, or is no more or not yet; there is no marker; and where
 * it was told that an abort is certain, the request is no more.
 */
ltl settles { [] <> ((PLACES == 0 || now[4] != NIL) && now[5] == NIL && (!kept || PLACES == 0)) }
#endif
