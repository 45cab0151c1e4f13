/* An OpenSLO v1 file (https://github.com/OpenSLO/OpenSLO) with one or more SLOs, "---" between them.
 *
 * Taken: kind SLO with an inline indicator of type ratioMetric (good or bad, and total: counters in
 * Prometheus), budgetingMethod Occurrences, one rolling timeWindow of 7 to 35 days, one or more objectives.
 * kind Service says nothing that rules need and is passed over. Everything else that OpenSLO knows is refused
 * by name, with file and line, and so is everything that it doesn't know: an SLO that is silently less than
 * what was written would be worse than none. */
#ifndef SLO_RULES_SLO_FILE_H
#define SLO_RULES_SLO_FILE_H

#include "slo.h"

#include "error/error.h"

#include <stddef.h>

enum { SLO_FILE_MAX = 64 }; /* objectives in a file */

struct yaml_tree;

struct slo_file {
    char stem[SLO_NAME_BYTES]; /* "api-service" of docs/slos/api-service.yaml */
    struct slo slos[SLO_FILE_MAX];
    size_t count;
    struct yaml_tree *tree; /* the counters' texts */
};

/* Both return 0 or -1 with "FILE:LINE: sentence". name: what errors call the source; its last part must be
 * NAME.yaml with a name as OpenSLO allows it. After 0 slo_file_free is due. */
int slo_file_load(struct slo_file *file, const char *path, struct error *error);
int slo_file_parse(struct slo_file *file, const char *name, const void *data, size_t size,
                   struct error *error);
void slo_file_free(struct slo_file *file); /* safe on a zeroed one */

#endif
