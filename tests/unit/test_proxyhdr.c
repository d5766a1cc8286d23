/* handlers/common/proxyhdr: which headers are taken, what they say, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "handlers/common/proxyhdr.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define BYTES(s) s, sizeof(s) - 1

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define V4                                                                                         \
	"\xc0\0\2\1"                                                                               \
	"\xc6\x33\x64\2"                                                                           \
	"\x12\x67\0\x50"
#define V4_TELLS "192.0.2.1 4711 198.51.100.2 80"
#define ONE6 "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
#define TWO6 "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
#define MAPPED(last) "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2" last
#define TEN "\0\0\0\0\0\0\0\0\0\0"
#define PATH108 TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "\0\0\0\0\0\0\0\0"
#define TLVS(len, tlvs) SIG "\x21\x11\0" len V4 tlvs
#define DIGITS50 "01234567890123456789012345678901234567890123456789"

/* What a header tells: "local", "unix", or both ends; NULL: bad.  "more" if it is not complete. */
static const struct {
	const char *name, *bytes;
	size_t len;
	const char *tells;
} cases[] = {
	{ "v1: IPv4", BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 4711 80\r\n"), V4_TELLS },
	{ "v1: the extremes", BYTES("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n"),
		"0.0.0.0 0 255.255.255.255 65535" },
	{ "v1: IPv6", BYTES("PROXY TCP6 2001:db8::1 2001:DB8:0:0::2 4711 80\r\n"),
		"2001:db8::1 4711 2001:db8::2 80" },
	{ "v1: the longest IPv6",
		BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535" },
	{ "v1: IPv4 in IPv6", BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6402 4711 80\r\n"),
		V4_TELLS },
	{ "v1: unknown", BYTES("PROXY UNKNOWN\r\n"), "local" },
	{ "v1: unknown, with addresses", BYTES("PROXY UNKNOWN ::1 ::1 1 1\r\n"), "local" },
	{ "v1: unknown, with anything", BYTES("PROXY UNKNOWN \0 \x01 \xff\r\n"), "local" },
	{ "v1: 107 bytes",
		BYTES("PROXY UNKNOWN " DIGITS50 "0123456789012345678901234567890123456789"
		      "0\r\n"),
		"local" },
	{ "v1: data behind it", BYTES("PROXY UNKNOWN\r\n\r\nPROXY"), "local" },

	{ "nothing yet", BYTES(""), "more" },
	{ "v1: a letter", BYTES("P"), "more" },
	{ "v1: no end yet", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 2"), "more" },
	{ "v1: half an end", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r"), "more" },
	{ "v1: half a family", BYTES("PROXY TCP"), "more" },

	{ "v1: 108 bytes",
		BYTES("PROXY UNKNOWN " DIGITS50 "0123456789012345678901234567890123456789"
		      "01\r\n"),
		NULL },
	{ "v1: no end within 107 bytes",
		BYTES("PROXY UNKNOWN " DIGITS50 "0123456789012345678901234567890123456789"
		      "01"),
		NULL },
	{ "v1: a bare line feed", BYTES("PROXY UNKNOWN\n"), NULL },
	{ "v1: a bare line feed within", BYTES("PROXY UNKNOWN a\nb\r\n"), NULL },
	{ "v1: a bare carriage return", BYTES("PROXY UNKNOWN\rX"), NULL },
	{ "v1: two carriage returns", BYTES("PROXY UNKNOWN\r\r\n"), NULL },
	{ "v1: small letters", BYTES("proxy UNKNOWN\r\n"), NULL },
	{ "v1: small letters in the family", BYTES("PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n"), NULL },
	{ "v1: more than unknown", BYTES("PROXY UNKNOWNS\r\n"), NULL },
	{ "v1: no family", BYTES("PROXY \r\n"), NULL },
	{ "v1: another family", BYTES("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"), NULL },
	{ "v1: two spaces", BYTES("PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n"), NULL },
	{ "v1: two spaces at first", BYTES("PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n"), NULL },
	{ "v1: a space at the end", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n"), NULL },
	{ "v1: a tab", BYTES("PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n"), NULL },
	{ "v1: a field too many", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"), NULL },
	{ "v1: a field too few", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"), NULL },
	{ "v1: no fields", BYTES("PROXY TCP4 \r\n"), NULL },
	{ "v1: nothing but a family", BYTES("PROXY TCP4\r\n"), NULL },
	{ "v1: an empty address", BYTES("PROXY TCP4  1.2.3.4 1 2\r\n"), NULL },
	{ "v1: an empty port", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4  2\r\n"), NULL },
	{ "v1: a port with a zero", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"), NULL },
	{ "v1: a port of zeros", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 00 2\r\n"), NULL },
	{ "v1: a port too high", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"), NULL },
	{ "v1: a port far too high", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 4294967297\r\n"), NULL },
	{ "v1: a port with a sign", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n"), NULL },
	{ "v1: a port in hex", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 0x1 2\r\n"), NULL },
	{ "v1: a NUL behind a port", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\0\r\n"), NULL },
	{ "v1: a NUL behind an address", BYTES("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n"), NULL },
	{ "v1: IPv6 as IPv4", BYTES("PROXY TCP4 ::1 ::1 1 2\r\n"), NULL },
	{ "v1: IPv4 as IPv6", BYTES("PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n"), NULL },
	{ "v1: one of each", BYTES("PROXY TCP6 ::1 1.2.3.4 1 2\r\n"), NULL },
	{ "v1: an address with a zero", BYTES("PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n"), NULL },
	{ "v1: a short address", BYTES("PROXY TCP4 127.1 1.2.3.4 1 2\r\n"), NULL },
	{ "v1: an address in hex", BYTES("PROXY TCP4 0x7f000001 1.2.3.4 1 2\r\n"), NULL },
	{ "v1: a zone", BYTES("PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n"), NULL },
	{ "v1: a name", BYTES("PROXY TCP4 localhost 1.2.3.4 1 2\r\n"), NULL },
	{ "v1: a long address",
		BYTES("PROXY TCP6 0000:0000:0000:0000:0000:0000:0000:0000:0000:0 ::1 1 2\r\n"),
		NULL },

	{ "HTTP", BYTES("GET / HTTP/1.1\r\n"), NULL },
	{ "HTTP that begins alike", BYTES("PRI * HTTP/2.0\r\n"), NULL },
	{ "TLS", BYTES("\x16\x03\x01"), NULL },
	{ "empty lines", BYTES("\r\n\r\n\r\n"), NULL },
	{ "a NUL", BYTES("\0"), NULL },

	{ "v2: IPv4", BYTES(SIG "\x21\x11\0\xc" V4), V4_TELLS },
	{ "v2: IPv6", BYTES(SIG "\x21\x21\0\x24" ONE6 TWO6 "\x12\x67\0\x50"),
		"2001:db8::1 4711 2001:db8::2 80" },
	{ "v2: IPv4 in IPv6", BYTES(SIG "\x21\x21\0\x24" MAPPED("\1") MAPPED("\2") "\xff\xff\0\0"),
		"192.0.2.1 65535 192.0.2.2 0" },
	{ "v2: one end IPv4 in IPv6", BYTES(SIG "\x21\x21\0\x24" MAPPED("\1") ONE6 "\0\1\0\2"),
		"192.0.2.1 1 2001:db8::1 2" },
	{ "v2: a unix socket", BYTES(SIG "\x21\x31\0\xd8" PATH108 PATH108), "unix" },
	{ "v2: local", BYTES(SIG "\x20\0\0\0"), "local" },
	{ "v2: local, with an address", BYTES(SIG "\x20\x11\0\xc" V4), "local" },
	{ "v2: local, with rubbish", BYTES(SIG "\x20\xff\0\3abc"), "local" },
	{ "v2: unspecified", BYTES(SIG "\x21\0\0\0"), "local" },
	{ "v2: unspecified, with rubbish", BYTES(SIG "\x21\0\0\3abc"), "local" },
	{ "v2: unspecified protocol", BYTES(SIG "\x21\x10\0\0"), "local" },
	{ "v2: unspecified family", BYTES(SIG "\x21\1\0\0"), "local" },
	{ "v2: data behind it", BYTES(SIG "\x21\x11\0\xc" V4 "\4\0\0 data"), V4_TELLS },
	{ "v2: padding", BYTES(TLVS("\x13", "\4\0\4abcd")), V4_TELLS },
	{ "v2: unknown types", BYTES(TLVS("\x14", "\xea\0\1a\x30\0\1b")), V4_TELLS },
	{ "v2: a checksum", BYTES(TLVS("\x13", "\3\0\4\x50\xef\x26\x9e")), V4_TELLS },
	{ "v2: a checksum before the rest", BYTES(TLVS("\x18", "\3\0\4\xfe\x41\x9a\x66\2\0\2hi")),
		V4_TELLS },

	{ "v2: half a signature", BYTES("\r\n\r\n\0\r\n"), "more" },
	{ "v2: no length yet", BYTES(SIG "\x21\x11\0"), "more" },
	{ "v2: no address yet", BYTES(SIG "\x21\x11\0\xc"), "more" },
	{ "v2: half an address", BYTES(SIG "\x21\x11\0\xc\1\2\3\4"), "more" },
	{ "v2: local, cut off", BYTES(SIG "\x20\0\0\5abcd"), "more" },
	{ "v2: the longest", BYTES(SIG "\x20\0\xf\xf0"), "more" },

	{ "v2: too long", BYTES(SIG "\x20\0\xf\xf1"), NULL },
	{ "v2: far too long", BYTES(SIG "\x21\x11\xff\xff"), NULL },
	{ "v2: a wrong signature", BYTES("\r\n\r\n\0\r\nQUIT\r"), NULL },
	{ "v2: version 1", BYTES(SIG "\x11"), NULL },
	{ "v2: version 3", BYTES(SIG "\x31"), NULL },
	{ "v2: another command", BYTES(SIG "\x22"), NULL },
	{ "v2: another family", BYTES(SIG "\x21\x41"), NULL },
	{ "v2: another protocol", BYTES(SIG "\x21\x13"), NULL },
	{ "v2: UDP over IPv4", BYTES(SIG "\x21\x12"), NULL },
	{ "v2: UDP over IPv6", BYTES(SIG "\x21\x22"), NULL },
	{ "v2: unix datagrams", BYTES(SIG "\x21\x32"), NULL },
	{ "v2: datagrams of no family", BYTES(SIG "\x21\2"), NULL },
	{ "v2: no room for IPv4", BYTES(SIG "\x21\x11\0\xb"), NULL },
	{ "v2: no room for IPv6", BYTES(SIG "\x21\x21\0\x23"), NULL },
	{ "v2: no room for paths", BYTES(SIG "\x21\x31\0\xd7"), NULL },
	{ "v2: an element of one byte", BYTES(TLVS("\xd", "\4")), NULL },
	{ "v2: an element without a length", BYTES(TLVS("\xe", "\4\0")), NULL },
	{ "v2: an element that overruns", BYTES(TLVS("\xf", "\4\0\1")), NULL },
	{ "v2: an element that overruns into the data",
		BYTES(TLVS("\xf", "\4\0\1"
				  "a")),
		NULL },
	{ "v2: a long element that overruns",
		BYTES(TLVS("\x10", "\4\xff\xff"
				   "a")),
		NULL },
	{ "v2: a wrong checksum", BYTES(TLVS("\x13", "\3\0\4\x50\xef\x26\x9f")), NULL },
	{ "v2: a short checksum", BYTES(TLVS("\x12", "\3\0\3\0\0\0")), NULL },
	{ "v2: a long checksum", BYTES(TLVS("\x14", "\3\0\5\0\0\0\0\0")), NULL },
	{ "v2: two checksums", BYTES(TLVS("\x1a", "\3\0\4\0\0\0\0\3\0\4\0\0\0\0")), NULL },
	{ "v2: two authorities",
		BYTES(TLVS("\x14", "\2\0\1"
				   "a"
				   "\2\0\1"
				   "a")),
		NULL },
	{ "v2: two authorities, one left out",
		BYTES(TLVS("\x13", "\2\0\0"
				   "\2\0\1"
				   "a")),
		NULL },
	{ "v2: two ALPNs",
		BYTES(TLVS("\x14", "\1\0\1"
				   "a"
				   "\1\0\1"
				   "a")),
		NULL },
	{ "v2: two unique ids",
		BYTES(TLVS("\x14", "\5\0\1"
				   "a"
				   "\5\0\1"
				   "a")),
		NULL },
	{ "v2: two words on TLS", BYTES(TLVS("\x1c", "\x20\0\5\0\0\0\0\0\x20\0\5\0\0\0\0\0")),
		NULL },
	{ "v2: a short word on TLS", BYTES(TLVS("\x13", "\x20\0\4\1\0\0\0")), NULL },
	{ "v2: an element that overruns in TLS",
		BYTES(TLVS("\x18", "\x20\0\x9\1\0\0\0\0\x21\0\2"
				   "1")),
		NULL },
	{ "v2: an element that overruns TLS",
		BYTES(TLVS("\x1b", "\x20\0\x9\1\0\0\0\0\x21\0\2"
				   "1"
				   "\4\0\0")),
		NULL },
	{ "v2: two names in TLS",
		BYTES(TLVS("\x1c", "\x20\0\xd\1\0\0\0\0\x22\0\1"
				   "a"
				   "\x22\0\1"
				   "a")),
		NULL },
};

static const char *tell(enum proxyhdr_verdict verdict, const struct proxyhdr *h)
{
	static char text[2 * INET6_ADDRSTRLEN + 20];

	if (verdict != PROXYHDR_DONE)
		return verdict == PROXYHDR_MORE ? "more" : NULL;
	if (h->kind != PROXYHDR_TCP)
		return h->kind == PROXYHDR_UNIX ? "unix" : "local";
	snprintf(text, sizeof(text), "%s %u %s %u", h->remote.ip, h->remote.port, h->local.ip,
		h->local.port);
	return text;
}

static void check(const char *name, const char *want, const char *got)
{
	if (!want != !got || (want && strcmp(want, got) != 0))
		fail_msg("%s: %s instead of %s", name, got ? got : "bad", want ? want : "bad");
}

/* In a block of its exact size, so that the sanitizer sees a step too far. */
static enum proxyhdr_verdict parse(struct proxyhdr *h, const char *bytes, size_t len, char **copy)
{
	*copy = malloc(len ? len : 1);
	assert_non_null(*copy);
	memcpy(*copy, bytes, len);
	return proxyhdr_parse(h, *copy, len);
}

static void each_header_tells_its_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct proxyhdr h;
		char *copy;
		enum proxyhdr_verdict verdict = parse(&h, cases[i].bytes, cases[i].len, &copy);

		check(cases[i].name, cases[i].tells, tell(verdict, &h));
		assert_true((verdict == PROXYHDR_BAD) == (h.why != NULL));
		free(copy);
	}
}

static void byte_by_byte_it_tells_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		enum proxyhdr_verdict verdict = PROXYHDR_MORE;
		struct proxyhdr h;

		for (size_t n = 0; n <= cases[i].len && verdict == PROXYHDR_MORE; n++)
			verdict = proxyhdr_parse(&h, cases[i].bytes, n);
		check(cases[i].name, cases[i].tells, tell(verdict, &h));
	}
}

static void what_follows_the_header_is_left_alone(void **state)
{
	struct proxyhdr h;

	(void)state;
	assert_int_equal(proxyhdr_parse(&h, BYTES("PROXY UNKNOWN\r\n\r\nPROXY")), PROXYHDR_DONE);
	assert_int_equal(h.len, 15);
	assert_int_equal(proxyhdr_parse(&h, BYTES(SIG "\x20\0\0\1xGET")), PROXYHDR_DONE);
	assert_int_equal(h.len, 17);
}

/* Nobody has to wait for the rest of what is no header. */
static void it_refuses_at_the_first_wrong_byte(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} first[] = { { BYTES("G") }, { BYTES("PO") }, { BYTES("PROXY\t") }, { BYTES("PROXY U ") },
		{ BYTES("PROXY TCP5") }, { BYTES("PROXY UNKNOWN\n") },
		{ BYTES("PROXY UNKNOWN\rx") }, { BYTES("\r\r") }, { BYTES(SIG "\x23") },
		{ BYTES(SIG "\x21\x51") }, { BYTES(SIG "\x20\0\x10\0") } };

	(void)state;
	for (size_t i = 0; i < LEN(first); i++) {
		struct proxyhdr h;

		assert_int_equal(
			proxyhdr_parse(&h, first[i].bytes, first[i].len - 1), PROXYHDR_MORE);
		assert_int_equal(proxyhdr_parse(&h, first[i].bytes, first[i].len), PROXYHDR_BAD);
	}
}

static void check_text(struct proxyhdr_text got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.at, want, got.len);
}

static void what_a_proxy_adds_is_found(void **state)
{
	static const char bytes[] = TLVS("\x50", "\1\0\2h2"
						 "\2\0\x9"
						 "a.example"
						 "\5\0\3\0\n\xff"
						 "\x20\0\x2a\7\0\0\0\0"
						 "\x21\0\7TLSv1.3"
						 "\x22\0\6Jo Doe"
						 "\x23\0\4"
						 "AES1"
						 "\x24\0\2RS"
						 "\x25\0\3RSA");
	struct proxyhdr h;

	(void)state;
	assert_int_equal(proxyhdr_parse(&h, BYTES(bytes)), PROXYHDR_DONE);
	assert_int_equal(h.len, sizeof(bytes) - 1);
	check_text(h.alpn, "h2");
	check_text(h.authority, "a.example");
	assert_int_equal(h.unique_id.len, 3);
	assert_memory_equal(h.unique_id.at, "\0\n\xff", 3);
	assert_true(h.tls_told && h.tls && h.tls_verified);
	check_text(h.tls_version, "TLSv1.3");
	check_text(h.tls_cn, "Jo Doe");
	check_text(h.tls_cipher, "AES1");
}

static void text_that_is_not_printable_is_left_out(void **state)
{
	static const char *const text[] = { "\0", "\n", "\x1f", "\x7f", "\x80", "\xc3" };

	(void)state;
	for (size_t i = 0; i < LEN(text); i++) {
		char bytes[] = TLVS("\x16", "\2\0\3a?b\1\0\1?");
		struct proxyhdr h;

		bytes[16 + 12 + 4] = text[i][0];
		bytes[16 + 12 + 9] = text[i][0];
		assert_int_equal(proxyhdr_parse(&h, BYTES(bytes)), PROXYHDR_DONE);
		assert_int_equal(h.authority.len, 0);
		assert_int_equal(h.alpn.len, 0);
	}
}

/* Of a certificate that nobody verified anybody can have made one, with any name. */
static void a_name_counts_only_if_it_was_verified(void **state)
{
	static const struct {
		char client, verify;
		bool tls, verified;
	} row[] = {
		{ 0, 0, false, false }, /* no TLS */
		{ 1, 0, true, false },  /* no certificate */
		{ 3, 0, true, true },   /* with this connection */
		{ 5, 0, true, true },   /* with an earlier one of the session */
		{ 7, 1, true, false },  /* not verified */
		{ 6, 0, false, false }, /* a certificate without TLS: nonsense */
	};

	(void)state;
	for (size_t i = 0; i < LEN(row); i++) {
		char bytes[] = TLVS("\x18", "\x20\0\x9?\0\0\0?\x22\0\1"
					    "a");
		struct proxyhdr h;

		bytes[16 + 12 + 3] = row[i].client;
		bytes[16 + 12 + 7] = row[i].verify;
		assert_int_equal(proxyhdr_parse(&h, BYTES(bytes)), PROXYHDR_DONE);
		assert_true(h.tls_told);
		assert_int_equal(h.tls, row[i].tls);
		assert_int_equal(h.tls_verified, row[i].verified);
		assert_int_equal(h.tls_cn.len, row[i].verified);
	}
}

static void a_unique_id_has_128_bytes_at_most(void **state)
{
	char bytes[16 + 12 + 3 + PROXYHDR_ID_MAX + 1] = SIG "\x21\x11\0\x8f" V4 "\5\0\x80";
	struct proxyhdr h;

	(void)state;
	assert_int_equal(proxyhdr_parse(&h, bytes, sizeof(bytes) - 1), PROXYHDR_DONE);
	assert_int_equal(h.unique_id.len, PROXYHDR_ID_MAX);
	bytes[15]++;
	bytes[16 + 12 + 2]++;
	assert_int_equal(proxyhdr_parse(&h, bytes, sizeof(bytes)), PROXYHDR_BAD);
}

static void version_2_ends_at_4096_bytes(void **state)
{
	char bytes[PROXYHDR_MAX] = SIG "\x21\x11\xf\xf0" V4 "\xea\xf\xe1";
	struct proxyhdr h;

	(void)state;
	assert_int_equal(proxyhdr_parse(&h, bytes, sizeof(bytes) - 1), PROXYHDR_MORE);
	assert_int_equal(proxyhdr_parse(&h, bytes, sizeof(bytes)), PROXYHDR_DONE);
	assert_int_equal(h.len, sizeof(bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_header_tells_its_ends),
		cmocka_unit_test(byte_by_byte_it_tells_the_same),
		cmocka_unit_test(what_follows_the_header_is_left_alone),
		cmocka_unit_test(it_refuses_at_the_first_wrong_byte),
		cmocka_unit_test(what_a_proxy_adds_is_found),
		cmocka_unit_test(text_that_is_not_printable_is_left_out),
		cmocka_unit_test(a_name_counts_only_if_it_was_verified),
		cmocka_unit_test(a_unique_id_has_128_bytes_at_most),
		cmocka_unit_test(version_2_ends_at_4096_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
