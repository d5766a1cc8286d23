/*
 * target: an address to connect to, HOST:PORT or unix:PATH, and the beginning of a connection.
 *
 * HOST is an IPv4 address, an IPv6 address in brackets, "localhost", which is both loopbacks and
 * asks nobody, or a name, which is looked up once.  "unix:@NAME" is an abstract socket.  It refuses
 * to wait for a connection: that is for the caller's loop to do.
 */
#ifndef HANDLERS_COMMON_TARGET_H
#define HANDLERS_COMMON_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { TARGET_ADDRESSES = 8 };

struct target {
	const char *text; /* borrowed: as it was given */
	size_t count;
	struct sockaddr_storage address[TARGET_ADDRESSES];
	socklen_t len[TARGET_ADDRESSES];
};

/* 0, or -1 with the reason in *why.  May wait for DNS, if HOST is a name. */
int target_parse(struct target *t, const char *text, const char **why);

/* A new non-blocking, close-on-exec stream socket that is connected to the address of that number,
 * or soon will be: target_connected() tells.  -1 with errno. */
int target_connect(const struct target *t, size_t number);

/* 1: it is; 0: not yet; -1 with errno: it failed. */
int target_connected(int fd);

/* Sends small writes at once, and notices a peer that is gone.  No effect on a unix socket. */
void target_tune(int fd);

#endif
