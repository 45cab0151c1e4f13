#include "support/kafka.h"

#include "support/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int run_script(const struct kafka_broker *broker, const char *script, const char *argument)
{
    char path[TEST_PATH_BYTES];
    char port[16];
    path_join(path, OBS_SOURCE_DIR "/scripts", script);
    (void)snprintf(port, sizeof port, "%u", (unsigned)broker->port);
    pid_t child = fork();
    if (child == 0) {
        (void)setenv("KAFKA_PORT", port, 1);
        (void)setenv("KAFKA_DIR", broker->directory, 1);
        (void)execl(path, path, argument, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0
               ? 0
               : -1;
}

int kafka_broker_start(struct kafka_broker *broker)
{
    temp_directory_create(broker->directory, "kafka");
    broker->port = net_free_ports(2); /* its own and the controller's */
    (void)snprintf(broker->url, sizeof broker->url, "kafka://127.0.0.1:%u", (unsigned)broker->port);
    return run_script(broker, "kafka-up", NULL);
}

int kafka_broker_start_again(struct kafka_broker *broker)
{
    return run_script(broker, "kafka-up", NULL);
}

void kafka_broker_stop(struct kafka_broker *broker, bool keep)
{
    (void)run_script(broker, "kafka-down",
                     keep ? "--keep" : NULL); /* removes the directory, unless it keeps */
}

int kafka_broker_require(struct kafka_broker *broker)
{
    if (kafka_broker_start(broker) == 0) {
        return 0;
    }
    bool must = getenv("CI") != NULL;
    (void)fprintf(stderr, "no Kafka broker (see above): %s\n",
                  must ? "under CI this test fails" : "skipped; 'make install' gets what is missing");
    kafka_broker_stop(broker, false);
    return must ? 1 : TEST_SKIPPED;
}
