/* What superd tells the service manager that started it: sd_notify(3)'s protocol, a datagram to
 * the socket in NOTIFY_SOCKET.  Not libsystemd's, because that is a megabyte for thirty lines. */
#ifndef OS_NOTIFY_H
#define OS_NOTIFY_H

#include <stdint.h>

/* Sends "KEY=VALUE\n…"; does nothing where nobody wants to know, and never waits. */
void notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How often, in milliseconds, the manager wants to hear WATCHDOG=1 at least; 0: not. */
uint64_t notify_watchdog_ms(void);

#endif
