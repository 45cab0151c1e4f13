/* Dead letters from a file, as dlq show --envelope prints them, a line each: the same letters, perhaps put
 * right by hand. */
#ifndef BUSCAT_DLQ_FILE_H
#define BUSCAT_DLQ_FILE_H

#include "dlq_select.h"

/* Calls take for each. The topic is the selection's; its other wishes don't count. False from take: enough.
 * 0, or -1 with error filled: no file, a line that is no letter. */
int dlq_file_read(struct program *program, struct bus *bus, struct dlq_selection *selection, const char *path,
                  bool (*take)(void *context, const struct dlq_letter *letter), void *context,
                  struct error *error);

#endif
