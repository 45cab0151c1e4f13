/* lib/rule/rule_load: rules from YAML. Everything unknown or impossible is refused with file and line. */
#ifndef OBS_RULE_RULE_LOAD_H
#define OBS_RULE_RULE_LOAD_H

#include "error/error.h"
#include "rule/rule.h"

/* *out is to be freed with rule_set_destroy. */
int rule_set_load(struct rule_set **out, const char *path, struct error *error);
int rule_set_parse(struct rule_set **out, const char *name, const void *data, size_t size,
                   struct error *error);
void rule_set_destroy(struct rule_set *set);

#endif
