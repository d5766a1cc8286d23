/*
 * proxyhdr: the header of the PROXY protocol, versions 1 and 2, parsed.
 *
 * A proxy sends it in front of a connection that it relays, to tell who its client is.  The format
 * is that of HAProxy's doc/proxy-protocol.txt.
 *
 * Pure: bytes in, a verdict and addresses out; no I/O, no clock, no allocation.  Call it whenever
 * more has arrived.  As long as it asks for more, all that came belongs to the header, so a caller
 * may take it from the socket for good; what follows the header is not looked at.  It refuses at
 * the first byte that cannot be right, so that nobody has to wait for a deadline.
 *
 * It refuses whatever two programs in a row could read in two ways: other blanks than the one space
 * of version 1, numbers with leading zeros, an element that overruns its frame, the same element
 * twice.  It refuses datagrams.  Text that is not printable ASCII it leaves out, so that nothing
 * found here can break a line of a log or a variable.  Whether the sender may be believed at all
 * is not its business.
 */
#ifndef HANDLERS_COMMON_PROXYHDR_H
#define HANDLERS_COMMON_PROXYHDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PROXYHDR_V1_MAX = 107, /* with its CRLF, as the specification has it */
	PROXYHDR_MAX = 4096,   /* of version 2, which could have 64 KiB; ours to choose */
	PROXYHDR_ID_MAX = 128, /* of a unique id, as the specification has it */
};

enum proxyhdr_verdict { PROXYHDR_MORE, PROXYHDR_DONE, PROXYHDR_BAD };

enum proxyhdr_kind {
	PROXYHDR_LOCAL, /* no client is told of: a health check, or the proxy does not know */
	PROXYHDR_TCP,
	PROXYHDR_UNIX, /* the client came over a unix socket; its path says nothing here */
};

/* A piece of the caller's buffer: not terminated, not owned. */
struct proxyhdr_text {
	const char *at; /* NULL: absent */
	size_t len;     /* 0: absent, or left out */
};

struct proxyhdr_end {
	char ip[INET6_ADDRSTRLEN]; /* as inet_ntop writes it; ::ffff:a.b.c.d is a.b.c.d */
	uint16_t port;
};

struct proxyhdr {
	enum proxyhdr_kind kind;
	size_t len;      /* of the header, when it is done */
	const char *why; /* it is bad, in a few words */

	struct proxyhdr_end remote, local; /* of PROXYHDR_TCP */

	/* Of version 2, unless the kind is PROXYHDR_LOCAL. */
	struct proxyhdr_text authority, alpn; /* printable ASCII, as are those below */
	struct proxyhdr_text unique_id;       /* any bytes, PROXYHDR_ID_MAX at most */
	bool tls_told;                        /* the proxy says whether the client used TLS: */
	bool tls;
	bool tls_verified; /* the client showed a certificate, and the proxy verified it */
	struct proxyhdr_text tls_version, tls_cipher, tls_cn;
};

/* Looks at buf[0..len): all that has come so far, at the same place each time.  Fills h anew; its
 * texts point into buf. */
enum proxyhdr_verdict proxyhdr_parse(struct proxyhdr *h, const char *buf, size_t len);

#endif
