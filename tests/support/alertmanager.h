/* tests/support/alertmanager: Debian's real Alertmanager, run by a test on a port of its own. Functions fail
 * the running test themselves. */
#ifndef OBS_TESTS_SUPPORT_ALERTMANAGER_H
#define OBS_TESTS_SUPPORT_ALERTMANAGER_H

#include "support/files.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct process;

struct alertmanager_server {
    char directory[TEST_PATH_BYTES]; /* its own, below the one given */
    char config[TEST_PATH_BYTES], log[TEST_PATH_BYTES], url[64];
    uint16_t port;
    struct process *process; /* NULL: not running */
};

/* Nothing runs yet. config_text: its configuration, as YAML. */
void alertmanager_server_create(struct alertmanager_server *server, const char *directory,
                                const char *config_text);
void alertmanager_server_start(struct alertmanager_server *server); /* until it is ready */
void alertmanager_server_stop(struct alertmanager_server *server);
void alertmanager_server_kill(struct alertmanager_server *server);

/* How many alerts are active (not resolved; inhibited ones too) whose labels, written as Alertmanager writes
 * them (JSON, sorted by name), contain text. */
size_t alertmanager_server_count(const struct alertmanager_server *server, const char *text);
/* Waits until there are exactly count of them; fails the test after timeout_ms. */
void alertmanager_server_wait(const struct alertmanager_server *server, const char *text, size_t count,
                              int timeout_ms);
/* GET /api/v2/alerts, appended. */
void alertmanager_server_read(const struct alertmanager_server *server, struct buffer *out);

#endif
