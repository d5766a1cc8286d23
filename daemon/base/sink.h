/* Where log lines go: a queue before a descriptor that never blocks.
 * Knows nothing of what a line says. */
#ifndef BASE_SINK_H
#define BASE_SINK_H

#include "daemon/base/log.h"

/* Opens the target anew.  0, or -1 with errno and the old one kept.  `path`: of LOG_FILE the
 * file, of LOG_SYSLOG and LOG_JOURNAL the socket (NULL: the usual one). */
int sink_open(enum log_target target, const char *path);

/* Queues one line (with its newline); drops and counts it when the queue is full. */
void sink_line(int priority, const char *line, size_t len);

/* Writes what the target takes without waiting.  False: something is left. */
bool sink_flush(void);

/* As sink_flush, and waits up to wait_ms for the rest. */
void sink_drain(int wait_ms);

uint64_t sink_dropped(void);

/* Dropped lines of which the log has not told yet; and that it has. */
uint64_t sink_untold(void);
void sink_told(uint64_t lines);

#endif
