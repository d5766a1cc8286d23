/*
 * passages: all that come in to be taken to one address, and how far each has come.
 *
 * A passage is a client that waits until it is let in, is connected to the target, is relayed, and
 * ends.  The bytes stay in the kernel (relay.h).  A target that is started on demand refuses for a
 * while, and is asked again; until it has let one in, the first of them asks for all.
 *
 * It refuses to wait and to know the clock: the caller's loop says what time it is, in now_ms, and
 * what its epoll set says of a passage.
 */
#ifndef HANDLERS_COMMON_PASSAGES_H
#define HANDLERS_COMMON_PASSAGES_H

#include "handlers/common/complaint.h"
#include "handlers/common/relay.h"
#include "handlers/common/target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum passage_stage { PASSAGE_WAITING, PASSAGE_CONNECTING, PASSAGE_RELAYING, PASSAGE_DEAD };

struct passage {
	struct passage *prev, *next;
	enum passage_stage stage;
	int in, out, server; /* owned; in and out are the client's, and may be the same */
	size_t number;       /* of the address that is tried */
	uint64_t retry_at_ms, backoff_ms, deadline_ms, drained_at_ms, active_ms;
	bool more;
	struct relay relay;
};

/* Oldest first. */
struct passage_list {
	struct passage *first, *last;
};

struct passages {
	struct target target;
	int epoll;           /* borrowed; an event's data.ptr is the passage */
	uint64_t wait_ms;    /* how long a client may wait to be let in */
	uint64_t timeout_ms; /* of one where nothing moves; 0: none */
	bool on_demand;      /* what serves the target is started for them */
	bool answers;        /* it has let one in */

	struct passage_list all, dead;
	struct passage *spare;
	size_t count, waiting, draining, unfinished;
	uint64_t now_ms, idle_since_ms;
	struct complaint complaint;
	int status; /* 0, or 1 where the last one failed */
};

/* What one more needs is got before its client is accepted, so that nobody is accepted in vain.
 * False, with errno. */
bool passages_reserve(struct passages *ps);

/* A client, after passages_reserve().  Takes both descriptors.  False, with errno: it is there, but
 * nothing will be heard of it. */
bool passages_add(struct passages *ps, int in, int out, struct passage **added);

/* Asks the target to let it in. */
void passage_try(struct passages *ps, struct passage *p);

/* Something happened to one of its descriptors. */
void passage_event(struct passages *ps, struct passage *p);

/* Ends it with a reset, and says why. */
void passage_fail(struct passages *ps, struct passage *p, int error);

/* Every now and then, for those who wait; `ready`: the target can be asked.  The first whose time
 * is over, about which the caller decides, or NULL. */
struct passage *passages_tick_waiting(struct passages *ps, bool ready);

/* Every now and then, for those who drain or have a timeout. */
void passages_tick_relaying(struct passages *ps);

/* Resets those who wait; or all. */
void passages_reset_waiting(struct passages *ps);
void passages_reset_all(struct passages *ps);

/* After a batch of events: goes on with those that have more to do. */
void passages_go_on(struct passages *ps);

/* Once nothing in the batch can be about them: frees the dead. */
void passages_bury(struct passages *ps);

void passages_fini(struct passages *ps);

#endif
