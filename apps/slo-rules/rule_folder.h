/* The folders: every NAME.yaml of docs/slos becomes slo-NAME.yaml of rules, and nothing else there is called
 * so. */
#ifndef SLO_RULES_RULE_FOLDER_H
#define SLO_RULES_RULE_FOLDER_H

#include "error/error.h"

#include <stdbool.h>
#include <stdio.h>

enum folder_result {
    FOLDER_DONE = 0,
    FOLDER_FAILED = -1, /* a file can't be read or written */
    FOLDER_REFUSED = -2 /* an SLO file says what isn't taken */
};

struct folder_work {
    const char *slos, *rules; /* folders */
    int changed;              /* rule files that were written or removed (would be, in a check) */
    FILE *told;               /* a line for each of them */
};

/* Writes what differs, removes rules whose SLO file has gone. Nothing is touched unless all SLO files are
 * taken. check_only: touches nothing at all. */
int rule_folder_make(struct folder_work *work, bool check_only, struct error *error);

#endif
