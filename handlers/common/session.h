/*
 * session: all processes of our own session but ourselves.
 *
 * A shell puts its jobs into groups of their own, so a signal to one group does not reach them all.
 * Who is in the session is read from /proc; it refuses to guess where there is none, and it does
 * not know those who have left for a session of their own.
 */
#ifndef HANDLERS_COMMON_SESSION_H
#define HANDLERS_COMMON_SESSION_H

/* Sends a signal, 0 for none, to each.  How many there are that have not ended, or -1 with errno:
 * nobody knows. */
int session_signal(int number);

#endif
