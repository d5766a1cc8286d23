/* handlers/common/http: which heads are taken, and what is refused with which status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "handlers/common/http.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define REST "\r\nHost: a\r\n\r\n"

static const struct {
	const char *name, *head;
	int verdict;
} verdicts[] = {
	{ "a plain request", "GET / HTTP/1.1" REST, HTTP_DONE },
	{ "HTTP/1.0 without a Host", "GET / HTTP/1.0\r\n\r\n", HTTP_DONE },
	{ "an empty line before it", "\r\nGET / HTTP/1.1" REST, HTTP_DONE },
	{ "a later minor version", "GET / HTTP/1.9" REST, HTTP_DONE },
	{ "an absolute target", "GET http://b/x HTTP/1.1" REST, HTTP_DONE },
	{ "an absolute target in capitals", "GET HTTP://b:80 HTTP/1.1" REST, HTTP_DONE },
	{ "an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", HTTP_DONE },
	{ "an address as Host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", HTTP_DONE },
	{ "an unknown method", "BREW / HTTP/1.1" REST, HTTP_DONE },
	{ "OPTIONS *", "OPTIONS * HTTP/1.1" REST, HTTP_DONE },
	{ "CONNECT", "CONNECT a:443 HTTP/1.1" REST, HTTP_DONE },
	{ "an empty value", "GET / HTTP/1.1\r\nX:" REST, HTTP_DONE },
	{ "bytes above ASCII in a value", "GET / HTTP/1.1\r\nX: \xc3\xa9" REST, HTTP_DONE },
	{ "a tab in a value", "GET / HTTP/1.1\r\nX: a\tb" REST, HTTP_DONE },
	{ "a body with a length", "GET / HTTP/1.1\r\nContent-Length: 5" REST, HTTP_DONE },
	{ "a body in chunks", "GET / HTTP/1.1\r\nTransfer-Encoding: Chunked" REST, HTTP_DONE },

	{ "nothing yet", "", HTTP_MORE },
	{ "half a line", "GET / HT", HTTP_MORE },
	{ "no empty line yet", "GET / HTTP/1.1\r\nHost: a\r\n", HTTP_MORE },
	{ "half an empty line", "GET / HTTP/1.1\r\nHost: a\r\n\r", HTTP_MORE },

	{ "two empty lines before it", "\r\n\r\nGET / HTTP/1.1" REST, 400 },
	{ "a bare LF behind the request", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400 },
	{ "a bare LF behind a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400 },
	{ "a bare LF as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400 },
	{ "a bare LF at first", "\nGET / HTTP/1.1" REST, 400 },
	{ "a bare CR in a value", "GET / HTTP/1.1\r\nX: a\rb" REST, 400 },
	{ "a bare CR in the request", "GET /\rHTTP/1.1" REST, 400 },
	{ "two CRs", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400 },
	{ "a control character", "GET / HTTP/1.1\r\nX: \x01" REST, 400 },
	{ "a DEL", "GET / HTTP/1.1\r\nX: \x7f" REST, 400 },
	{ "the start of a TLS handshake", "\x16\x03\x01", 400 },
	{ "HTTP/0.9", "GET /\r\n", 400 },
	{ "no target", "GET  HTTP/1.1" REST, 400 },
	{ "two spaces", "GET  / HTTP/1.1" REST, 400 },
	{ "a space at the end", "GET / HTTP/1.1 " REST, 400 },
	{ "a space at the start", " GET / HTTP/1.1" REST, 400 },
	{ "a tab as a space", "GET\t/\tHTTP/1.1" REST, 400 },
	{ "a space in the target", "GET /a b HTTP/1.1" REST, 400 },
	{ "a tab in the target", "GET /a\tb HTTP/1.1" REST, 400 },
	{ "bytes above ASCII in the target", "GET /\xc3\xa9 HTTP/1.1" REST, 400 },
	{ "a fragment", "GET /a#b HTTP/1.1" REST, 400 },
	{ "a relative target", "GET a HTTP/1.1" REST, 400 },
	{ "GET *", "GET * HTTP/1.1" REST, 400 },
	{ "a target with a user", "GET http://u@b/ HTTP/1.1" REST, 400 },
	{ "a target without a host", "GET http:///x HTTP/1.1" REST, 400 },
	{ "another scheme", "GET ftp://b/ HTTP/1.1" REST, 400 },
	{ "a method that is no token", "G(T / HTTP/1.1" REST, 400 },
	{ "a version in small letters", "GET / http/1.1" REST, 400 },
	{ "a version without a minor", "GET / HTTP/1" REST, 400 },
	{ "a long version", "GET / HTTP/1.10" REST, 400 },
	{ "a space before the colon", "GET / HTTP/1.1\r\nX : a" REST, 400 },
	{ "a folded line", "GET / HTTP/1.1\r\nX: a\r\n b" REST, 400 },
	{ "a first field that is folded", "GET / HTTP/1.1\r\n X: a" REST, 400 },
	{ "a field without a colon", "GET / HTTP/1.1\r\nX" REST, 400 },
	{ "a field without a name", "GET / HTTP/1.1\r\n: a" REST, 400 },
	{ "a name that is no token", "GET / HTTP/1.1\r\nX(: a" REST, 400 },
	{ "HTTP/1.1 without a Host", "GET / HTTP/1.1\r\n\r\n", 400 },
	{ "an absolute target without a Host", "GET http://b/ HTTP/1.1\r\n\r\n", 400 },
	{ "two Hosts", "GET / HTTP/1.1\r\nHost: a" REST, 400 },
	{ "two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a" REST, 400 },
	{ "a Host that needs escaping", "GET / HTTP/1.1\r\nHost: a\"b\r\n\r\n", 400 },
	{ "a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
	{ "two lengths", "GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5" REST, 400 },
	{ "two lengths in one", "GET / HTTP/1.1\r\nContent-Length: 5, 5" REST, 400 },
	{ "a negative length", "GET / HTTP/1.1\r\nContent-Length: -5" REST, 400 },
	{ "a length with a sign", "GET / HTTP/1.1\r\nContent-Length: +5" REST, 400 },
	{ "a length in hex", "GET / HTTP/1.1\r\nContent-Length: 0x5" REST, 400 },
	{ "an empty length", "GET / HTTP/1.1\r\nContent-Length:" REST, 400 },
	{ "a huge length", "GET / HTTP/1.1\r\nContent-Length: 18446744073709551617" REST, 400 },
	{ "a length and chunks",
		"GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked" REST, 400 },
	{ "chunks and a length of nothing",
		"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 0" REST, 400 },
	{ "chunks twice",
		"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked" REST,
		400 },
	{ "chunks in HTTP/1.0", "GET / HTTP/1.0\r\nTransfer-Encoding: chunked" REST, 400 },
	{ "another coding", "GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked" REST, 501 },
	{ "a coding that only looks like it", "GET / HTTP/1.1\r\nTransfer-Encoding: xchunked" REST,
		501 },
	{ "HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\n", 505 },
	{ "HTTP/3.0", "GET / HTTP/3.0" REST, 505 },
};

/* In a block of its exact size, so that the sanitizer sees a step too far. */
static int parse(struct http_request *r, const char *head, size_t len, char **copy)
{
	*copy = malloc(len ? len : 1);
	assert_non_null(*copy);
	memcpy(*copy, head, len);
	http_init(r);
	return http_parse(r, *copy, len);
}

static void each_head_gets_its_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(verdicts); i++) {
		struct http_request r;
		char *copy;
		int verdict = parse(&r, verdicts[i].head, strlen(verdicts[i].head), &copy);

		if (verdict != verdicts[i].verdict)
			fail_msg("%s: %d instead of %d", verdicts[i].name, verdict,
				verdicts[i].verdict);
		assert_int_equal(http_parse(&r, copy, strlen(verdicts[i].head)), verdict);
		free(copy);
	}
}

static void byte_by_byte_the_verdict_is_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(verdicts); i++) {
		struct http_request r;
		int verdict = HTTP_MORE;

		http_init(&r);
		for (size_t n = 0; n <= strlen(verdicts[i].head) && verdict == HTTP_MORE; n++)
			verdict = http_parse(&r, verdicts[i].head, n);
		if (verdict != verdicts[i].verdict)
			fail_msg("%s: %d instead of %d", verdicts[i].name, verdict,
				verdicts[i].verdict);
	}
}

static const struct {
	const char *head, *path, *query, *host;
} targets[] = {
	{ "GET / HTTP/1.1" REST, "/", NULL, "a" },
	{ "GET /x?y HTTP/1.1" REST, "/x", "y", "a" },
	{ "GET /x? HTTP/1.1" REST, "/x", "", "a" },
	{ "GET /x?y?z HTTP/1.1" REST, "/x", "y?z", "a" },
	{ "GET /http://c/ HTTP/1.1" REST, "/http://c/", NULL, "a" },
	{ "GET //c/ HTTP/1.1" REST, "//c/", NULL, "a" },
	{ "GET http://b:80/x?y HTTP/1.1" REST, "/x", "y", "b:80" },
	{ "GET https://b HTTP/1.1" REST, "/", NULL, "b" },
	{ "GET http://b?y HTTP/1.1" REST, "/", "y", "b" },
};

static void a_target_falls_into_path_query_and_host(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(targets); i++) {
		struct http_request r;
		char *copy;

		assert_int_equal(
			parse(&r, targets[i].head, strlen(targets[i].head), &copy), HTTP_DONE);
		assert_true(http_equals(r.path, targets[i].path));
		assert_true(http_equals(r.host, targets[i].host));
		if (targets[i].query)
			assert_true(http_equals(r.query, targets[i].query));
		else
			assert_null(r.query.at);
		free(copy);
	}
}

static const struct {
	const char *head;
	bool keep_alive, has_body;
} ends[] = {
	{ "GET / HTTP/1.1" REST, true, false },
	{ "GET / HTTP/1.0" REST, false, false },
	{ "GET / HTTP/1.0\r\nConnection: x, Keep-Alive" REST, true, false },
	{ "GET / HTTP/1.1\r\nConnection: close" REST, false, false },
	{ "GET / HTTP/1.1\r\nConnection: x ,CLOSE, y" REST, false, false },
	{ "GET / HTTP/1.1\r\nConnection: closed" REST, true, false },
	{ "GET / HTTP/1.1\r\nConnection: x\r\nConnection: close" REST, false, false },
	{ "GET / HTTP/1.1\r\nConnection: keep-alive, close" REST, false, false },
	{ "GET / HTTP/1.1\r\nContent-Length: 0" REST, true, false },
	{ "GET / HTTP/1.1\r\nContent-Length: 5" REST, true, true },
	{ "GET / HTTP/1.1\r\nTransfer-Encoding: chunked" REST, true, true },
};

static void the_end_of_request_and_connection_follow_from_the_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(ends); i++) {
		struct http_request r;
		char *copy;

		assert_int_equal(parse(&r, ends[i].head, strlen(ends[i].head), &copy), HTTP_DONE);
		if (r.keep_alive != ends[i].keep_alive || r.has_body != ends[i].has_body)
			fail_msg("%s: keep_alive %d, has_body %d", ends[i].head, r.keep_alive,
				r.has_body);
		free(copy);
	}
}

static void what_follows_the_head_is_left_alone(void **state)
{
	static const char two[] = "GET /1 HTTP/1.1" REST "GET /2 HTTP/1.1" REST;
	struct http_request r;

	(void)state;
	http_init(&r);
	assert_int_equal(http_parse(&r, two, sizeof(two) - 1), HTTP_DONE);
	assert_int_equal(r.head_len, (sizeof(two) - 1) / 2);
	assert_true(http_equals(r.path, "/1"));
}

static void a_field_is_found_whatever_its_case_and_without_the_blanks_around_it(void **state)
{
	static const char head[] = "GET / HTTP/1.1\r\nx-A: \t b  c \t\r\nX-a: second" REST;
	struct http_request r;

	(void)state;
	http_init(&r);
	assert_int_equal(http_parse(&r, head, sizeof(head) - 1), HTTP_DONE);
	assert_true(http_equals(*http_find(&r, "X-A"), "b  c"));
	assert_null(http_find(&r, "X"));
	assert_int_equal(r.fields, 3);
}

/* "GET /xxx… HTTP/1.1", then many fields of one byte; returns the verdict. */
static int parse_long(size_t line, size_t fields, size_t field)
{
	static char head[4 * HTTP_HEAD_MAX];
	struct http_request r;
	size_t len = 0;

	len += (size_t)sprintf(head, "GET /");
	while (len < line - strlen(" HTTP/1.1"))
		head[len++] = 'x';
	len += (size_t)sprintf(head + len, " HTTP/1.1\r\nHost: a\r\n");
	for (size_t i = 1; i < fields; i++) {
		len += (size_t)sprintf(head + len, "x:");
		for (size_t n = 2; n < field; n++)
			head[len++] = 'x';
		len += (size_t)sprintf(head + len, "\r\n");
	}
	len += (size_t)sprintf(head + len, "\r\n");
	http_init(&r);
	return http_parse(&r, head, len);
}

static void limits_hold_to_the_byte(void **state)
{
	(void)state;
	assert_int_equal(parse_long(HTTP_LINE_MAX, 1, 0), HTTP_DONE);
	assert_int_equal(parse_long(HTTP_LINE_MAX + 1, 1, 0), 414);
	assert_int_equal(parse_long(100, HTTP_FIELDS_MAX, 2), HTTP_DONE);
	assert_int_equal(parse_long(100, HTTP_FIELDS_MAX + 1, 2), 431);
	assert_int_equal(parse_long(100, 2, HTTP_LINE_MAX), HTTP_DONE);
	assert_int_equal(parse_long(100, 2, HTTP_LINE_MAX + 1), 431);
	/* 102 and 9 and 2 bytes are there; two fields take the rest of the head. */
	assert_int_equal(parse_long(100, 3, (HTTP_HEAD_MAX - 113) / 2 - 2), HTTP_DONE);
	assert_int_equal(parse_long(100, 3, (HTTP_HEAD_MAX - 113) / 2), 431);
}

static void a_list_yields_its_elements(void **state)
{
	static const char text[] = " , a b ,,\tc,";
	struct http_text list = { text, sizeof(text) - 1 }, element;

	(void)state;
	assert_true(http_next_element(&list, &element));
	assert_true(http_equals(element, "a b"));
	assert_true(http_next_element(&list, &element));
	assert_true(http_equals(element, "c"));
	assert_false(http_next_element(&list, &element));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_head_gets_its_verdict),
		cmocka_unit_test(byte_by_byte_the_verdict_is_the_same),
		cmocka_unit_test(a_target_falls_into_path_query_and_host),
		cmocka_unit_test(the_end_of_request_and_connection_follow_from_the_fields),
		cmocka_unit_test(what_follows_the_head_is_left_alone),
		cmocka_unit_test(
			a_field_is_found_whatever_its_case_and_without_the_blanks_around_it),
		cmocka_unit_test(limits_hold_to_the_byte),
		cmocka_unit_test(a_list_yields_its_elements),
	};

	return cmocka_run_group_tests_name("handlers/common/http", tests, NULL, NULL);
}
