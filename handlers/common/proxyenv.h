/*
 * proxyenv: what a PROXY header declares, put into the environment of the handler behind it.
 *
 * The names are those that superd sets, so that a handler cannot tell the difference; the rest is
 * in superd-proxy(8).  What was known of the connection and is not declared is removed: it was true
 * of the proxy, and would now be taken for the client's.  No name comes from the header, and no
 * value with a control character in it.
 */
#ifndef HANDLERS_COMMON_PROXYENV_H
#define HANDLERS_COMMON_PROXYENV_H

#include "handlers/common/proxyhdr.h"

/* For any kind but PROXYHDR_LOCAL, which declares nothing.  0, or -1 with errno. */
int proxyenv_put(const struct proxyhdr *h);

#endif
