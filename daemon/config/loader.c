#include "daemon/config/loader.h"

#include "daemon/base/mem.h"
#include "daemon/config/access.h"
#include "daemon/config/identity.h"
#include "daemon/config/peers.h"
#include "daemon/config/program.h"
#include "daemon/config/services.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct known_text {
	const char *text; /* in the config's arena; also the hash key */
	UT_hash_handle hh;
};

const char *loader_text(struct loader *l, const char *text)
{
	struct known_text *known;
	size_t n = strlen(text);

	HASH_FIND(hh, l->texts, text, n, known);
	if (known)
		return known->text;
	known = mem_new(sizeof *known);
	known->text = arena_dup(&l->config->arena, text);
	HASH_ADD_KEYPTR(hh, l->texts, known->text, n, known);
	return known->text;
}

void list_add(struct list *l, const char *text)
{
	l->items = mem_reserve(l->items, &l->cap, l->count + 1, sizeof *l->items);
	l->items[l->count++] = text;
}

struct strings list_done(struct list *l, struct arena *arena)
{
	const char **items = arena_new(arena, (l->count + 1) * sizeof *items);
	struct strings done = { items, l->count };

	if (l->count)
		memcpy(items, l->items, l->count * sizeof *items);
	free(l->items);
	*l = (struct list){ 0 };
	return done;
}

struct file *loader_keep(struct loader *l, struct file *file)
{
	if (!file)
		return NULL;
	l->files = mem_reserve(l->files, &l->files_cap, l->files_count + 1, sizeof *l->files);
	l->files[l->files_count++] = file;
	return file;
}

void loader_complain(
	struct loader *l, const struct place *at, const char *key, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	loader_complain_list(l, at, key, format, ap);
	va_end(ap);
}

void loader_complain_list(
	struct loader *l, const struct place *at, const char *key, const char *format, va_list ap)
{
	unsigned line = 0, column = 0;
	char *what;

	if (vasprintf(&what, format, ap) < 0)
		abort();
	if (at->file)
		file_place(at->file, at->offset, &line, &column);
	complain(l->complaints, at->file ? at->file->name : "superd", line, column, "%s%s%s%s%s",
		at->owner ? at->owner : "", at->owner ? ": " : "", key ? key : "", key ? ": " : "",
		what);
	free(what);
}

bool loader_failed(const struct loader *l)
{
	return l->complaints->count > l->complaints_before;
}

static void forget_texts(struct loader *l)
{
	struct known_text *known = l->texts, *next;

	HASH_CLEAR(hh, l->texts); /* the table; the list of its items is still linked */
	for (; known; known = next) {
		next = known->hh.next;
		free(known);
	}
}

void loader_fini(struct loader *l)
{
	forget_texts(l);
	services_forget(l);
	identity_forget(l);
	program_forget(l);
	access_forget(l);
	peer_files_forget(l);
	for (size_t i = 0; i < l->files_count; i++)
		file_free(l->files[i]);
	free(l->files);
	file_free(l->command_line);
	file_free(l->builtin);
	free(l->services);
	free(l->claims);
	arena_free(&l->scratch);
	config_unref(l->config);
	*l = (struct loader){ 0 };
}
