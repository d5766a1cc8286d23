/*
 * fuzz_proxyhdr: whatever bytes come, the parser keeps its contract: what it finds lies inside the
 * header, what it prints is canonical, and how the bytes are cut makes no difference.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/common/proxyhdr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct proxyhdr_text t, const char *buf, size_t len)
{
	assert(!t.at ? t.len == 0 : t.at >= buf + 16 && t.at + t.len <= buf + len);
	for (size_t i = 0; i < t.len; i++)
		assert(t.at[i] >= ' ' && t.at[i] <= '~');
}

static void check_end(const struct proxyhdr_end *end)
{
	unsigned char ip[16];
	char again[INET6_ADDRSTRLEN];
	int family = strchr(end->ip, ':') ? AF_INET6 : AF_INET;

	assert(memchr(end->ip, '\0', sizeof(end->ip)));
	assert(inet_pton(family, end->ip, ip) == 1);
	assert(inet_ntop(family, ip, again, sizeof(again)) && strcmp(again, end->ip) == 0);
	assert(strncasecmp(end->ip, "::ffff:", 7) != 0 || !strchr(end->ip, '.'));
}

static void check_header(const struct proxyhdr *h, const char *buf, size_t size)
{
	bool v1 = buf[0] == 'P';

	assert(h->len <= size && h->len >= (v1 ? 15 : 16));
	assert(h->len <= (v1 ? PROXYHDR_V1_MAX : PROXYHDR_MAX));
	if (v1)
		assert(memmem(buf, h->len, "\r\n", 2) == buf + h->len - 2);
	if (h->kind == PROXYHDR_TCP) {
		check_end(&h->remote);
		check_end(&h->local);
	} else {
		assert(!h->remote.ip[0] && !h->local.ip[0]);
	}
	check_text(h->authority, buf, h->len);
	check_text(h->alpn, buf, h->len);
	check_text(h->tls_version, buf, h->len);
	check_text(h->tls_cipher, buf, h->len);
	check_text(h->tls_cn, buf, h->len);
	assert(h->unique_id.len <= PROXYHDR_ID_MAX);
	if (h->unique_id.at)
		assert(h->unique_id.at + h->unique_id.len <= buf + h->len);
	assert(h->tls_told || !h->tls);
	assert(h->tls || !h->tls_verified);
	assert(h->tls_verified || h->tls_cn.len == 0);
	if (v1 || h->kind == PROXYHDR_LOCAL)
		assert(!h->tls_told && !h->authority.at && !h->alpn.at && !h->unique_id.at);
}

/* Byte by byte or in one piece: the same; and each byte before the end was asked for. */
static void check_increments(
	const char *buf, size_t size, const struct proxyhdr *whole, int verdict)
{
	struct proxyhdr h;
	int step = PROXYHDR_MORE;
	size_t n;

	for (n = 0; n <= size; n++) {
		/* Of its exact size, so that the sanitizer sees a step too far. */
		char *copy = malloc(n ? n : 1);

		memcpy(copy, buf, n);
		step = proxyhdr_parse(&h, copy, n);
		free(copy);
		if (step != PROXYHDR_MORE)
			break;
	}
	assert(step == verdict);
	if (verdict == PROXYHDR_MORE)
		return;
	assert(n <= PROXYHDR_MAX);
	if (verdict == PROXYHDR_DONE) {
		assert(n == whole->len && h.len == n && h.kind == whole->kind);
		assert(memcmp(&h.remote, &whole->remote, sizeof(h.remote)) == 0);
		assert(memcmp(&h.local, &whole->local, sizeof(h.local)) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *buf = (const char *)data;
	struct proxyhdr h;
	int verdict = proxyhdr_parse(&h, buf, size);

	assert((verdict == PROXYHDR_BAD) == (h.why != NULL));
	assert(verdict != PROXYHDR_MORE || size < PROXYHDR_MAX);
	if (verdict == PROXYHDR_DONE)
		check_header(&h, buf, size);
	check_increments(buf, size, &h, verdict);
	return 0;
}
