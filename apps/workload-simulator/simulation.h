/* simulation: the loop of simulated traffic: the run's time moves, requests up to there are made and
 * published, faults begin and end on the way and are written to the truth. */
#ifndef SIMULATOR_SIMULATION_H
#define SIMULATOR_SIMULATION_H

#include "error/error.h"
#include "publisher.h"

#include <stdint.h>

struct fault_set;
struct metric;
struct program;
struct progress;
struct run_time;
struct traffic;
struct truth;

/* All borrowed. */
struct simulation {
    struct program *program;
    struct traffic *traffic;
    struct fault_set *faults;
    struct run_time *time;
    struct publisher *publisher;
    struct truth *truth; /* NULL: none */
    struct progress *progress;
    int64_t duration_ms; /* 0: for ever */
    bool truth_failed;   /* out: a begin or end is missing in the truth */
    struct metric *active_faults, *begun_faults;
};

/* Adds the metrics; before program_serve. */
void simulation_init(struct simulation *simulation, struct program *program);

/* Runs to the duration's end or until the program is asked to stop; faults still active end then.
 * -1: the bus is broken, error says why. */
int simulation_run(struct simulation *simulation, struct error *error);

#endif
