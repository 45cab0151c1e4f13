/* The indicator of an SLO: two counters of Prometheus. */
#ifndef SLO_RULES_INDICATOR_H
#define SLO_RULES_INDICATOR_H

#include "slo.h"

#include "error/error.h"

struct yaml_node;
struct yaml_tree;

/* Fills bad or good, and total; their texts belong to the tree. */
int indicator_read(const struct yaml_tree *tree, const struct yaml_node *indicator, struct slo *slo,
                   struct error *error);

#endif
