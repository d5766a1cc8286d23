/* daemon/base/log and sink: lines, escaping, and a target that takes nothing. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "daemon/base/log.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define BYTES(s) (s), sizeof(s) - 1

/* What a value becomes, in text and in JSON (without the quotes around it). */
static const struct {
	const char *bytes;
	size_t len;
	const char *text, *json;
} cases[] = {
	{ BYTES("plain"), "plain", "plain" },
	{ BYTES(""), "\"\"", "" },
	{ BYTES("two words"), "\"two words\"", "two words" },
	{ BYTES("a=b"), "\"a=b\"", "a=b" },
	{ BYTES("quote\""), "\"quote\\\"\"", "quote\\\"" },
	{ BYTES("back\\slash"), "\"back\\\\slash\"", "back\\\\slash" },
	{ BYTES("new\nline"), "\"new\\x0aline\"", "new\\u000aline" },
	{ BYTES("nul\0byte"), "\"nul\\x00byte\"", "nul\\u0000byte" },
	{ BYTES("\x1b[2J"), "\"\\x1b[2J\"", "\\u001b[2J" },
	{ BYTES("\x7f"), "\"\\x7f\"", "\\u007f" },
	{ BYTES("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\"", "gr\xc3\xbc\xc3\x9f" },
	{ BYTES("\xf0\x9f\x90\xa7"), "\"\xf0\x9f\x90\xa7\"", "\xf0\x9f\x90\xa7" },
	{ BYTES("\xff\xfe"), "\"\\xff\\xfe\"", "\\\\xff\\\\xfe" },
	{ BYTES("\xc0\xaf"), "\"\\xc0\\xaf\"", "\\\\xc0\\\\xaf" },
	{ BYTES("\xe0\x80\xaf"), "\"\\xe0\\x80\\xaf\"", "\\\\xe0\\\\x80\\\\xaf" },
	{ BYTES("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"", "\\\\xed\\\\xa0\\\\x80" },
	{ BYTES("\xf4\x90\x80\x80"), "\"\\xf4\\x90\\x80\\x80\"", "\\\\xf4\\\\x90\\\\x80\\\\x80" },
	{ BYTES("\xc2\x9b"), "\"\\xc2\\x9b\"", "\\\\xc2\\\\x9b" },
	{ BYTES("cut \xe2\x82"), "\"cut \\xe2\\x82\"", "cut \\\\xe2\\\\x82" },
};

static char path[] = "/tmp/superd-unit-log-XXXXXX";
static char got[1 << 17];

static void begin(enum log_format format, enum log_level level)
{
	const struct log_options o = {
		.target = LOG_FILE, .format = format, .level = level, .path = path
	};

	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(log_open(&o), 0);
}

/* All that has been written since begin(). */
static const char *written(void)
{
	FILE *f;
	size_t n;

	assert_true(log_flush());
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(got, 1, sizeof got - 1, f);
	fclose(f);
	got[n] = '\0';
	return got;
}

static void line_of(const char *bytes, size_t len)
{
	struct log_line l;

	log_begin(&l, LOG_NOTICE, "verb");
	log_bytes(&l, "key", bytes, len);
	log_end(&l);
}

static void a_value_is_escaped_in_text(void **state)
{
	char want[256];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		begin(LOG_TEXT, LOG_NOTICE);
		line_of(cases[i].bytes, cases[i].len);
		snprintf(want, sizeof want, " verb key=%s\n", cases[i].text);
		assert_string_equal(strchr(written(), ' '), want);
	}
}

static void a_value_is_escaped_in_json(void **state)
{
	char want[256];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		begin(LOG_JSON, LOG_NOTICE);
		line_of(cases[i].bytes, cases[i].len);
		snprintf(want, sizeof want, "\"event\":\"verb\",\"key\":\"%s\"}\n", cases[i].json);
		assert_non_null(strstr(written(), want));
	}
}

static void every_byte_makes_valid_json(void **state)
{
	char all[3 * 256];
	json_error_t error;
	json_t *line;

	(void)state;
	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (char)(i % 3 == 2 ? 0xc3 : i / 3);
	begin(LOG_JSON, LOG_NOTICE);
	line_of(all, sizeof all);
	line = json_loads(written(), JSON_ALLOW_NUL, &error);
	if (!line)
		fail_msg("%s at %d", error.text, error.position);
	json_decref(line);
}

static void a_line_that_is_too_long_ends_whole(void **state)
{
	static const char *const units[] = { "x", "\xff", "\n", "\"", "\xc3\xa9",
		"\xf0\x9f\x90\xa7" };

	(void)state;
	for (size_t u = 0; u < LEN(units); u++)
		for (size_t shift = 0; shift < 8; shift++) {
			char big[9000];
			size_t n = shift, unit = strlen(units[u]);
			json_t *line;
			struct log_line l;

			memset(big, 'a', shift);
			for (; n + unit <= sizeof big; n += unit)
				memcpy(big + n, units[u], unit);
			begin(LOG_JSON, LOG_NOTICE);
			log_begin(&l, LOG_NOTICE, "verb");
			log_bytes(&l, "key", big, n);
			log_str(&l, "late", "there is no room for this");
			log_num(&l, "number", 4711);
			log_end(&l);
			line = json_loads(written(), 0, NULL);
			assert_non_null(line);
			json_decref(line);
			assert_true(strlen(got) <= sizeof l.written.text);
			assert_true(strlen(got) > sizeof l.written.text - 64);
			assert_int_equal(strchr(got, '\n') - got, strlen(got) - 1);
		}
}

static char heard[8192];

static void hear(void *context, enum log_level level, const char *line, size_t len)
{
	assert_ptr_equal(context, heard);
	assert_int_equal(level, LOG_INFO);
	assert_true(strlen(heard) + len < sizeof heard);
	strncat(heard, line, len);
}

static void who_listens_in_hears_json_whatever_the_log_writes(void **state)
{
	const struct log_tap tap = { LOG_INFO, hear, heard }, none = { 0 };
	struct log_line l;
	json_t *line;

	(void)state;
	begin(LOG_TEXT, LOG_NOTICE);
	log_set_tap(&tap);
	assert_true(log_on(LOG_INFO));
	assert_false(log_on(LOG_TOUR));
	log_begin(&l, LOG_INFO, "verb");
	log_str(&l, "key", "a \"value\"");
	log_num(&l, "n", -1);
	log_ms(&l, "ms", 1500);
	log_text(&l, "text", "x");
	log_end(&l);
	log_begin(&l, LOG_TOUR, "tour");
	log_end(&l);
	log_set_tap(&none);
	assert_false(log_on(LOG_INFO));
	assert_string_equal(written(), "");
	line = json_loads(heard, 0, NULL);
	assert_non_null(line);
	assert_string_equal(json_string_value(json_object_get(line, "event")), "verb");
	assert_string_equal(json_string_value(json_object_get(line, "key")), "a \"value\"");
	assert_int_equal(json_integer_value(json_object_get(line, "n")), -1);
	json_decref(line);
}

static void a_level_that_is_not_wanted_writes_nothing(void **state)
{
	struct log_line l;

	(void)state;
	begin(LOG_TEXT, LOG_NOTICE);
	assert_true(log_on(LOG_ERROR) && log_on(LOG_NOTICE));
	assert_false(log_on(LOG_INFO) || log_on(LOG_TOUR));
	log_begin(&l, LOG_INFO, "verb");
	log_str(&l, "key", "value");
	log_num(&l, "n", 1);
	log_ms(&l, "ms", 1);
	log_text(&l, "text", "x");
	log_end(&l);
	log_say(LOG_TOUR, "verb", "x");
	assert_string_equal(written(), "");
}

static void fields_have_their_forms(void **state)
{
	struct log_line l;

	(void)state;
	begin(LOG_TEXT, LOG_TOUR);
	log_begin(&l, LOG_ERROR, "verb");
	log_num(&l, "n", INT64_MIN);
	log_ms(&l, "ms", 12345);
	log_ms(&l, "zero", 7);
	log_str(&l, "none", NULL);
	log_text(&l, "call", "dup2(9, 0) = 0\n");
	log_end(&l);
	assert_string_equal(strchr(written(), ' '),
		" verb n=-9223372036854775808 ms=12.345 zero=0.007 dup2(9, 0) = 0\\x0a\n");
}

static void time_is_utc_to_the_millisecond(void **state)
{
	static const char form[] = "0000-00-00T00:00:00.000Z ";

	(void)state;
	begin(LOG_TEXT, LOG_NOTICE);
	log_say(LOG_NOTICE, "verb", "x");
	written();
	for (size_t i = 0; form[i]; i++)
		if (form[i] == '0')
			assert_in_range(got[i], '0', '9');
		else
			assert_int_equal(got[i], form[i]);
}

static void a_file_that_cannot_be_opened_keeps_the_old_target(void **state)
{
	const struct log_options no = { .target = LOG_FILE, .path = "/nonexistent/x" };

	(void)state;
	begin(LOG_TEXT, LOG_NOTICE);
	assert_int_equal(log_open(&no), -1);
	log_say(LOG_NOTICE, "verb", "still here");
	assert_non_null(strstr(written(), "still here"));
}

static void a_stuck_target_drops_whole_lines_and_counts_them(void **state)
{
	static char fifo[] = "/tmp/superd-unit-fifo-XXXXXX";
	const struct log_options o = {
		.target = LOG_FILE, .format = LOG_JSON, .level = LOG_NOTICE, .path = fifo
	};
	int lines = 0, lost = 0, reader;
	char *line, *rest = got;
	ssize_t n = 0, more;

	(void)state;
	close(mkstemp(fifo));
	unlink(fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	reader = open(fifo, O_RDONLY | O_NONBLOCK);
	assert_int_equal(log_open(&o), 0);
	fcntl(reader, F_SETPIPE_SZ, 4096);
	for (int i = 0; i < 3000; i++)
		log_say(LOG_NOTICE, "verb", "a line of some length, number %d", i);
	assert_false(log_flush());
	assert_true(log_dropped() > 0);
	/* Now it is read, and told what is missing. */
	for (bool done = false; !done;) {
		done = log_flush();
		while ((more = read(reader, got + n, sizeof got - 1 - (size_t)n)) > 0)
			n += more;
	}
	got[n] = '\0';
	while ((line = strsep(&rest, "\n")) && *line) {
		json_t *j = json_loads(line, 0, NULL);

		assert_non_null(j);
		if (strcmp(json_string_value(json_object_get(j, "event")), "dropped") == 0)
			lost += (int)json_integer_value(json_object_get(j, "lines"));
		else
			lines++;
		json_decref(j);
	}
	assert_int_equal(lines + lost, 3000);
	assert_true(lines > 0 && lost > 0);
	close(reader);
	/* Nobody reads it any more: that is no reason to stop. */
	log_say(LOG_NOTICE, "verb", "x");
	log_flush();
	begin(LOG_TEXT, LOG_NOTICE);
	unlink(fifo);
}

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	close(mkstemp(path));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_escaped_in_text),
		cmocka_unit_test(a_value_is_escaped_in_json),
		cmocka_unit_test(every_byte_makes_valid_json),
		cmocka_unit_test(a_line_that_is_too_long_ends_whole),
		cmocka_unit_test(who_listens_in_hears_json_whatever_the_log_writes),
		cmocka_unit_test(a_level_that_is_not_wanted_writes_nothing),
		cmocka_unit_test(fields_have_their_forms),
		cmocka_unit_test(time_is_utc_to_the_millisecond),
		cmocka_unit_test(a_file_that_cannot_be_opened_keeps_the_old_target),
		cmocka_unit_test(a_stuck_target_drops_whole_lines_and_counts_them),
	};

	return cmocka_run_group_tests_name("log", tests, set_up, tear_down);
}
