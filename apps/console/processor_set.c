#include "processor_set.h"

#include "upstream.h"

#include "log/log.h"
#include "program/program.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct member {
    struct processor processor;
    struct upstream *upstream; /* NULL: the place is free */
    size_t source;             /* of the settings' URLs */
    bool is_wanted;
};

struct processor_set {
    struct processor_set_settings settings;
    pthread_mutex_t lock; /* of members, which only the set's own thread changes */
    struct member members[LIVE_PROCESSORS];
    pthread_t thread;
    bool is_running, has_complained;
    atomic_bool is_stopping;
};

/* --- URLs ---- */

/* http://HOST, and what follows. */
static const char *find_host(const char *url, size_t *size)
{
    if (strncmp(url, "http://", 7) != 0) {
        return NULL;
    }
    const char *host = url + 7;
    *size = strcspn(host, ":/");
    return host[0] == '[' ? NULL : host;
}

bool processor_url_has_name(const char *url, char host[256])
{
    size_t size = 0;
    const char *name = find_host(url, &size);
    if (name == NULL || size == 0 || size >= 256) {
        return false;
    }
    (void)snprintf(host, 256, "%.*s", (int)size, name);
    return !resolver_is_numeric(host);
}

bool processor_url_replace(const char *url, const char *address, struct processor *out)
{
    size_t size = 0;
    const char *name = find_host(url, &size);
    if (name == NULL) {
        return false;
    }
    const bool is_six = strchr(address, ':') != NULL;
    const int made =
        snprintf(out->url, sizeof out->url, is_six ? "http://[%s]%s" : "http://%s%s", address, name + size);
    (void)snprintf(out->host_header, sizeof out->host_header, "Host: %.*s", (int)strcspn(name, "/"), name);
    return made > 0 && (size_t)made < sizeof out->url;
}

/* --- members ---- */

static struct member *find(struct processor_set *set, const char *url)
{
    for (size_t i = 0; i < LIVE_PROCESSORS; i++) {
        if (set->members[i].upstream != NULL && strcmp(set->members[i].processor.url, url) == 0) {
            return &set->members[i];
        }
    }
    return NULL;
}

static struct member *find_place(struct processor_set *set)
{
    for (size_t i = 0; i < LIVE_PROCESSORS; i++) {
        if (set->members[i].upstream == NULL) {
            return &set->members[i];
        }
    }
    return NULL;
}

static void complain(struct processor_set *set, const char *url, const char *why)
{
    if (!set->has_complained) {
        set->has_complained = true;
        log_warn_with(program_log(set->settings.program), "a stream-processor can't be followed",
                      log_text("url", url), log_text("why", why));
    }
}

static void want(struct processor_set *set, size_t source, const struct processor *processor)
{
    struct error error;
    struct member *member = find(set, processor->url);
    if (member != NULL) {
        member->is_wanted = true;
        return;
    }
    member = find_place(set);
    if (member == NULL) {
        complain(set, processor->url, "there are too many");
        return;
    }
    struct upstream *upstream = NULL;
    error_clear(&error);
    if (upstream_start(&upstream, set->settings.program, set->settings.live, (size_t)(member - set->members),
                       processor, &error) != 0) {
        complain(set, processor->url, error.message);
        return;
    }
    (void)pthread_mutex_lock(&set->lock);
    *member =
        (struct member){.processor = *processor, .upstream = upstream, .source = source, .is_wanted = true};
    (void)pthread_mutex_unlock(&set->lock);
}

static void forget(struct processor_set *set, struct member *member)
{
    struct upstream *upstream = member->upstream;
    (void)pthread_mutex_lock(&set->lock);
    member->upstream = NULL;
    (void)pthread_mutex_unlock(&set->lock);
    upstream_stop(upstream);
    upstream_join(upstream);
    log_info_with(program_log(set->settings.program), "a stream-processor has gone",
                  log_text("url", member->processor.url));
}

static bool has_members(const struct processor_set *set, size_t source)
{
    for (size_t i = 0; i < LIVE_PROCESSORS; i++) {
        if (set->members[i].upstream != NULL && set->members[i].source == source) {
            return true;
        }
    }
    return false;
}

static void keep(struct processor_set *set, size_t source)
{
    for (size_t i = 0; i < LIVE_PROCESSORS; i++) {
        if (set->members[i].source == source) {
            set->members[i].is_wanted = true;
        }
    }
}

static void want_source(struct processor_set *set, size_t source)
{
    const char *url = set->settings.urls[source];
    struct processor processor = {.host_header = ""};
    struct resolver_list list;
    char host[256];
    if (processor_url_has_name(url, host) &&
        set->settings.resolve(set->settings.program, host, &list, NULL) == 0) {
        for (size_t i = 0; i < list.count; i++) {
            if (processor_url_replace(url, list.addresses[i], &processor)) {
                want(set, source, &processor);
            }
        }
    } else if (has_members(set, source)) {
        keep(set, source);
    } else { /* numeric, or a name that leads nowhere: following it says why */
        (void)snprintf(processor.url, sizeof processor.url, "%s", url);
        want(set, source, &processor);
    }
}

/* One that nobody names any more goes when its stream has; the name itself at once, when its addresses are
 * known. */
static bool has_gone(const struct processor_set *set, const struct member *member)
{
    return member->upstream != NULL && !member->is_wanted &&
           (!upstream_is_followed(member->upstream) ||
            strcmp(member->processor.url, set->settings.urls[member->source]) == 0);
}

static bool is_stopping(const struct processor_set *set)
{
    return atomic_load(&set->is_stopping) || program_is_stopping(set->settings.program);
}

static void refresh(struct processor_set *set)
{
    for (size_t i = 0; i < LIVE_PROCESSORS; i++) {
        set->members[i].is_wanted = false;
    }
    for (size_t i = 0; i < set->settings.url_count && !is_stopping(set); i++) {
        want_source(set, i);
    }
    for (size_t i = 0; i < LIVE_PROCESSORS && !is_stopping(set); i++) {
        if (has_gone(set, &set->members[i])) {
            forget(set, &set->members[i]);
        }
    }
}

static void *run(void *context)
{
    struct processor_set *set = context;
    do {
        refresh(set);
    } while (!program_sleep(set->settings.program, set->settings.period_ms) && !is_stopping(set));
    return NULL;
}

/* --- its life ---- */

int processor_set_create(struct processor_set **out, const struct processor_set_settings *settings,
                         struct error *error)
{
    struct processor_set *set = calloc(1, sizeof *set);
    *out = set;
    if (set == NULL) {
        return error_set(error, -1, "no memory for the stream-processors");
    }
    set->settings = *settings;
    (void)pthread_mutex_init(&set->lock, NULL);
    return 0;
}

int processor_set_start(struct processor_set *set, struct error *error)
{
    set->is_running = pthread_create(&set->thread, NULL, run, set) == 0;
    return set->is_running ? 0 : error_set(error, -1, "no thread for the stream-processors");
}

size_t processor_set_list(struct processor_set *set, struct processor out[LIVE_PROCESSORS])
{
    size_t count = 0;
    (void)pthread_mutex_lock(&set->lock);
    for (size_t i = 0; i < LIVE_PROCESSORS; i++) {
        if (set->members[i].upstream != NULL) {
            out[count] = set->members[i].processor;
            out[count++].is_followed = upstream_is_followed(set->members[i].upstream);
        }
    }
    (void)pthread_mutex_unlock(&set->lock);
    return count;
}

struct program *processor_set_program(const struct processor_set *set)
{
    return set->settings.program;
}

void processor_set_stop(struct processor_set *set)
{
    if (set == NULL || !set->is_running) {
        return;
    }
    atomic_store(&set->is_stopping, true);
    (void)pthread_join(set->thread, NULL);
    set->is_running = false;
    for (size_t i = 0; i < LIVE_PROCESSORS; i++) {
        if (set->members[i].upstream != NULL) {
            upstream_stop(set->members[i].upstream);
        }
    }
    for (size_t i = 0; i < LIVE_PROCESSORS; i++) {
        upstream_join(set->members[i].upstream);
    }
}

void processor_set_destroy(struct processor_set *set)
{
    if (set != NULL) {
        processor_set_stop(set);
        (void)pthread_mutex_destroy(&set->lock);
        free(set);
    }
}
