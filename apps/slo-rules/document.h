/* One document of an OpenSLO file; slo_file.h says what is taken. */
#ifndef SLO_RULES_DOCUMENT_H
#define SLO_RULES_DOCUMENT_H

#include "slo_file.h"

#include <stdbool.h>

struct yaml_node;

/* Adds the objectives of the document to the file. */
int document_read(struct slo_file *file, const struct yaml_node *document, struct error *error);
/* A name as OpenSLO has it (RFC 1123): 1 to 63 of a-z, 0-9 and -, no - at either end. */
bool document_is_name(const char *text);

#endif
