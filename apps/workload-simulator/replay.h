#ifndef SIMULATOR_REPLAY_H
#define SIMULATOR_REPLAY_H
#include "error/error.h"
struct bus;
struct options;
struct program;
struct progress;
struct publisher;
struct replay {
    struct program *program;
};
void replay_init(struct replay *replay, struct program *program, struct publisher *publisher,
                 struct progress *progress);
int replay_run(struct replay *replay, const struct options *options, struct bus *bus, struct error *error);
#endif
