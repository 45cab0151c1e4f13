#include "bus/bus_url.h"

#include "bus/bus.h"
#include "text/parse_value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define KAFKA_PREFIX         "kafka://"
#define EMBEDDED_PREFIX      "embedded:"
#define DEFAULT_HARD_BYTES   ((int64_t)8 << 30)
#define DEFAULT_LEASE_MS     5000
#define SHORTEST_LEASE_MS    100
#define SMALLEST_HARD_BYTES  ((int64_t)64 << 10)
#define SMALLEST_STORE_BYTES ((int64_t)1 << 20)
#define LARGEST_OPTION_BYTES 64

/* --- kafka:// ---- */

static int check_broker(const char *text, size_t size, struct error *error)
{
    const char *colon = memrchr(text, ':', size);
    const char *host_end = size > 0 && text[0] == '[' ? memchr(text, ']', size) : colon;
    if (colon == NULL || host_end == NULL || (text[0] == '[' && host_end + 1 != colon)) {
        return error_set(error, BUS_REFUSED,
                         "the broker \"%.*s\" has no port: write host:port, e.g. %.*s:9092", (int)size, text,
                         (int)size, text);
    }
    size_t host_size = (size_t)(host_end - text);
    for (size_t i = 0; i < host_size; i++) {
        unsigned char c = (unsigned char)text[i];
        bool allowed =
            isalnum(c) || c == '.' || c == '-' || c == '_' || (text[0] == '[' && (c == ':' || c == '['));
        if (!allowed) {
            return error_set(error, BUS_REFUSED, "the broker \"%.*s\" isn't host:port", (int)size, text);
        }
    }
    char port[8] = "";
    size_t port_size = size - (size_t)(colon + 1 - text);
    int64_t number = 0;
    if (port_size < sizeof port) {
        memcpy(port, colon + 1, port_size);
    }
    if (host_size == 0 || !parse_integer(port, &number) || number < 1 || number > 65535) {
        return error_set(error, BUS_REFUSED, "the broker \"%.*s\" isn't host:port with a port of 1 to 65535",
                         (int)size, text);
    }
    return 0;
}

static int check_brokers(const char *text, struct error *error)
{
    if (text[strcspn(text, "/?")] != '\0') {
        return error_set(
            error, BUS_REFUSED,
            "kafka:// takes host:port[,host:port] and nothing after it; client properties are set "
            "with -X name=value");
    }
    for (;;) {
        size_t size = strcspn(text, ",");
        if (check_broker(text, size, error) != 0) {
            return BUS_REFUSED;
        }
        if (text[size] == '\0') {
            return 0;
        }
        text += size + 1;
    }
}

/* --- embedded: ---- */

static int parse_choice(const char *name, const char *value, const char *yes, const char *no, bool *out,
                        struct error *error)
{
    *out = strcmp(value, yes) == 0;
    if (!*out && strcmp(value, no) != 0) {
        return error_set(error, BUS_REFUSED, "%s is \"%s\"; allowed are %s and %s", name, value, yes, no);
    }
    return 0;
}

static int parse_size(const char *name, const char *value, int64_t smallest, int64_t *out,
                      struct error *error)
{
    if (!parse_bytes(value, out) || *out < smallest) {
        return error_set(error, BUS_REFUSED, "%s is \"%s\"; allowed is a size of at least %lld, e.g. 8GiB",
                         name, value, (long long)smallest);
    }
    return 0;
}

static int parse_option(struct bus_url *url, const char *name, const char *value, struct error *error)
{
    if (strcmp(name, "durability") == 0) {
        return parse_choice(name, value, "power", "process", &url->survive_power_cut, error);
    }
    if (strcmp(name, "retention_policy") == 0) {
        return parse_choice(name, value, "drop_oldest", "block", &url->drop_oldest, error);
    }
    if (strcmp(name, "retention_hard_bytes") == 0) {
        return parse_size(name, value, SMALLEST_HARD_BYTES, &url->retention_hard_bytes, error);
    }
    if (strcmp(name, "store_limit_bytes") == 0) {
        return strcmp(value, "0") == 0
                   ? 0
                   : parse_size(name, value, SMALLEST_STORE_BYTES, &url->store_limit_bytes, error);
    }
    if (strcmp(name, "lease_ms") == 0) {
        if (!parse_integer(value, &url->lease_ms) || url->lease_ms < SHORTEST_LEASE_MS ||
            url->lease_ms > 3600000) {
            return error_set(error, BUS_REFUSED, "lease_ms is \"%s\"; allowed is %d to 3600000", value,
                             SHORTEST_LEASE_MS);
        }
        return 0;
    }
    return error_set(error, BUS_REFUSED,
                     "\"%s\" is no option of the embedded bus; it has durability, retention_hard_bytes, "
                     "retention_policy, lease_ms and store_limit_bytes",
                     name);
}

static int parse_options(struct bus_url *url, const char *text, struct error *error)
{
    while (*text != '\0') {
        char name[LARGEST_OPTION_BYTES];
        size_t size = strcspn(text, "&");
        if (size >= sizeof name) {
            return error_set(error, BUS_REFUSED, "the option \"%.40s…\" is too long", text);
        }
        memcpy(name, text, size);
        name[size] = '\0';
        char *equals = strchr(name, '=');
        if (equals == NULL) {
            return error_set(error, BUS_REFUSED, "the option \"%s\" isn't name=value", name);
        }
        *equals = '\0';
        if (parse_option(url, name, equals + 1, error) != 0) {
            return BUS_REFUSED;
        }
        text += size + (text[size] == '&');
    }
    return 0;
}

static int parse_embedded(struct bus_url *url, const char *text, struct error *error)
{
    url->kind = BUS_URL_EMBEDDED;
    url->survive_power_cut = true;
    url->retention_hard_bytes = DEFAULT_HARD_BYTES;
    url->lease_ms = DEFAULT_LEASE_MS;
    size_t size = strcspn(text, "?");
    if (size == 0) {
        return error_set(error, BUS_REFUSED, "embedded: needs a directory, e.g. embedded:var/bus");
    }
    if (text[size] == '?' && parse_options(url, text + size + 1, error) != 0) {
        return BUS_REFUSED;
    }
    url->location = strndup(text, size);
    return url->location == NULL ? error_set(error, BUS_FATAL, "no memory for the bus's URL") : 0;
}

static int parse_any(struct bus_url *url, const char *text, struct error *error)
{
    if (strncmp(text, EMBEDDED_PREFIX, strlen(EMBEDDED_PREFIX)) == 0) {
        return parse_embedded(url, text + strlen(EMBEDDED_PREFIX), error);
    }
    if (strncmp(text, KAFKA_PREFIX, strlen(KAFKA_PREFIX)) == 0) {
        text += strlen(KAFKA_PREFIX);
        if (check_brokers(text, error) != 0) {
            return BUS_REFUSED;
        }
        url->kind = BUS_URL_KAFKA;
        url->location = strdup(text);
        return url->location == NULL ? error_set(error, BUS_FATAL, "no memory for the bus's URL") : 0;
    }
    return error_set(
        error, BUS_REFUSED,
        "it is neither kafka://host:port[,host:port] nor embedded:DIR[?durability=power|process]");
}

int bus_url_parse(struct bus_url *out, const char *text, struct error *error)
{
    *out = (struct bus_url){0};
    int result = parse_any(out, text, error);
    if (result != 0) {
        error_add_context(error, "bus URL \"%.200s\"", text);
        bus_url_free(out);
    }
    return result;
}

void bus_url_free(struct bus_url *url)
{
    free(url->location);
    *url = (struct bus_url){0};
}
