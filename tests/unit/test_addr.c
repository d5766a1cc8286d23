/* Addresses: text to sockets and back, and who is in whose way. */
#include "daemon/model/addr.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct found {
	size_t count;
	char text[1024]; /* of the first few, with spaces */
	struct addr first, last;
};

static void collect(const struct addr *a, void *context)
{
	struct found *f = context;
	char text[ADDR_TEXT_MAX];

	if (f->count < 5) {
		strcat(f->text, f->count ? " " : "");
		strcat(f->text, addr_format(a, text));
	}
	if (f->count++ == 0)
		f->first = *a;
	f->last = *a;
}

static const struct {
	const char *text, *addresses;
	size_t count;
} good[] = {
	{ "7000", "*:7000", 1 },
	{ "0", "*:0", 1 },
	{ "65535", "*:65535", 1 },
	{ "*:7000", "*:7000", 1 },
	{ "127.0.0.1:7000", "127.0.0.1:7000", 1 },
	{ "0.0.0.0:80", "0.0.0.0:80", 1 },
	{ "[::1]:7000", "[::1]:7000", 1 },
	{ "[::]:80", "[::]:80", 1 },
	{ "[2001:DB8:0::1]:80", "[2001:db8::1]:80", 1 },
	{ "[::ffff:10.0.0.1]:80", "10.0.0.1:80", 1 },
	{ "localhost:7000", "127.0.0.1:7000 [::1]:7000", 2 },
	{ "7000-7002", "*:7000 *:7001 *:7002", 3 },
	{ "7000-7000", "*:7000", 1 },
	{ "127.0.0.1:80-81", "127.0.0.1:80 127.0.0.1:81", 2 },
	{ "localhost:80-81", "127.0.0.1:80 127.0.0.1:81 [::1]:80 [::1]:81", 4 },
	{ "1-65535", "*:1 *:2 *:3 *:4 *:5", 65535 },
	{ "unix:/run/x.sock", "unix:/run/x.sock", 1 },
	{ "unix:/a b:c", "unix:/a b:c", 1 },
	{ "unix:@x", "unix:@x", 1 },
	{ "udp:69", "udp:*:69", 1 },
	{ "udp:127.0.0.1:69", "udp:127.0.0.1:69", 1 },
	{ "udp:[::1]:69", "udp:[::1]:69", 1 },
	{ "udp:localhost:69-70", "udp:127.0.0.1:69 udp:127.0.0.1:70 udp:[::1]:69 udp:[::1]:70", 4 },
	{ "udp:239.1.2.3:5000", "udp:239.1.2.3:5000", 1 },
	{ "udp:[::ffff:10.0.0.1]:80", "udp:10.0.0.1:80", 1 },
	{ "seqpacket:/run/x.sock", "seqpacket:/run/x.sock", 1 },
	{ "seqpacket:@x", "seqpacket:@x", 1 },
	{ "dgram:/run/x.sock", "dgram:/run/x.sock", 1 },
	{ "vsock:7000", "vsock:7000", 1 },
	{ "vsock:0", "vsock:0", 1 },
	{ "vsock:4294967294", "vsock:4294967294", 1 },
	{ "fd:www", "fd:www", 1 },
	{ "fd:3", "fd:3", 1 },
	{ "fd:@x/y z", "fd:@x/y z", 1 },
};

static void every_form_is_read_and_written_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct found f = { 0 };
		char why[256];

		assert_null(addr_parse(good[i].text, collect, &f, why, sizeof why));
		assert_string_equal(f.text, good[i].addresses);
		assert_int_equal(f.count, good[i].count);
	}
}

static const struct {
	const char *text, *wrong;
} bad[] = {
	{ "", "the address is empty" },
	{ "65536", "port 65536 is outside 0..65535" },
	{ "99999999999999999999999999", "port 99999999999999999999 is outside 0..65535" },
	{ "-1", "'-1' is not a port number, nor a range like 7000-7099" },
	{ "-", "'-' is not a port number, nor a range like 7000-7099" },
	{ "+80", "'+80' is not a port number; names of services are not looked up" },
	{ " 80", "' 80' is not a port number; names of services are not looked up" },
	{ "127.0.0.1:80 ", "'80 ' is not a port number, nor a range like 7000-7099" },
	{ "7000-70000", "port 70000 is outside 0..65535" },
	{ "0-1", "a range cannot begin with port 0" },
	{ "localhost", "the port is missing; write localhost:PORT" },
	{ "*", "the port is missing; write *:PORT" },
	{ "localhost:", "the port is missing" },
	{ "[::1]80", "the port is missing; write [::1]80:PORT" },
	{ "[]:80", "the host is missing; write *:80 for all" },
	{ "[127.0.0.1]:80", "'127.0.0.1' is not an IPv6 address" },
	{ "[fe80::1%eth0]:80", "'fe80::1%eth0' is not an IPv6 address" },
	{ "127.1:80", "'127.1' is not an IP address; names are not looked up, but localhost and * "
		      "are known" },
	{ "unix:x", "'x' is neither a path from / nor an abstract name @NAME" },
	{ "tcp:69", "tcp: is not a known kind of address; known: PORT, HOST:PORT, [IPV6]:PORT, "
		    "udp:, unix:PATH, seqpacket:PATH, dgram:PATH, vsock:PORT, fd:NAME" },
	{ "udp:unix:/x", "unix: is not a known kind of address; known: PORT, HOST:PORT, "
			 "[IPV6]:PORT, udp:, unix:PATH, seqpacket:PATH, dgram:PATH, vsock:PORT, "
			 "fd:NAME" },
	{ "udp:", "the port is missing" },
	{ "udp:localhost", "the port is missing; write localhost:PORT" },
	{ "dgram:x", "'x' is neither a path from / nor an abstract name @NAME" },
	{ "seqpacket:", "'' is neither a path from / nor an abstract name @NAME" },
	{ "vsock:", "'' is not a port number" },
	{ "vsock:2:7000", "'2:7000' is not a port number" },
	{ "fd:", "the name is missing; write fd:NAME" },
	{ "fd:a:b", "'a:b' is no name; in LISTEN_FDNAMES, a colon ends it" },
	{ "vsock:4294967295", "port 4294967295 is outside 0..4294967294" },
};

static void what_is_wrong_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct found f = { 0 };
		char why[256] = "";
		const char *wrong = addr_parse(bad[i].text, collect, &f, why, sizeof why);

		assert_non_null(wrong);
		assert_string_equal(wrong, bad[i].wrong);
		assert_int_equal(f.count, 0);
	}
}

static struct addr one(const char *text)
{
	struct found f = { 0 };
	char why[256];

	assert_null(addr_parse(text, collect, &f, why, sizeof why));
	assert_int_equal(f.count, 1);
	return f.first;
}

static void a_unix_path_has_the_length_that_bind_wants(void **state)
{
	char text[200] = "unix:/";
	struct found f = { 0 };
	char why[256];
	struct addr a;

	(void)state;
	a = one("unix:/run/x");
	assert_int_equal(a.len, offsetof(struct sockaddr_un, sun_path) + 7);
	a = one("unix:@x");
	assert_int_equal(a.len, offsetof(struct sockaddr_un, sun_path) + 2);
	assert_int_equal(a.un.sun_path[0], '\0');
	memset(text + 6, 'a', 106);
	assert_null(addr_parse(text, collect, &f, why, sizeof why));
	text[6 + 106] = 'a';
	assert_non_null(addr_parse(text, collect, &f, why, sizeof why));
}

static void a_port_alone_is_both_families(void **state)
{
	struct addr a;

	(void)state;
	a = one("7000");
	assert_true(a.dual);
	assert_int_equal(a.sa.sa_family, AF_INET6);
	assert_int_equal(a.len, sizeof(struct sockaddr_in6));
	a = one("[::]:7000");
	assert_false(a.dual);
	a = one("0.0.0.0:7000");
	assert_int_equal(a.sa.sa_family, AF_INET);
}

static void h07_a_mapped_peer_reads_as_ipv4(void **state)
{
	struct addr a = { .kind = ADDR_TCP, .len = sizeof a.in6 };
	char host[INET6_ADDRSTRLEN], text[ADDR_TEXT_MAX];

	(void)state;
	a.in6.sin6_family = AF_INET6;
	a.in6.sin6_port = htons(80);
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &a.in6.sin6_addr);
	assert_string_equal(addr_format(&a, text), "192.0.2.1:80");
	assert_string_equal(addr_format_host(&a, host), "192.0.2.1");
	addr_unmap(&a);
	assert_int_equal(a.sa.sa_family, AF_INET);
	assert_int_equal(addr_port(&a), 80);
}

static void an_unnamed_or_strange_unix_peer_has_a_text(void **state)
{
	struct addr a = { .kind = ADDR_UNIX, .len = sizeof(sa_family_t) };
	char text[ADDR_TEXT_MAX], host[INET6_ADDRSTRLEN];

	(void)state;
	a.un.sun_family = AF_UNIX;
	assert_string_equal(addr_format(&a, text), "unix:");
	assert_string_equal(addr_format_host(&a, host), "");
	assert_int_equal(addr_port(&a), 0);
	memcpy(a.un.sun_path, "\0a\0\n", 4);
	a.len += 4;
	assert_string_equal(addr_format(&a, text), "unix:@a??");
	memset(a.un.sun_path, 'x', sizeof a.un.sun_path);
	a.len = sizeof a.un;
	assert_int_equal(strlen(addr_format(&a, text)), 5 + sizeof a.un.sun_path);
}

static const struct {
	const char *a, *b;
	bool clash;
} pairs[] = {
	{ "7000", "7000", true },
	{ "7000", "7001", false },
	{ "7000", "127.0.0.1:7000", true },
	{ "7000", "[::1]:7000", true },
	{ "7000", "[::]:7000", true },
	{ "0.0.0.0:7000", "[::]:7000", false },
	{ "0.0.0.0:7000", "127.0.0.1:7000", true },
	{ "0.0.0.0:7000", "[::1]:7000", false },
	{ "[::]:7000", "[::1]:7000", true },
	{ "127.0.0.1:7000", "127.0.0.1:7000", true },
	{ "127.0.0.1:7000", "127.0.0.2:7000", false },
	{ "[::1]:7000", "[::2]:7000", false },
	{ "0", "0", false },
	{ "unix:/a", "unix:/a", true },
	{ "unix:/a", "unix:/ab", false },
	{ "unix:@a", "unix:/a", false },
	{ "unix:@a", "unix:@a", true },
	{ "unix:/a", "7000", false },
	{ "7000", "udp:7000", false },
	{ "udp:7000", "udp:127.0.0.1:7000", true },
	{ "udp:239.1.2.3:7000", "udp:239.1.2.4:7000", false },
	{ "unix:/a", "dgram:/a", true },
	{ "seqpacket:/a", "dgram:/a", true },
	{ "unix:@a", "dgram:@a", false },
	{ "dgram:@a", "dgram:@a", true },
	{ "vsock:7000", "vsock:7000", true },
	{ "vsock:7000", "vsock:7001", false },
	{ "vsock:0", "vsock:0", false },
	{ "vsock:7000", "7000", false },
	{ "fd:www", "fd:www", true },
	{ "fd:www", "fd:ww", false },
	{ "fd:7000", "7000", false },
	{ "fd:@a", "unix:@a", false },
};

static const struct {
	const char *text;
	int type;
	bool ip, is_unix, path, any, multicast;
} sorts[] = {
	{ "7000", SOCK_STREAM, true, false, false, true, false },
	{ "127.0.0.1:7000", SOCK_STREAM, true, false, false, false, false },
	{ "udp:0.0.0.0:69", SOCK_DGRAM, true, false, false, true, false },
	{ "udp:239.1.2.3:69", SOCK_DGRAM, true, false, false, false, true },
	{ "udp:[ff02::1]:69", SOCK_DGRAM, true, false, false, false, true },
	{ "unix:/a", SOCK_STREAM, false, true, true, false, false },
	{ "unix:@a", SOCK_STREAM, false, true, false, false, false },
	{ "seqpacket:@a", SOCK_SEQPACKET, false, true, false, false, false },
	{ "dgram:/a", SOCK_DGRAM, false, true, true, false, false },
	{ "vsock:1", SOCK_STREAM, false, false, false, false, false },
	{ "fd:1", SOCK_STREAM, false, false, false, false, false },
};

static void every_form_is_of_its_sort(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof sorts / sizeof *sorts; i++) {
		struct addr a = one(sorts[i].text);

		assert_int_equal(addr_socket_type(&a), sorts[i].type);
		assert_int_equal(addr_is_datagram(&a), sorts[i].type == SOCK_DGRAM);
		assert_int_equal(addr_is_ip(&a), sorts[i].ip);
		assert_int_equal(addr_is_unix(&a), sorts[i].is_unix);
		assert_int_equal(addr_is_path(&a), sorts[i].path);
		assert_int_equal(addr_is_any(&a), sorts[i].any);
		assert_int_equal(addr_is_multicast(&a), sorts[i].multicast);
	}
}

static void overlapping_listeners_clash_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct addr a = one(pairs[i].a), b = one(pairs[i].b);

		assert_int_equal(addr_clash(&a, &b), pairs[i].clash);
		assert_int_equal(addr_clash(&b, &a), pairs[i].clash);
		if (pairs[i].clash)
			assert_int_equal(addr_group(&a, &b), 0);
		assert_true((addr_group(&a, &b) > 0) == (addr_group(&b, &a) < 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_read_and_written_back),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(a_unix_path_has_the_length_that_bind_wants),
		cmocka_unit_test(a_port_alone_is_both_families),
		cmocka_unit_test(h07_a_mapped_peer_reads_as_ipv4),
		cmocka_unit_test(an_unnamed_or_strange_unix_peer_has_a_text),
		cmocka_unit_test(every_form_is_of_its_sort),
		cmocka_unit_test(overlapping_listeners_clash_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
