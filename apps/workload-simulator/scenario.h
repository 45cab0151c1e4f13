/* scenario: the file of --scenario (YAML): the run's settings and its faults, each at its time.
 *
 *   seed: 42
 *   duration: 600s
 *   target_rps: 200
 *   faults:
 *     - {type: error_burst, service: api-service, region: us-east-1, start: 60s, duration: 120s, magnitude:
 * 0.3}
 *
 * Everything is optional; unknown keys and bad values are refused with file and line. */
#ifndef SIMULATOR_SCENARIO_H
#define SIMULATOR_SCENARIO_H

#include "error/error.h"
#include "fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCENARIO_FAULTS 256

struct scenario {
    bool has_seed, has_duration, has_target_rps, has_error_rate, has_start, has_instance;
    int64_t seed;
    int64_t duration_ms;
    double target_rps;
    double error_rate;
    int64_t start_unix_ms;
    char instance[65];
    struct fault_spec faults[SCENARIO_FAULTS];
    size_t fault_count;
};

int scenario_load(struct scenario *scenario, const char *path, struct error *error);

#endif
