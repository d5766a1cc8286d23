/*
 * path: from the path of a request to the name of a file, and back.
 *
 * Pure text: it opens nothing.  It does not resolve "." and ".." either, it has no need to: a name
 * that begins with a dot is hidden, so they name nothing (and the kernel confines what is opened,
 * see beneath.h).
 */
#ifndef HANDLERS_COMMON_PATH_H
#define HANDLERS_COMMON_PATH_H

#include <stddef.h>

#include "handlers/common/http.h"

/*
 * Decodes "/a%20b//c/" to "a b/c/", relative to the root, terminated; the root itself is "".
 * 0, or a status: 400 for an escape that is none or a control character, 414 when it does not
 * fit, 404 for what cannot be a file's name (an escaped slash) or is hidden: each name with a
 * leading dot but "/.well-known" (RFC 8615).
 */
int path_decode(char *out, size_t size, struct http_text path);

/* The reverse: name with everything escaped that is not plain in a URL.  Its length, or 0 when it
 * does not fit. */
size_t path_encode(char *out, size_t size, const char *name);

#endif
