/*
 * fuzz_http: whatever bytes come, the parser keeps its contract, and so do the modules that work on
 * what it found: names, conditions, ranges, dates.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/common/cond.h"
#include "handlers/common/date.h"
#include "handlers/common/http.h"
#include "handlers/common/mime.h"
#include "handlers/common/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void lies_inside(struct http_text t, const char *buf, size_t len)
{
	if (!t.at || http_equals(t, "/"))
		return;
	assert(t.at >= buf && t.at + t.len <= buf + len);
}

static void check_request(const struct http_request *r, const char *buf, size_t size)
{
	assert(r->head_len > 0 && r->head_len <= size && r->head_len <= HTTP_HEAD_MAX);
	assert(memcmp(buf + r->head_len - 4, "\r\n\r\n", 4) == 0);
	assert(r->fields <= HTTP_FIELDS_MAX);
	assert(r->minor == 0 || r->minor == 1);
	assert(r->has_body == (r->chunked || r->body_len > 0));
	assert(!r->chunked || r->minor == 1);
	assert(r->method_name.len > 0);
	if (r->method == HTTP_GET || r->method == HTTP_HEAD)
		assert(r->path.len > 0 && r->path.at[0] == '/');
	lies_inside(r->method_name, buf, r->head_len);
	lies_inside(r->host, buf, r->head_len);
	lies_inside(r->path, buf, r->head_len);
	lies_inside(r->query, buf, r->head_len);
	for (size_t i = 0; i < r->fields; i++) {
		struct http_text name = r->field[i].name, value = r->field[i].value;

		assert(name.len > 0);
		lies_inside(name, buf, r->head_len);
		lies_inside(value, buf, r->head_len);
		for (size_t n = 0; n < name.len; n++)
			assert(name.at[n] > ' ' && name.at[n] != ':' && name.at[n] < 0x7f);
		for (size_t n = 0; n < value.len; n++)
			assert(value.at[n] != '\r' && value.at[n] != '\n' && value.at[n] != '\0');
	}
	/* What a Location repeats can break neither a line nor out of it. */
	for (size_t n = 0; n < r->query.len; n++)
		assert(r->query.at[n] > ' ' && r->query.at[n] < 0x7f);
}

/* A decoded name stays inside, and encodes to something that decodes to the same again. */
static void check_path(struct http_text path)
{
	char name[512], again[512], encoded[3 * 512 + 2] = "/";
	int status = path_decode(name, sizeof(name), path);
	size_t len;

	assert(status == 0 || status == 400 || status == 404 || status == 414);
	if (status != 0)
		return;
	assert(name[0] != '/' && !strstr(name, "//"));
	assert(strncmp(name, "../", 3) != 0 && !strstr(name, "/../"));
	len = path_encode(encoded + 1, sizeof(encoded) - 1, name);
	assert(len > 0 || name[0] == '\0');
	assert(path_decode(again, sizeof(again), (struct http_text){ encoded, len + 1 }) == 0);
	assert(strcmp(name, again) == 0);
}

static void check_conditions(const struct http_request *r)
{
	const struct cond_state file = { "\"1-2\"", 784111777, 100 };
	uint64_t first, len;
	int status = cond_check(r, &file);

	assert(status == 200 || status == 304 || status == 412);
	status = cond_range(r, &file, &first, &len);
	assert(status == 200 || status == 206 || status == 416);
	assert(first <= 100 && len <= 100 && first + len <= 100);
	assert(status != 206 || len > 0);
}

/* Byte by byte or in one piece: the same verdict, at the same byte. */
static void check_increments(const char *buf, size_t size, const struct http_request *whole)
{
	struct http_request r;

	http_init(&r);
	for (size_t n = 0; n <= size && r.verdict == HTTP_MORE; n++)
		http_parse(&r, buf, n);
	assert(r.verdict == whole->verdict);
	assert(r.scanned == whole->scanned);
	assert(r.fields == whole->fields && r.keep_alive == whole->keep_alive);
	assert(r.head_len == whole->head_len && r.body_len == whole->body_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *buf = (const char *)data;
	struct http_request r;
	char type[MIME_SIZE];
	int verdict;
	time_t when;

	http_init(&r);
	verdict = http_parse(&r, buf, size);
	assert(http_parse(&r, buf, size) == verdict);
	assert(r.scanned <= size);
	check_increments(buf, size, &r);
	if (verdict == HTTP_DONE) {
		check_request(&r, buf, size);
		check_path(r.path);
		check_conditions(&r);
	} else {
		assert(verdict == HTTP_MORE || (verdict >= 400 && verdict <= 505));
		assert(!r.keep_alive && !r.has_body);
		assert(verdict != HTTP_MORE || r.scanned == size);
	}
	/* The same bytes, as what the other modules read. */
	check_path((struct http_text){ buf, size });
	date_parse((struct http_text){ buf, size }, &when);
	if (mime_find(type, buf, size, "a.html"))
		assert(strchr(type, '/') && !strpbrk(type, " \t\r\n"));
	return 0;
}
