#include "handlers/common/proxyhdr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <sys/socket.h>

/* Version 2, by the names of the specification. */
enum { COMMAND_LOCAL = 0, COMMAND_PROXY = 1 };
enum { FAMILY_UNSPEC = 0, FAMILY_INET = 1, FAMILY_INET6 = 2, FAMILY_UNIX = 3 };
enum { PROTOCOL_UNSPEC = 0, PROTOCOL_STREAM = 1, PROTOCOL_DGRAM = 2 };
enum { FIXED_SIZE = 16 };
enum {
	TYPE_ALPN = 0x01,
	TYPE_AUTHORITY = 0x02,
	TYPE_CRC32C = 0x03,
	TYPE_UNIQUE_ID = 0x05,
	TYPE_SSL = 0x20,
	SUBTYPE_SSL_VERSION = 0x21,
	SUBTYPE_SSL_CN = 0x22,
	SUBTYPE_SSL_CIPHER = 0x23,
};
enum { CLIENT_SSL = 0x01, CLIENT_CERT_CONN = 0x02, CLIENT_CERT_SESS = 0x04 };

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n"; /* no room for the NUL: none is sent */

static enum proxyhdr_verdict refuse(struct proxyhdr *h, const char *why)
{
	h->why = why;
	return PROXYHDR_BAD;
}

/* So far it is word, or the start of it. */
static bool could_be(const char *buf, size_t len, const char *word, size_t word_len)
{
	return memcmp(buf, word, len < word_len ? len : word_len) == 0;
}

static void set_end(struct proxyhdr_end *end, int family, const void *ip, uint16_t port)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (family == AF_INET6 && memcmp(ip, mapped, sizeof(mapped)) == 0) {
		family = AF_INET;
		ip = (const char *)ip + sizeof(mapped);
	}
	inet_ntop(family, ip, end->ip, sizeof(end->ip));
	end->port = port;
}

/* ---------------------------------------------------------------- version 1 */

/* The text up to the next space, or to the end.  Empty when nothing is left. */
static struct proxyhdr_text cut_field(struct proxyhdr_text *line)
{
	const char *space = memchr(line->at, ' ', line->len);
	struct proxyhdr_text field = { line->at, space ? (size_t)(space - line->at) : line->len };
	size_t taken = field.len + (space ? 1 : 0);

	line->at += taken;
	line->len -= taken;
	return field;
}

static bool read_ip(unsigned char ip[16], int family, struct proxyhdr_text text)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.len >= sizeof(copy))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!isxdigit((unsigned char)text.at[i]) && text.at[i] != ':' && text.at[i] != '.')
			return false;
		copy[i] = text.at[i];
	}
	copy[text.len] = '\0';
	return inet_pton(family, copy, ip) == 1;
}

static bool read_port(uint16_t *port, struct proxyhdr_text text)
{
	unsigned long value = 0;

	if (text.len < 1 || text.len > 5 || (text.len > 1 && text.at[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		value = 10 * value + (unsigned long)(text.at[i] - '0');
	}
	*port = (uint16_t)value;
	return value <= UINT16_MAX;
}

static enum proxyhdr_verdict read_ends(struct proxyhdr *h, int family, struct proxyhdr_text line)
{
	unsigned char source[16], target[16];
	uint16_t source_port, target_port;

	if (!read_ip(source, family, cut_field(&line)) ||
		!read_ip(target, family, cut_field(&line)))
		return refuse(h, "not an address of the family it names");
	if (!read_port(&source_port, cut_field(&line)))
		return refuse(h, "not a port");
	/* The last field is all that is left: a space in it, or behind it, is no digit. */
	if (!read_port(&target_port, line))
		return refuse(h, "not a port");
	h->kind = PROXYHDR_TCP;
	set_end(&h->remote, family, source, source_port);
	set_end(&h->local, family, target, target_port);
	return PROXYHDR_DONE;
}

static enum proxyhdr_verdict parse_v1(struct proxyhdr *h, const char *buf, size_t len)
{
	static const char tcp4[] = "PROXY TCP4 ", tcp6[] = "PROXY TCP6 ", none[] = "PROXY UNKNOWN";
	enum {
		WORD = sizeof(tcp4) - 1,
		NONE = sizeof(none) - 1,
		LINE_MAX_LEN = PROXYHDR_V1_MAX - 2
	};
	bool is_none = could_be(buf, len, none, NONE);
	size_t line = len <= LINE_MAX_LEN ? len : LINE_MAX_LEN + 1;
	const char *cr = memchr(buf, '\r', line);

	if (!is_none && !could_be(buf, len, tcp4, WORD) && !could_be(buf, len, tcp6, WORD))
		return refuse(h, "not a PROXY header");
	if (cr)
		line = (size_t)(cr - buf);
	if (memchr(buf, '\n', line))
		return refuse(h, "a line feed without a carriage return");
	if (!cr)
		return line > LINE_MAX_LEN ? refuse(h, "longer than 107 bytes") : PROXYHDR_MORE;
	if (line + 1 == len)
		return PROXYHDR_MORE;
	if (cr[1] != '\n')
		return refuse(h, "a carriage return without a line feed");
	h->len = line + 2;
	if (is_none && (line == NONE || (line > NONE && buf[NONE] == ' ')))
		return PROXYHDR_DONE; /* what else it says is to be ignored */
	if (is_none || line < WORD)
		return refuse(h, "not a family");
	return read_ends(h, buf[WORD - 2] == '4' ? AF_INET : AF_INET6,
		(struct proxyhdr_text){ buf + WORD, line - WORD });
}

/* ---------------------------------------------------------------- version 2 */

static uint16_t get16(const char *at)
{
	return (uint16_t)((unsigned char)at[0] << 8 | (unsigned char)at[1]);
}

static uint32_t get32(const char *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

/* Bit by bit, without a table: a header is short, and only few proxies send a checksum. */
static uint32_t crc32c_add(uint32_t crc, const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= (unsigned char)at[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

/* The checksum of the whole header, with four bytes of zero in the place of the checksum. */
static bool is_intact(const char *header, size_t len, struct proxyhdr_text sum)
{
	static const char zero[4];
	uint32_t crc = crc32c_add(UINT32_MAX, header, (size_t)(sum.at - header));

	crc = crc32c_add(crc, zero, sizeof(zero));
	crc = crc32c_add(crc, sum.at + 4, (size_t)(header + len - (sum.at + 4)));
	return (crc ^ UINT32_MAX) == get32(sum.at);
}

static bool is_printable(struct proxyhdr_text text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < ' ' || text.at[i] > '~')
			return false;
	return true;
}

/* The next type, length and value.  False at the end, and then all is not well if why is set. */
static bool cut_element(
	struct proxyhdr *h, struct proxyhdr_text *rest, int *type, struct proxyhdr_text *value)
{
	if (rest->len == 0)
		return false;
	if (rest->len < 3 || rest->len - 3 < get16(rest->at + 1)) {
		h->why = "an element that overruns";
		return false;
	}
	*type = (unsigned char)rest->at[0];
	*value = (struct proxyhdr_text){ rest->at + 3, get16(rest->at + 1) };
	rest->at += 3 + value->len;
	rest->len -= 3 + value->len;
	return true;
}

/* At most one of each: of two, another reader might believe the other. */
static void keep(struct proxyhdr *h, struct proxyhdr_text *slot, struct proxyhdr_text value)
{
	if (slot->at)
		h->why = "the same element twice";
	*slot = value;
}

static void keep_text(struct proxyhdr *h, struct proxyhdr_text *slot, struct proxyhdr_text value)
{
	if (!is_printable(value))
		value.len = 0;
	keep(h, slot, value);
}

static void read_tls(struct proxyhdr *h, struct proxyhdr_text value)
{
	struct proxyhdr_text element;
	int type, client;

	if (h->tls_told || value.len < 5) {
		h->why = h->tls_told ? "the same element twice" : "a short word on TLS";
		return;
	}
	client = (unsigned char)value.at[0];
	h->tls_told = true;
	h->tls = client & CLIENT_SSL;
	h->tls_verified = h->tls && client & (CLIENT_CERT_CONN | CLIENT_CERT_SESS) &&
			  get32(value.at + 1) == 0;
	value.at += 5;
	value.len -= 5;
	while (!h->why && cut_element(h, &value, &type, &element)) {
		if (type == SUBTYPE_SSL_VERSION)
			keep_text(h, &h->tls_version, element);
		else if (type == SUBTYPE_SSL_CIPHER)
			keep_text(h, &h->tls_cipher, element);
		else if (type == SUBTYPE_SSL_CN)
			keep_text(h, &h->tls_cn, element);
	}
	/* Of a certificate that nobody verified: anybody can have written any name into it. */
	if (!h->tls_verified)
		h->tls_cn.len = 0;
}

static enum proxyhdr_verdict read_elements(
	struct proxyhdr *h, const char *buf, struct proxyhdr_text rest)
{
	struct proxyhdr_text value, sum = { NULL, 0 };
	int type;

	while (!h->why && cut_element(h, &rest, &type, &value)) {
		switch (type) {
		case TYPE_ALPN:
			keep_text(h, &h->alpn, value);
			break;
		case TYPE_AUTHORITY:
			keep_text(h, &h->authority, value);
			break;
		case TYPE_UNIQUE_ID:
			if (value.len > PROXYHDR_ID_MAX)
				h->why = "a unique id of more than 128 bytes";
			keep(h, &h->unique_id, value);
			break;
		case TYPE_CRC32C:
			if (value.len != 4)
				h->why = "a checksum that is not of 4 bytes";
			keep(h, &sum, value);
			break;
		case TYPE_SSL:
			read_tls(h, value);
			break;
		}
	}
	if (!h->why && sum.at && !is_intact(buf, h->len, sum))
		h->why = "a wrong checksum";
	return h->why ? PROXYHDR_BAD : PROXYHDR_DONE;
}

/* What of the command and the family is wrong, of as much as is there; NULL: nothing yet.  Leaves
 * FAMILY_UNSPEC where the addresses are to be ignored. */
static const char *read_kind(int *family, const char *buf, size_t len)
{
	int version = len > 12 ? (unsigned char)buf[12] >> 4 : 2;
	int command = len > 12 ? buf[12] & 0xf : COMMAND_LOCAL;
	int protocol = len > 13 ? buf[13] & 0xf : PROTOCOL_UNSPEC;

	*family = len > 13 ? (unsigned char)buf[13] >> 4 : FAMILY_UNSPEC;
	if (version != 2)
		return "another version than 2";
	if (command > COMMAND_PROXY)
		return "an unknown command";
	/* The specification: of a local connection, all else is discarded unseen. */
	if (command == COMMAND_LOCAL) {
		*family = FAMILY_UNSPEC;
		return NULL;
	}
	if (*family > FAMILY_UNIX || protocol > PROTOCOL_DGRAM)
		return "an unknown family or protocol";
	if (protocol == PROTOCOL_DGRAM)
		return "a datagram";
	if (protocol == PROTOCOL_UNSPEC)
		*family = FAMILY_UNSPEC;
	return NULL;
}

static enum proxyhdr_verdict parse_v2(struct proxyhdr *h, const char *buf, size_t len)
{
	static const size_t room[] = {
		[FAMILY_INET] = 12, [FAMILY_INET6] = 36, [FAMILY_UNIX] = 216
	};
	const char *at = buf + FIXED_SIZE;
	int family;

	if (!could_be(buf, len, signature, sizeof(signature)))
		return refuse(h, "not a PROXY header");
	h->why = read_kind(&family, buf, len);
	if (h->why)
		return PROXYHDR_BAD;
	if (len < FIXED_SIZE)
		return PROXYHDR_MORE;
	h->len = FIXED_SIZE + get16(buf + 14);
	if (h->len > PROXYHDR_MAX)
		return refuse(h, "longer than 4096 bytes");
	if (h->len < FIXED_SIZE + room[family])
		return refuse(h, "too short for its addresses");
	if (len < h->len)
		return PROXYHDR_MORE;
	if (family == FAMILY_UNSPEC)
		return PROXYHDR_DONE;
	h->kind = family == FAMILY_UNIX ? PROXYHDR_UNIX : PROXYHDR_TCP;
	if (family == FAMILY_INET) {
		set_end(&h->remote, AF_INET, at, get16(at + 8));
		set_end(&h->local, AF_INET, at + 4, get16(at + 10));
	} else if (family == FAMILY_INET6) {
		set_end(&h->remote, AF_INET6, at, get16(at + 32));
		set_end(&h->local, AF_INET6, at + 16, get16(at + 34));
	}
	return read_elements(h, buf,
		(struct proxyhdr_text){ at + room[family], h->len - FIXED_SIZE - room[family] });
}

enum proxyhdr_verdict proxyhdr_parse(struct proxyhdr *h, const char *buf, size_t len)
{
	*h = (struct proxyhdr){ .kind = PROXYHDR_LOCAL };
	if (len == 0)
		return PROXYHDR_MORE;
	return buf[0] == 'P' ? parse_v1(h, buf, len) : parse_v2(h, buf, len);
}
