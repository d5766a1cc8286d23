/*
 * admit: asks superd whether a client may be served that became known only here.
 *
 * Behind a proxy, superd sees the proxy's address and no other: its lists and limits can only be
 * applied once the header has been read, and superd itself reads no byte that a client sent.  So
 * the program that did read it asks, over a socket that superd left open and named in
 * SUPERD_ADMIT: one packet there, one packet back.
 *
 *	TCP REMOTEIP REMOTEPORT LOCALIP LOCALPORT, or UNIX, or LOCAL; and a line feed
 *	ok and a line feed; no and a line feed; or no, a space and a text for the client
 *
 * It decides nothing by itself: all but these answers, and silence, is an error.
 */
#ifndef HANDLERS_COMMON_ADMIT_H
#define HANDLERS_COMMON_ADMIT_H

#include <stddef.h>
#include <stdint.h>

#include "handlers/common/proxyhdr.h"

enum { ADMIT_NOBODY = -1, ADMIT_BROKEN = -2 };
enum admit_verdict { ADMIT_OK, ADMIT_NO, ADMIT_ERROR };

/* The descriptor to ask, which from now on is closed on exec; and the variable is gone.
 * ADMIT_NOBODY if there is none: started by hand.  ADMIT_BROKEN: it is named, but cannot be used.
 */
int admit_take(void);

/* Asks for the client in h, and closes fd.  With ADMIT_NO, *text is for the client, as it is;
 * it stays until the next call. */
enum admit_verdict admit_ask(
	int fd, const struct proxyhdr *h, uint64_t deadline_ms, struct proxyhdr_text *text);

#endif
