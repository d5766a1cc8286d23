/* Addresses: the text of `listen` to socket addresses and back.
 * Pure: no DNS, no /etc/services, no sockets. */
#ifndef MODEL_ADDR_H
#define MODEL_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <linux/vm_sockets.h>

enum addr_kind {
	ADDR_TCP,
	ADDR_UDP,
	ADDR_UNIX, /* stream; a path, or an abstract name, as the next two */
	ADDR_SEQPACKET,
	ADDR_DGRAM,
	ADDR_VSOCK, /* of a virtual machine and its host */
	ADDR_FD,    /* a name, in un.sun_path: a socket that will be handed over, not known yet */
};

struct addr {
	enum addr_kind kind;
	unsigned handed; /* not 0: the socket exists, and is that one of os/handed.h, from 1 */
	bool dual; /* in6 any, both families: IPV6_V6ONLY off, 0.0.0.0 where there is no IPv6 */
	socklen_t len;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		struct sockaddr_vm vm;
	};
};

#define ADDR_TEXT_MAX 160 /* enough for every addr_format */

/* How many addresses one text stands for, at most: a range of all ports on two families. */
#define ADDR_EXPAND_MAX (2 * 65536)

/* Parses one `listen` text: "7000" (dual), "127.0.0.1:7000", "[::1]:7000", "*:7000" (dual),
 * "localhost:7000" (two addresses), "7000-7099" and "127.0.0.1:7000-7099" (a range), any of them
 * after "udp:"; "unix:/path", "unix:@abstract", likewise "seqpacket:" and "dgram:"; "vsock:7000";
 * "fd:NAME".
 * Port 0: the kernel chooses.
 * Calls `each(addr, context)` for every address it stands for, in order.
 * Returns NULL, or what is wrong, for a person (a static string, or text in `why`). */
const char *addr_parse(const char *text, void (*each)(const struct addr *, void *), void *context,
	char *why, size_t why_size);

/* The address as text, in the form addr_parse takes; a v4-mapped peer reads as IPv4.
 * Returns `out`. */
char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX]);

/* The host part alone ("127.0.0.1", "::1", a vsock's CID, "" for unix); v4-mapped reads as IPv4
 * (H7). */
char *addr_format_host(const struct addr *a, char out[INET6_ADDRSTRLEN]);

/* Port in host order, of vsock 32 bits; 0 for unix, and where the kernel chooses. */
uint32_t addr_port(const struct addr *a);

bool addr_is_ip(const struct addr *a);
bool addr_is_unix(const struct addr *a);
bool addr_is_path(const struct addr *a); /* a unix socket with a file */
bool addr_is_datagram(const struct addr *a);
bool addr_is_any(const struct addr *a); /* 0.0.0.0 or [::] */
bool addr_is_multicast(const struct addr *a);

/* SOCK_STREAM, SOCK_SEQPACKET or SOCK_DGRAM. */
int addr_socket_type(const struct addr *a);

/* ::ffff:a.b.c.d becomes a.b.c.d (H7); everything else stays. */
void addr_unmap(struct addr *a);

/* True if two listeners cannot have both: same port and overlapping hosts, or the same path.
 * Port 0 never clashes. */
bool addr_clash(const struct addr *a, const struct addr *b);

/* An order in which addresses that may clash stand in one run (same kind and port, or path);
 * addr_group(a, b) == 0 means "compare these two with addr_clash".  For qsort. */
int addr_group(const struct addr *a, const struct addr *b);

#endif
