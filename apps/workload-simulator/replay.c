#include "replay.h"
void replay_init(struct replay *replay, struct program *program, struct publisher *publisher,
                 struct progress *progress)
{
    (void)publisher;
    (void)progress;
    replay->program = program;
}
int replay_run(struct replay *replay, const struct options *options, struct bus *bus, struct error *error)
{
    (void)replay;
    (void)options;
    (void)bus;
    return error_set(error, -1, "not yet");
}
