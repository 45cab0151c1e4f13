#include "support/kafka.h"

#include "support/net.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of a script in a child of its own, so that several can run at a time. */
static pid_t begin_script(const struct kafka_broker *broker, const char *script, const char *argument,
                          const char *cluster_id)
{
    char path[TEST_PATH_BYTES];
    char port[16];
    char settings[TEST_PATH_BYTES];
    path_join(path, OBS_SOURCE_DIR "/scripts", script);
    path_join(settings, broker->directory, "more.properties");
    (void)snprintf(port, sizeof port, "%u", (unsigned)broker->port);
    pid_t child = fork();
    if (child == 0) {
        (void)setenv("KAFKA_PORT", port, 1);
        (void)setenv("KAFKA_DIR", broker->directory, 1);
        if (access(settings, R_OK) == 0) {
            (void)setenv("KAFKA_SETTINGS", settings, 1);
        }
        if (cluster_id != NULL) {
            (void)setenv("KAFKA_CLUSTER_ID", cluster_id, 1);
        }
        (void)execl(path, path, argument, (char *)NULL);
        _exit(127);
    }
    return child;
}

static int end_script(pid_t child)
{
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0
               ? 0
               : -1;
}

static int run_script(const struct kafka_broker *broker, const char *script, const char *argument)
{
    return end_script(begin_script(broker, script, argument, NULL));
}

static void write_settings(const struct kafka_broker *broker, const char *text)
{
    char path[TEST_PATH_BYTES];
    path_join(path, broker->directory, "more.properties");
    file_write_text(path, text);
}

static void name_ports(struct kafka_broker *broker, unsigned count)
{
    broker->port = net_free_ports(count); /* its own, the controller's, and more */
    (void)snprintf(broker->url, sizeof broker->url, "kafka://127.0.0.1:%u", (unsigned)broker->port);
}

void kafka_broker_plan_proxy(struct kafka_broker *broker)
{
    char text[1024];
    temp_directory_create(broker->directory, "kafka");
    name_ports(broker, 4);
    unsigned port = broker->port;
    broker->behind_port = (uint16_t)(port + 2);
    broker->proxy_port = (uint16_t)(port + 3);
    (void)snprintf(
        text, sizeof text,
        "listeners=PLAINTEXT://127.0.0.1:%u,PROXIED://127.0.0.1:%u,CONTROLLER://127.0.0.1:%u\n"
        "advertised.listeners=PLAINTEXT://127.0.0.1:%u,PROXIED://127.0.0.1:%u\n"
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
        "inter.broker.listener.name=PLAINTEXT\n",
        port, port + 2, port + 1, port, port + 3);
    write_settings(broker, text);
}

int kafka_broker_start(struct kafka_broker *broker)
{
    if (broker->proxy_port == 0) {
        temp_directory_create(broker->directory, "kafka");
        name_ports(broker, 2);
    }
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

void kafka_broker_signal(const struct kafka_broker *broker, int signal_number)
{
    char path[TEST_PATH_BYTES];
    long pid = 0;
    path_join(path, broker->directory, "pid");
    FILE *file = fopen(path, "r");
    if (file != NULL && fscanf(file, "%ld", &pid) == 1 && pid > 1) {
        (void)kill((pid_t)pid, signal_number);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

void kafka_broker_kill(struct kafka_broker *broker)
{
    kafka_broker_signal(broker, SIGKILL);
    kafka_broker_stop(broker, true); /* forgets the number */
}

/* --- a cluster ---- */

static void plan_cluster(struct kafka_cluster *cluster)
{
    char text[1024];
    const struct kafka_broker *b = cluster->brokers;
    for (unsigned i = 0; i < KAFKA_CLUSTER_BROKERS; i++) {
        temp_directory_create(cluster->brokers[i].directory, "kafka");
        name_ports(&cluster->brokers[i], 2);
    }
    (void)snprintf(cluster->url, sizeof cluster->url, "kafka://127.0.0.1:%u,127.0.0.1:%u,127.0.0.1:%u",
                   (unsigned)b[0].port, (unsigned)b[1].port, (unsigned)b[2].port);
    for (unsigned i = 0; i < KAFKA_CLUSTER_BROKERS; i++) {
        (void)snprintf(
            text, sizeof text,
            "node.id=%u\ncontroller.quorum.voters=1@127.0.0.1:%d,2@127.0.0.1:%d,3@127.0.0.1:%d\n"
            "default.replication.factor=3\nmin.insync.replicas=2\noffsets.topic.replication.factor=3\n"
            "transaction.state.log.replication.factor=3\ntransaction.state.log.min.isr=2\n"
            "broker.session.timeout.ms=6000\n",
            i + 1, b[0].port + 1, b[1].port + 1, b[2].port + 1);
        write_settings(&cluster->brokers[i], text);
    }
    (void)snprintf(cluster->id, sizeof cluster->id, "chaosCluster%09uA", (unsigned)b[0].port);
}

/* All at once: none of them is up before two are. */
int kafka_cluster_start(struct kafka_cluster *cluster)
{
    pid_t children[KAFKA_CLUSTER_BROKERS];
    int result = 0;
    plan_cluster(cluster);
    for (unsigned i = 0; i < KAFKA_CLUSTER_BROKERS; i++) {
        children[i] = begin_script(&cluster->brokers[i], "kafka-up", NULL, cluster->id);
    }
    for (unsigned i = 0; i < KAFKA_CLUSTER_BROKERS; i++) {
        result |= end_script(children[i]);
    }
    return result;
}

int kafka_cluster_start_again(struct kafka_cluster *cluster, unsigned broker)
{
    return end_script(begin_script(&cluster->brokers[broker], "kafka-up", NULL, cluster->id));
}

void kafka_cluster_stop(struct kafka_cluster *cluster)
{
    for (unsigned i = 0; i < KAFKA_CLUSTER_BROKERS; i++) {
        kafka_broker_stop(&cluster->brokers[i], false);
    }
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
