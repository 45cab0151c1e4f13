/* Read once, before main. What is reached is said on stderr first, in one write: the process may not live any
 * longer. */
#include "failpoint/failpoint.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ACTION_KILL = FAILPOINT_AWAY + 1, ACTION_STOP };

static const char *const action_names[] = {
    [FAILPOINT_GO] = "go",       [FAILPOINT_RETRY] = "retry",     [FAILPOINT_ABORT] = "abort",
    [FAILPOINT_FATAL] = "fatal", [FAILPOINT_TIMEOUT] = "timeout", [FAILPOINT_FULL] = "full",
    [FAILPOINT_RESET] = "reset", [FAILPOINT_AWAY] = "away",       [ACTION_KILL] = "kill",
    [ACTION_STOP] = "stop"};

struct place {
    const char *name, *errors, *needs;
    int action; /* FAILPOINT_GO: none */
    long at;
    atomic_long reached;
};

static struct place places[FAILPOINT_COUNT] = {
#define FAILPOINT_PLACE(id, text, error_names, need)                                                         \
    [FAILPOINT_##id] = {.name = (text), .errors = (error_names), .needs = (need)},
    FAILPOINT_LIST(FAILPOINT_PLACE)
#undef FAILPOINT_PLACE
};

static void print_list(void)
{
    for (size_t i = 0; i < FAILPOINT_COUNT; i++) {
        (void)printf("%s\t%s\t%s\n", places[i].name, places[i].errors, places[i].needs);
    }
}

static bool set_action(struct place *place, const char *action)
{
    for (size_t i = 1; i < sizeof action_names / sizeof action_names[0]; i++) {
        size_t size = strlen(action_names[i]);
        if (strncmp(action, action_names[i], size) == 0 && (action[size] == '\0' || action[size] == '@')) {
            place->action = (int)i;
            place->at = action[size] == '@' ? strtol(action + size + 1, NULL, 10) : 1;
            return place->at > 0;
        }
    }
    return false;
}

static bool set_place(char *setting)
{
    char *equals = strchr(setting, '=');
    if (equals == NULL) {
        return false;
    }
    *equals = '\0';
    for (size_t i = 0; i < FAILPOINT_COUNT; i++) {
        if (strcmp(places[i].name, setting) == 0) {
            return set_action(&places[i], equals + 1);
        }
    }
    return false;
}

__attribute__((constructor)) static void read_settings(void)
{
    const char *given = getenv("OBS_FAILPOINTS");
    if (given == NULL || given[0] == '\0') {
        return;
    }
    if (strcmp(given, "list") == 0) {
        print_list();
        exit(0);
    }
    char text[1024];
    (void)snprintf(text, sizeof text, "%s", given);
    char *rest = NULL;
    for (char *item = strtok_r(text, ",", &rest); item != NULL; item = strtok_r(NULL, ",", &rest)) {
        if (!set_place(item)) {
            (void)fprintf(stderr, "OBS_FAILPOINTS: '%s' in '%s' is none\n", item, given);
            exit(2);
        }
    }
}

static void say(const struct place *place)
{
    char line[160];
    int size =
        snprintf(line, sizeof line, "failpoint %s=%s reached\n", place->name, action_names[place->action]);
    if (size > 0 && write(STDERR_FILENO, line, (size_t)size) < 0) {
        return;
    }
}

enum failpoint_answer failpoint_reach(enum failpoint failpoint)
{
    struct place *place = &places[failpoint];
    if (place->action == FAILPOINT_GO || atomic_fetch_add(&place->reached, 1) + 1 != place->at) {
        return FAILPOINT_GO;
    }
    say(place);
    if (place->action == ACTION_KILL || place->action == ACTION_STOP) {
        (void)kill(getpid(), place->action == ACTION_KILL ? SIGKILL : SIGSTOP);
        return FAILPOINT_GO;
    }
    return (enum failpoint_answer)place->action;
}
