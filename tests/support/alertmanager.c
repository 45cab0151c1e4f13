#include "support/alertmanager.h"

#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "support/net.h"
#include "support/process.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void alertmanager_server_create(struct alertmanager_server *server, const char *directory,
                                const char *config_text)
{
    char name[32];
    process_require_command("prometheus-alertmanager");
    memset(server, 0, sizeof *server);
    server->port = net_free_port();
    (void)snprintf(name, sizeof name, "alertmanager-%u", (unsigned)server->port);
    path_join(server->directory, directory, name);
    assert_int_equal(mkdir(server->directory, 0700), 0);
    path_join(server->config, server->directory, "alertmanager.yml");
    path_join(server->log, server->directory, "log");
    (void)snprintf(server->url, sizeof server->url, "http://127.0.0.1:%u", (unsigned)server->port);
    file_write_text(server->config, config_text);
}

void alertmanager_server_start(struct alertmanager_server *server)
{
    char config[TEST_PATH_BYTES + 32];
    char storage[TEST_PATH_BYTES + 32];
    char listen[64];
    char url[96];
    (void)snprintf(config, sizeof config, "--config.file=%s", server->config);
    (void)snprintf(storage, sizeof storage, "--storage.path=%s/data", server->directory);
    (void)snprintf(listen, sizeof listen, "--web.listen-address=127.0.0.1:%u", (unsigned)server->port);
    (void)snprintf(url, sizeof url, "%s/-/ready", server->url);
    const char *const argv[] = {"prometheus-alertmanager",   config, storage, listen,
                                "--cluster.listen-address=", NULL};
    const struct process_options options = {.log_path = server->log};
    process_free(server->process);
    server->process = process_start(argv, &options);
    net_wait_for(url, 200, 20000);
}

void alertmanager_server_stop(struct alertmanager_server *server)
{
    if (server->process != NULL) {
        (void)process_stop(server->process);
        process_free(server->process);
        server->process = NULL;
    }
}

void alertmanager_server_kill(struct alertmanager_server *server)
{
    if (server->process != NULL) {
        process_kill(server->process);
        process_free(server->process);
        server->process = NULL;
    }
}

void alertmanager_server_read(const struct alertmanager_server *server, struct buffer *out)
{
    char url[128];
    (void)snprintf(url, sizeof url, "%s/api/v2/alerts?active=true&inhibited=true&silenced=true", server->url);
    assert_int_equal(net_get(url, out), 200);
}

size_t alertmanager_server_count(const struct alertmanager_server *server, const char *text)
{
    struct buffer page;
    size_t count = 0;
    buffer_init(&page, 0);
    alertmanager_server_read(server, &page);
    for (const char *at = strstr(buffer_text(&page), "\"labels\":{"); at != NULL;
         at = strstr(at + 1, "\"labels\":{")) {
        const char *end = strchr(at, '}');
        const char *found = strstr(at, text);
        count += found != NULL && end != NULL && found < end;
    }
    buffer_free(&page);
    return count;
}

struct awaited {
    const struct alertmanager_server *server;
    const char *text;
    size_t count;
};

static bool is_so(void *context)
{
    const struct awaited *awaited = context;
    return alertmanager_server_count(awaited->server, awaited->text) == awaited->count;
}

void alertmanager_server_wait(const struct alertmanager_server *server, const char *text, size_t count,
                              int timeout_ms)
{
    struct awaited awaited = {server, text, count};
    if (!process_wait_until(is_so, &awaited, timeout_ms)) {
        struct buffer page;
        buffer_init(&page, 0);
        alertmanager_server_read(server, &page);
        print_error("%s\n", buffer_text(&page));
        buffer_free(&page);
        fail_msg("%zu alerts with '%s' after %d ms, not %zu", alertmanager_server_count(server, text), text,
                 timeout_ms, count);
    }
}
