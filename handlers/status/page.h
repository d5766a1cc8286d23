/*
 * page: the page that people look at, with the table of services already in it.
 *
 * page.html is one file without outside resources.  Three marks in it are filled in here: the nonce
 * that lets its script and style run and no other, the state of superd, and the rows.
 */
#ifndef HANDLERS_STATUS_PAGE_H
#define HANDLERS_STATUS_PAGE_H

#include <event2/buffer.h>
#include <jansson.h>

/* `list` is superd's answer to "list"; NULL: it does not answer. */
void page_write(struct evbuffer *out, const json_t *list, const char *nonce);

#endif
