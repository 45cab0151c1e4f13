/* What the local stack was asked for: its settings, once, for all its files. */
#ifndef OBS_LOCAL_STACK_OPTIONS_H
#define OBS_LOCAL_STACK_OPTIONS_H

#include "settings/settings.h"

#include <stdbool.h>
#include <stdint.h>

struct options {
    const char *bus_url; /* NULL: the embedded bus under data */
    struct setting_list properties;
    const char *data;                /* directory of everything that is recorded: "var" */
    const char *source;              /* the repository: rules/, config/ */
    const char *alertmanager_config; /* NULL: that of the source */
    int64_t port_offset;             /* added to every port */
    double target_rps;               /* simulated traffic; 0: none */
    int64_t max_series;              /* of the metrics-bridge */
    int64_t scrape_ms;               /* Prometheus' scrape and evaluation interval */
    bool stop_with_parent;           /* end when whoever started us ends (make) */
    char programs[512];              /* the directory of our own binary */
    char bus_url_text[600];          /* holds the default of bus_url */
};

#endif
