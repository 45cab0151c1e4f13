/* Prometheus' configuration of this run: config/prometheus.yml, which holds for the default ports, with this
 * run's ports, intervals and paths. */
#ifndef OBS_LOCAL_STACK_PROMETHEUS_CONFIG_H
#define OBS_LOCAL_STACK_PROMETHEUS_CONFIG_H

#include "error/error.h"

struct options;
struct plan;

/* Writes DATA/prometheus.yml. */
int prometheus_config_write(const struct options *options, const struct plan *plan, struct error *error);

#endif
