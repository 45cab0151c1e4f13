/* Prometheus' and Alertmanager's configuration of this run: config/prometheus.yml and config/alertmanager.yml
 * (or the one of --alertmanager-config), which hold for the default ports, with this run's ports, intervals
 * and paths. As long as no console is built, what would be posted to it is posted to nobody. */
#ifndef OBS_LOCAL_STACK_SERVER_CONFIGS_H
#define OBS_LOCAL_STACK_SERVER_CONFIGS_H

#include "error/error.h"

struct options;
struct plan;

/* Writes DATA/prometheus.yml and DATA/alertmanager.yml. Refused: a secret (…_file: PATH) that isn't there,
 * which Alertmanager would notice only when it has something to say. */
int server_configs_write(const struct options *options, const struct plan *plan, struct error *error);

#endif
