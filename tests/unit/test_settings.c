#include "settings/settings.h"
#include "text/parse_value.h"

#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct values {
    const char *url;
    int64_t rps;
    double rate;
    bool max;
    int64_t wait_ms;
    int64_t room;
    int format;
    struct setting_list properties;
};

struct fixture {
    struct values values;
    struct setting settings[8];
    struct settings_table table;
    struct settings_spec spec;
    struct settings *loaded;
    struct error error;
};

static void prepare(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    struct values *v = &f->values;
    const struct setting settings[] = {
        {.name = "bus-url",
         .type = SETTING_TEXT,
         .target = &v->url,
         .default_text = "embedded:var/bus",
         .help = "bus"},
        {.name = "target-rps",
         .type = SETTING_INTEGER,
         .target = &v->rps,
         .default_text = "100",
         .minimum = 1,
         .maximum = 1000,
         .help = "rate"},
        {.name = "error-rate",
         .type = SETTING_REAL,
         .target = &v->rate,
         .minimum = 0,
         .maximum = 1,
         .help = "share"},
        {.name = "max", .type = SETTING_BOOLEAN, .target = &v->max, .help = "fast"},
        {.name = "wait",
         .type = SETTING_DURATION,
         .target = &v->wait_ms,
         .default_text = "15s",
         .help = "time"},
        {.name = "room", .type = SETTING_BYTES, .target = &v->room, .default_text = "64KiB", .help = "size"},
        {.name = "log-format",
         .type = SETTING_CHOICE,
         .target = &v->format,
         .default_text = "text",
         .choices = "json|text",
         .help = "form"},
        {.name = "X", .type = SETTING_LIST, .target = &v->properties, .help = "property"},
    };
    memcpy(f->settings, settings, sizeof settings);
    f->table = (struct settings_table){f->settings, 8};
    f->spec = (struct settings_spec){.program = "test",
                                     .version = "1",
                                     .summary = "a test",
                                     .tables = &f->table,
                                     .table_count = 1,
                                     .max_positionals = 1};
}

static int load(struct fixture *f, const char *const *arguments, const char *const *environment)
{
    int argc = 0;
    const char *argv[16] = {"test"};
    for (argc = 1; arguments[argc - 1] != NULL; argc++) {
        argv[argc] = arguments[argc - 1];
    }
    settings_destroy(f->loaded);
    return settings_load(&f->loaded, &f->spec, argc, argv, environment, &f->error);
}

static void write_file(char path[], const char *text)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void flags_win_over_environment_over_file_over_defaults(void **state)
{
    (void)state;
    struct fixture f;
    prepare(&f);
    char path[] = "/tmp/obs-settings-XXXXXX";
    write_file(path, "bus_url: embedded:file\ntarget_rps: 2\nerror_rate: 0.25\nwait: 1m\nX: [a=1, b=2]\n");
    const char *const none[] = {NULL};
    assert_int_equal(load(&f, none, none), SETTINGS_RUN);
    assert_string_equal(f.values.url, "embedded:var/bus");
    assert_int_equal(f.values.rps, 100);
    assert_int_equal(f.values.wait_ms, 15000);
    assert_int_equal(f.values.room, 65536);
    assert_int_equal(f.values.format, 1);
    assert_int_equal(f.values.properties.count, 0);
    assert_non_null(f.values.properties.items);

    const char *const environment[] = {"OBS_TARGET_RPS=3", "OBS_BUS_URL=embedded:env", "OTHER=1",
                                       "OBS_X=c=3,d=4", NULL};
    const char *const arguments[] = {
        "--config", path, "--bus-url=embedded:flag", "--max", "-Xe=5", "-X", "f=6", "topic", NULL};
    assert_int_equal(load(&f, arguments, environment), SETTINGS_RUN);
    assert_string_equal(f.values.url, "embedded:flag");
    assert_int_equal(f.values.rps, 3);
    assert_true(f.values.rate == 0.25);
    assert_int_equal(f.values.wait_ms, 60000);
    assert_true(f.values.max);
    assert_int_equal(f.values.properties.count, 2);
    assert_string_equal(f.values.properties.items[0], "e=5");
    assert_string_equal(f.values.properties.items[1], "f=6");
    assert_null(f.values.properties.items[2]);
    assert_string_equal(settings_positional(f.loaded, 0), "topic");
    assert_true(settings_is_given(f.loaded, "wait"));
    assert_false(settings_is_given(f.loaded, "room"));
    settings_destroy(f.loaded);
    unlink(path);
}

static void what_is_wrong_is_refused_naming_key_value_and_what_is_allowed(void **state)
{
    (void)state;
    const struct {
        const char *argument;
        const char *environment;
        const char *message;
    } cases[] = {
        {"--target-rps=0", NULL, "--target-rps: '0' is not allowed; give a whole number from 1 to 1000"},
        {"--target-rps=1x", NULL, "--target-rps: '1x' is not allowed; give a whole number from 1 to 1000"},
        {"--log-format=xml", NULL, "--log-format: 'xml' is not allowed; give one of json|text"},
        {"--wait=5 s", NULL, "--wait: '5 s' is not allowed; give a time such as 250ms, 15s, 5m or 1h30m"},
        {"--nope", NULL, "unknown flag '--nope'; test --help lists them"},
        {"--wait", NULL, "--wait needs a value"},
        {"--max=maybe", NULL, "--max: 'maybe' is not allowed; give true or false"},
        {"a", "OBS_ERROR_RATE=2", "OBS_ERROR_RATE: '2' is not allowed; give a number from 0 to 1"},
        {"--config=/nonexistent", NULL, "--config: cannot open '/nonexistent': No such file or directory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        prepare(&f);
        const char *const arguments[] = {cases[i].argument, NULL};
        const char *const environment[] = {cases[i].environment, NULL};
        assert_int_equal(load(&f, arguments, environment), SETTINGS_REFUSED);
        assert_string_equal(f.error.message, cases[i].message);
        settings_destroy(f.loaded);
    }
}

static void the_file_is_refused_with_its_line(void **state)
{
    (void)state;
    const struct {
        const char *text;
        const char *message_part;
    } cases[] = {
        {"wait: 5s\ntarget_rps: many\n", ":2: target_rps: 'many' is not allowed"},
        {"# nothing\nnope: 1\n", ":2: unknown setting 'nope'; test --help lists them"},
        {"wait: [1, 2]\n", ":1: 'wait' must be one value"},
        {"- a\n", ":1: must be a mapping"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        prepare(&f);
        char path[] = "/tmp/obs-settings-XXXXXX";
        write_file(path, cases[i].text);
        const char *const arguments[] = {"--config", path, NULL};
        assert_int_equal(load(&f, arguments, NULL), SETTINGS_REFUSED);
        assert_non_null(strstr(f.error.message, cases[i].message_part));
        settings_destroy(f.loaded);
        unlink(path);
    }
}

static void help_and_version_are_answered_before_anything_is_checked(void **state)
{
    (void)state;
    struct fixture f;
    prepare(&f);
    const char *const help[] = {"--nope", "--help", NULL};
    const char *const version[] = {"--version", NULL};
    const char *const value_that_looks_like_it[] = {"--bus-url", "--help", NULL};
    assert_int_equal(load(&f, help, NULL), SETTINGS_HELP);
    assert_int_equal(load(&f, version, NULL), SETTINGS_VERSION);
    assert_int_equal(load(&f, value_that_looks_like_it, NULL), SETTINGS_RUN);
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    settings_print_help(&f.spec, stream);
    settings_print_markdown(&f.spec, stream);
    fclose(stream);
    for (size_t i = 0; i < 8; i++) {
        assert_non_null(strstr(text, f.settings[i].name));
    }
    assert_non_null(strstr(text, "| `OBS_BUS_URL` | `embedded:var/bus` |"));
    free(text);
    settings_destroy(f.loaded);
}

static void durations_and_sizes_read_as_people_write_them(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int64_t duration_ms, bytes; /* -1: refused */
    } cases[] = {
        {"15s", 15000, -1},   {"1h30m", 5400000, -1}, {"250ms", 250, -1}, {"2", 2000, 2},  {"1.5", 1500, 2},
        {"64KiB", -1, 65536}, {"10kB", -1, 10000},    {"", -1, -1},       {"s", -1, -1},   {"1x", -1, -1},
        {"-5s", -1, -1},      {"1..5s", -1, -1},      {"1h 5m", -1, -1},  {"5m2", -1, -1}, {"1e3", -1, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = -1;
        assert_int_equal(parse_duration_ms(cases[i].text, &value), cases[i].duration_ms != -1);
        assert_int_equal(value, cases[i].duration_ms);
        value = -1;
        assert_int_equal(parse_bytes(cases[i].text, &value), cases[i].bytes != -1);
        assert_int_equal(value, cases[i].bytes);
    }
    int64_t whole = 0;
    assert_true(parse_integer("-12", &whole) && whole == -12);
    assert_false(parse_integer("9223372036854775808", &whole));
    assert_false(parse_integer("+1", &whole));
    double real = 0;
    assert_true(parse_real("1e-3", &real) && real == 0.001);
    assert_false(parse_real("nan", &real));
    assert_false(parse_real("0x10", &real));
    assert_false(parse_real("1e999", &real));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_win_over_environment_over_file_over_defaults),
        cmocka_unit_test(what_is_wrong_is_refused_naming_key_value_and_what_is_allowed),
        cmocka_unit_test(the_file_is_refused_with_its_line),
        cmocka_unit_test(help_and_version_are_answered_before_anything_is_checked),
        cmocka_unit_test(durations_and_sizes_read_as_people_write_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
