#include "support/production_alertmanager.h"

#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "support/alertmanager.h"
#include "support/files.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SECRETS "/etc/alertmanager/secrets/observability/"

static void write_secrets(const char *secrets, uint16_t sink_port)
{
    static const char *const addresses[][2] = {{"slack-api-url", "slack"},
                                               {"slack-platform-api-url", "platform"},
                                               {"dead-mans-switch-url", "watchdog"},
                                               {"second-way-url", "second-way"}};
    char path[TEST_PATH_BYTES];
    char text[128];
    assert_int_equal(mkdir(secrets, 0700), 0);
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        path_join(path, secrets, addresses[i][0]);
        (void)snprintf(text, sizeof text, "http://127.0.0.1:%u/%s", (unsigned)sink_port, addresses[i][1]);
        file_write_text(path, text);
    }
    path_join(path, secrets, "pagerduty-routing-key");
    file_write_text(path, "0123456789abcdef0123456789abcdef");
}

/* Every from of the text becomes to; it must be there. */
static void replace(struct buffer *text, const char *from, const char *to)
{
    struct buffer out;
    buffer_init(&out, 0);
    const char *at = buffer_text(text);
    const char *found = strstr(at, from);
    assert_non_null(found);
    for (; found != NULL; found = strstr(at, from)) {
        buffer_append(&out, at, (size_t)(found - at));
        buffer_append_text(&out, to);
        at = found + strlen(from);
    }
    buffer_append_text(&out, at);
    buffer_free(text);
    *text = out;
}

void production_alertmanager_text(const char *directory, uint16_t sink_port, struct buffer *out)
{
    char secrets[TEST_PATH_BYTES];
    char to[TEST_PATH_BYTES + 128];
    path_join(secrets, directory, "secrets");
    write_secrets(secrets, sink_port);
    file_read(OBS_SOURCE_DIR "/config/alertmanager.production.yml", out);
    (void)snprintf(to, sizeof to, "%s/", secrets);
    replace(out, SECRETS, to);
    replace(out, "- alertmanager.tmpl", "- " OBS_SOURCE_DIR "/config/alertmanager.tmpl");
    (void)snprintf(to, sizeof to, "global:\n  pagerduty_url: http://127.0.0.1:%u/pagerduty\n",
                   (unsigned)sink_port);
    replace(out, "global:\n", to);
}

void production_alertmanager_create(struct alertmanager_server *server, const char *directory,
                                    uint16_t sink_port)
{
    struct buffer text;
    buffer_init(&text, 0);
    production_alertmanager_text(directory, sink_port, &text);
    alertmanager_server_create(server, directory, buffer_text(&text));
    buffer_free(&text);
}
