/* Memory that is there or the program is not: out of memory dies in one place, exit 111.
 * Refuses to hand out uninitialised bytes. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Zeroed bytes on the heap; the caller owns them and gives them to free(3).  Never NULL. */
void *mem_new(size_t size);
void *mem_array(size_t count, size_t size);

/* Grows a heap array (NULL at first) to hold at least `want` items of `size` bytes, doubling
 * *cap.  The new part is not initialised.  Returns the array, which may have moved. */
void *mem_reserve(void *array, size_t *cap, size_t want, size_t size);

char *mem_dup(const char *text);
char *mem_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An arena: many small things with one life, freed together.  `struct arena a = { 0 }` is empty. */
struct arena_block;
struct arena {
	struct arena_block *head; /* owned */
	size_t used, cap;         /* in head */
};

/* Zeroed, aligned for any type, owned by the arena.  Never NULL. */
void *arena_new(struct arena *a, size_t size);
char *arena_dup(struct arena *a, const char *text);
char *arena_print(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
void arena_free(struct arena *a);

#endif
