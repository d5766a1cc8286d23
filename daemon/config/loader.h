/* What the modules of config/ share while one configuration is being read.  Nothing outside of
 * config/ sees it. */
#ifndef CONFIG_LOADER_H
#define CONFIG_LOADER_H

#include "daemon/config/draft.h"
#include "daemon/config/load.h"

struct known_text;    /* loader.c */
struct known_service; /* services.c */
struct known_account; /* identity.c */
struct known_program; /* program.c */
struct known_acl;     /* access.c */
struct peer_file;     /* peers.h */

/* An address and who wants it. */
struct claim {
	const struct addr *addr; /* in the config's arena */
	const char *service;
	struct place place;
	size_t order; /* in the files */
};

struct loader {
	struct config *config; /* being made; owned until it is complete */
	struct top top;
	struct arena scratch; /* of drafts; nothing in the config points there */
	struct complaints *complaints;
	size_t complaints_before;

	struct file **files; /* owned; they live to the end, since places refer to them */
	size_t files_count, files_cap;
	struct file *command_line; /* owned; its root has the keys of -o; NULL: none */
	struct file *builtin;      /* owned; where presets come from */

	struct service *services; /* owned; copied into the arena at the end */
	size_t services_count, services_cap;
	struct claim *claims; /* owned */
	size_t claims_count, claims_cap;
	size_t addresses_count;       /* also of services that are disabled */
	const struct claim *clash[2]; /* the last two that were complained about */

	rlim_t nr_open; /* 0: not asked yet */

	struct known_text *texts; /* uthash tables, owned */
	struct known_service *names;
	struct known_account *users, *groups;
	struct known_program *programs;
	struct known_acl *acls;
	struct peer_file *peer_files;
};

/* The text in the config's arena, each different one once. */
const char *loader_text(struct loader *l, const char *text);

/* A list in the making, on the heap. */
struct list {
	const char **items;
	size_t count, cap;
};
void list_add(struct list *l, const char *text);
/* Moves it to the arena, NULL-terminated, and empties the list. */
struct strings list_done(struct list *l, struct arena *arena);

/* Takes the file; it lives as long as the loader.  Returns it, or NULL if it is NULL. */
struct file *loader_keep(struct loader *l, struct file *file);

/* Complains about what stands at a place: "OWNER: KEY: what".  KEY may be NULL. */
void loader_complain(struct loader *l, const struct place *at, const char *key, const char *format,
	...) __attribute__((format(printf, 4, 5)));

void loader_complain_list(struct loader *l, const struct place *at, const char *key,
	const char *format, va_list ap) __attribute__((format(printf, 4, 0)));

/* True once there was a complaint. */
bool loader_failed(const struct loader *l);

/* Frees all but the config, if it was taken out. */
void loader_fini(struct loader *l);

#endif
