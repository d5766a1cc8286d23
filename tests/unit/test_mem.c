/* daemon/base/mem: memory that is there, and arenas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/base/mem.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Around the size of an arena's block, and beyond. */
static const size_t sizes[] = { 0, 1, 7, 8, 15, 16, 17, 4096, 16383, 16384, 16385, 100000,
	1 << 20 };

static void all_bytes_are_zero(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(p[i], 0);
}

static void new_memory_is_zero_and_aligned(void **state)
{
	struct arena a = { 0 };

	(void)state;
	for (int again = 0; again < 3; again++)
		for (size_t i = 0; i < LEN(sizes); i++) {
			unsigned char *p = arena_new(&a, sizes[i]), *q = mem_new(sizes[i]);

			assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
			all_bytes_are_zero(p, sizes[i]);
			all_bytes_are_zero(q, sizes[i]);
			memset(p, 0xaa, sizes[i]); /* nobody else's */
			memset(q, 0xaa, sizes[i]);
			free(q);
		}
	arena_free(&a);
	assert_null(a.head);
	arena_free(&a);
}

static void things_in_an_arena_do_not_overlap(void **state)
{
	struct arena a = { 0 };
	char *texts[2000], want[32];

	(void)state;
	for (size_t i = 0; i < LEN(texts); i++)
		texts[i] = i % 2 ? arena_print(&a, "text number %zu", i) : arena_dup(&a, "dup");
	for (size_t i = 0; i < LEN(texts); i++) {
		snprintf(want, sizeof want, "text number %zu", i);
		assert_string_equal(texts[i], i % 2 ? want : "dup");
	}
	arena_free(&a);
}

static void an_array_grows_and_keeps_what_it_has(void **state)
{
	size_t cap = 0;
	int *list = NULL;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		size_t before = cap;

		list = mem_reserve(list, &cap, (size_t)i + 1, sizeof *list);
		assert_true(cap > (size_t)i);
		assert_true(cap == before || cap >= 2 * before);
		list[i] = i;
	}
	for (int i = 0; i < 10000; i++)
		assert_int_equal(list[i], i);
	free(list);
}

static void texts_are_copied_and_printed(void **state)
{
	char *text = mem_print("%s-%d", "a", 4711), *copy = mem_dup(text);

	(void)state;
	assert_string_equal(copy, "a-4711");
	assert_ptr_not_equal(copy, text);
	free(text);
	free(copy);
}

static void more_than_there_is_ends_the_program_with_111(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		close(2); /* its last words */
		mem_array(SIZE_MAX / 2, 4);
		_exit(0);
	}
	waitpid(pid, &status, 0);
#ifdef __SANITIZE_ADDRESS__
	/* The sanitizer has its own opinion of such a size, unless told otherwise. */
	assert_int_not_equal(status, 0);
#else
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 111);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_memory_is_zero_and_aligned),
		cmocka_unit_test(things_in_an_arena_do_not_overlap),
		cmocka_unit_test(an_array_grows_and_keeps_what_it_has),
		cmocka_unit_test(texts_are_copied_and_printed),
		cmocka_unit_test(more_than_there_is_ends_the_program_with_111),
	};

	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
