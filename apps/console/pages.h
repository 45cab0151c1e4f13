/* The addresses that answer with a file: the page (every view is the same document), its assets, dashboards,
 * runbooks. */
#ifndef CONSOLE_PAGES_H
#define CONSOLE_PAGES_H

#include "folder.h"

struct guard;
struct program;

struct pages {
    struct folder dashboards, runbooks;
};

int pages_read(struct pages *pages, const char *dashboards, const char *runbooks, struct error *error);
void pages_free(struct pages *pages);
void pages_add_routes(struct pages *pages, struct guard *guard, struct program *program);

#endif
