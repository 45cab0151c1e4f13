#include "settings/settings.h"

#include "text/parse_value.h"
#include "yaml/yaml_tree.h"

#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 64

/* Where a value came from; a later one overrides an earlier one. */
enum origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_FLAG };

struct settings {
    const struct settings_spec *spec;
    enum origin *origins; /* one per setting, in the order of the tables */
    char **texts;         /* every copied text, so that one place frees them */
    size_t text_count;
    const char **positionals;
    size_t positional_count;
    struct setting_list *lists; /* one per setting; used by SETTING_LIST */
    size_t setting_count;
};

static const struct setting *setting_at(const struct settings_spec *spec, size_t index)
{
    for (size_t t = 0; t < spec->table_count; t++) {
        if (index < spec->tables[t].count) {
            return &spec->tables[t].settings[index];
        }
        index -= spec->tables[t].count;
    }
    return NULL;
}

static size_t count_settings(const struct settings_spec *spec)
{
    size_t count = 0;
    for (size_t t = 0; t < spec->table_count; t++) {
        count += spec->tables[t].count;
    }
    return count;
}

/* "bus-url" as "bus_url" or, with a prefix, "OBS_BUS_URL". */
static void environment_name(char out[NAME_BYTES + 8], const char *name)
{
    (void)snprintf(out, NAME_BYTES + 8, "OBS_%s", name);
    for (char *at = out; *at != '\0'; at++) {
        *at = *at == '-' ? '_' : (char)(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at);
    }
}

static void file_key(char out[NAME_BYTES], const char *name)
{
    (void)snprintf(out, NAME_BYTES, "%s", name);
    for (char *at = out; *at != '\0'; at++) {
        *at = *at == '-' ? '_' : *at;
    }
}

static const char *copy_text(struct settings *s, const char *text)
{
    char **texts = realloc(s->texts, (s->text_count + 1) * sizeof *texts);
    if (texts == NULL) {
        return NULL;
    }
    s->texts = texts;
    s->texts[s->text_count] = strdup(text);
    return s->texts[s->text_count] == NULL ? NULL : s->texts[s->text_count++];
}

static int add_to_list(struct settings *s, const struct setting *setting, size_t index, const char *text)
{
    struct setting_list *list = &s->lists[index];
    const char **items = realloc(list->items, (list->count + 2) * sizeof *items);
    if (items == NULL) {
        return -1;
    }
    list->items = items;
    items[list->count] = copy_text(s, text);
    if (items[list->count] == NULL) {
        return -1;
    }
    items[++list->count] = NULL;
    *(struct setting_list *)setting->target = *list;
    return 0;
}

/* The index of text in "json|text", or -1. */
static int find_choice(const char *choices, const char *text)
{
    size_t length = strlen(text);
    int index = 0;
    for (const char *at = choices; at != NULL; index++) {
        const char *bar = strchr(at, '|');
        size_t size = bar == NULL ? strlen(at) : (size_t)(bar - at);
        if (size == length && strncmp(at, text, length) == 0) {
            return index;
        }
        at = bar == NULL ? NULL : bar + 1;
    }
    return -1;
}

static void describe_allowed(char out[256], const struct setting *setting)
{
    static const char *const kinds[] = {
        [SETTING_TEXT] = "text",
        [SETTING_INTEGER] = "a whole number",
        [SETTING_REAL] = "a number",
        [SETTING_BOOLEAN] = "true or false",
        [SETTING_DURATION] = "a time such as 250ms, 15s, 5m or 1h30m",
        [SETTING_BYTES] = "a size such as 65536, 64KiB or 8MiB",
        [SETTING_CHOICE] = "one of ",
        [SETTING_LIST] = "text",
    };
    bool bounded = setting->minimum != 0 || setting->maximum != 0;
    const char *unit = setting->type == SETTING_DURATION ? " ms" : "";
    if (setting->type == SETTING_CHOICE) {
        (void)snprintf(out, 256, "one of %s", setting->choices);
    } else if (bounded) {
        (void)snprintf(out, 256, "%s from %.15g to %.15g%s", kinds[setting->type], setting->minimum,
                       setting->maximum, unit);
    } else {
        (void)snprintf(out, 256, "%s", kinds[setting->type]);
    }
}

static bool is_within(const struct setting *setting, double value)
{
    return (setting->minimum == 0 && setting->maximum == 0) ||
           (value >= setting->minimum && value <= setting->maximum);
}

static bool store_integer(const struct setting *setting, const char *text)
{
    int64_t value = 0;
    bool parsed = setting->type == SETTING_INTEGER    ? parse_integer(text, &value)
                  : setting->type == SETTING_DURATION ? parse_duration_ms(text, &value)
                                                      : parse_bytes(text, &value);
    if (parsed && is_within(setting, (double)value)) {
        *(int64_t *)setting->target = value;
        return true;
    }
    return false;
}

/* False: not allowed. */
static bool store_value(const struct setting *setting, const char *text)
{
    double real = 0;
    int choice = 0;
    switch (setting->type) {
    case SETTING_INTEGER:
    case SETTING_DURATION:
    case SETTING_BYTES:
        return store_integer(setting, text);
    case SETTING_REAL:
        if (!parse_real(text, &real) || !is_within(setting, real)) {
            return false;
        }
        *(double *)setting->target = real;
        return true;
    case SETTING_BOOLEAN:
        return parse_boolean(text, setting->target);
    case SETTING_CHOICE:
        choice = find_choice(setting->choices, text);
        if (choice < 0) {
            return false;
        }
        *(int *)setting->target = choice;
        return true;
    case SETTING_TEXT:
    case SETTING_LIST:
        return true;
    }
    return false;
}

/* shown: how the message calls the setting ("--listen", "OBS_LISTEN", "a.yaml:3: listen"). */
static int set_value(struct settings *s, size_t index, enum origin origin, const char *shown,
                     const char *text, struct error *error)
{
    const struct setting *setting = setting_at(s->spec, index);
    if (s->origins[index] > origin) {
        return 0;
    }
    if (setting->type == SETTING_LIST && s->origins[index] != origin) {
        s->lists[index].count = 0; /* a flag's items replace the file's, they don't add to them */
    }
    s->origins[index] = origin;
    if (!store_value(setting, text)) {
        char allowed[256];
        describe_allowed(allowed, setting);
        return error_set(error, SETTINGS_REFUSED, "%s: '%.200s' is not allowed; give %s", shown, text,
                         allowed);
    }
    int result = 0;
    if (setting->type == SETTING_LIST) {
        result = add_to_list(s, setting, index, text);
    } else if (setting->type == SETTING_TEXT) {
        const char *copy = copy_text(s, text);
        *(const char **)setting->target = copy;
        result = copy == NULL ? -1 : 0;
    }
    return result == 0 ? 0 : error_set(error, SETTINGS_REFUSED, "no memory for settings");
}

static int set_defaults(struct settings *s, struct error *error)
{
    for (size_t i = 0; i < s->setting_count; i++) {
        const struct setting *setting = setting_at(s->spec, i);
        if (setting->type == SETTING_LIST) {
            s->lists[i].items = calloc(1, sizeof *s->lists[i].items);
            *(struct setting_list *)setting->target = s->lists[i];
            if (s->lists[i].items == NULL) {
                return error_set(error, SETTINGS_REFUSED, "no memory for settings");
            }
        }
        if (setting->default_text != NULL &&
            set_value(s, i, ORIGIN_DEFAULT, setting->name, setting->default_text, error) != 0) {
            return SETTINGS_REFUSED;
        }
    }
    return 0;
}

static size_t find_setting(const struct settings *s, const char *name, size_t length)
{
    for (size_t i = 0; i < s->setting_count; i++) {
        const struct setting *setting = setting_at(s->spec, i);
        if (strlen(setting->name) == length && strncmp(setting->name, name, length) == 0) {
            return i;
        }
    }
    return s->setting_count;
}

/* --- the file ---- */

static int read_file_value(struct settings *s, const struct yaml_tree *tree, size_t index,
                           const struct yaml_node *value, const char *shown, struct error *error)
{
    const struct setting *setting = setting_at(s->spec, index);
    if (value->kind == YAML_SCALAR) {
        return set_value(s, index, ORIGIN_FILE, shown, value->text, error);
    }
    if (value->kind == YAML_MAPPING || setting->type != SETTING_LIST) {
        (void)yaml_refuse(tree, value, error, "'%s' must be one value", setting->name);
        return SETTINGS_REFUSED;
    }
    for (size_t i = 0; i < value->count; i++) {
        const char *text = NULL;
        if (yaml_read_text(tree, value->items[i], setting->name, &text, error) != 0 ||
            set_value(s, index, ORIGIN_FILE, shown, text, error) != 0) {
            return SETTINGS_REFUSED;
        }
    }
    return 0;
}

static int read_file_pairs(struct settings *s, const char *path, const struct yaml_tree *tree,
                           struct error *error)
{
    const struct yaml_node *root = yaml_tree_root(tree);
    if (root->kind != YAML_MAPPING) {
        (void)yaml_refuse(tree, root, error, "must be a mapping of settings to values");
        return SETTINGS_REFUSED;
    }
    for (size_t pair = 0; pair < root->count; pair++) {
        size_t index = 0;
        char key[NAME_BYTES] = "";
        for (; index < s->setting_count; index++) {
            file_key(key, setting_at(s->spec, index)->name);
            if (strcmp(key, root->keys[pair]->text) == 0) {
                break;
            }
        }
        if (index == s->setting_count) {
            (void)yaml_refuse(tree, root->keys[pair], error, "unknown setting '%.80s'; %s --help lists them",
                              root->keys[pair]->text, s->spec->program);
            return SETTINGS_REFUSED;
        }
        char shown[512];
        (void)snprintf(shown, sizeof shown, "%.400s:%d: %s", path, root->keys[pair]->line, key);
        if (read_file_value(s, tree, index, root->items[pair], shown, error) != 0) {
            return SETTINGS_REFUSED;
        }
    }
    return 0;
}

static int read_file(struct settings *s, const char *path, struct error *error)
{
    struct yaml_tree *tree = NULL;
    if (yaml_tree_load(&tree, path, error) != 0) {
        error_add_context(error, "--config");
        return SETTINGS_REFUSED;
    }
    int result = read_file_pairs(s, path, tree, error);
    yaml_tree_destroy(tree);
    return result;
}

/* --- the environment ---- */

static int read_environment_list(struct settings *s, size_t index, const char *name, const char *value,
                                 struct error *error)
{
    char *copy = strdup(value);
    if (copy == NULL) {
        return error_set(error, SETTINGS_REFUSED, "no memory for settings");
    }
    int result = 0;
    char *rest = NULL;
    for (char *item = strtok_r(copy, ",", &rest); item != NULL && result == 0;
         item = strtok_r(NULL, ",", &rest)) {
        result = set_value(s, index, ORIGIN_ENVIRONMENT, name, item, error);
    }
    free(copy);
    return result;
}

static int read_environment(struct settings *s, const char *const *environment, struct error *error)
{
    for (; environment != NULL && *environment != NULL; environment++) {
        const char *equals = strchr(*environment, '=');
        for (size_t i = 0; equals != NULL && i < s->setting_count; i++) {
            const struct setting *setting = setting_at(s->spec, i);
            char name[NAME_BYTES + 8];
            environment_name(name, setting->name);
            size_t length = strlen(name);
            if ((size_t)(equals - *environment) != length || strncmp(name, *environment, length) != 0) {
                continue;
            }
            int result = setting->type == SETTING_LIST
                             ? read_environment_list(s, i, name, equals + 1, error)
                             : set_value(s, i, ORIGIN_ENVIRONMENT, name, equals + 1, error);
            if (result != 0) {
                return SETTINGS_REFUSED;
            }
        }
    }
    return 0;
}

/* --- the flags ---- */

struct flag {
    const char *name; /* not NUL-ended */
    size_t length;
    const char *value; /* after '=', or NULL */
    char shown[NAME_BYTES + 4];
};

static void split_flag(struct flag *flag, const char *argument)
{
    bool is_long = argument[1] == '-';
    flag->name = argument + (is_long ? 2 : 1);
    const char *equals = is_long ? strchr(flag->name, '=') : NULL;
    flag->length = equals != NULL ? (size_t)(equals - flag->name) : is_long ? strlen(flag->name) : 1;
    flag->value = equals != NULL                    ? equals + 1
                  : !is_long && argument[2] != '\0' ? argument + 2 /* -Xname=value */
                                                    : NULL;
    (void)snprintf(flag->shown, sizeof flag->shown, "%s%.*s", is_long ? "--" : "-",
                   (int)(flag->length > NAME_BYTES ? NAME_BYTES : flag->length), flag->name);
}

static bool flag_is(const struct flag *flag, const char *name)
{
    return flag->length == strlen(name) && strncmp(flag->name, name, flag->length) == 0;
}

/* The flag's own value or the next argument; NULL: there is none. */
static const char *flag_value(const struct flag *flag, int argc, const char *const *argv, int *at)
{
    if (flag->value != NULL) {
        return flag->value;
    }
    return *at + 1 < argc ? argv[++*at] : NULL;
}

static int read_flag(struct settings *s, const struct flag *flag, int argc, const char *const *argv, int *at,
                     struct error *error)
{
    size_t index = find_setting(s, flag->name, flag->length);
    if (index == s->setting_count) {
        return error_set(error, SETTINGS_REFUSED, "unknown flag '%s'; %s --help lists them", flag->shown,
                         s->spec->program);
    }
    const char *value;
    if (setting_at(s->spec, index)->type == SETTING_BOOLEAN) {
        value = flag->value == NULL ? "true" : flag->value;
    } else {
        value = flag_value(flag, argc, argv, at);
    }
    if (value == NULL) {
        return error_set(error, SETTINGS_REFUSED, "%s needs a value", flag->shown);
    }
    return set_value(s, index, ORIGIN_FLAG, flag->shown, value, error);
}

static int read_positional(struct settings *s, const char *argument, struct error *error)
{
    if (s->positional_count >= s->spec->max_positionals) {
        return error_set(error, SETTINGS_REFUSED, "unexpected argument '%.200s'; see %s --help", argument,
                         s->spec->program);
    }
    s->positionals[s->positional_count++] = argument;
    return 0;
}

/* Two passes over the same arguments: --help and --config first, since the file ranks below the flags. */
static int read_flags(struct settings *s, int argc, const char *const *argv, bool first_pass,
                      const char **config, struct error *error)
{
    bool flags_ended = false;
    for (int i = 1; i < argc; i++) {
        struct flag flag;
        int result = SETTINGS_RUN;
        if (flags_ended || argv[i][0] != '-' || argv[i][1] == '\0') {
            result = first_pass ? 0 : read_positional(s, argv[i], error);
        } else if (strcmp(argv[i], "--") == 0) {
            flags_ended = true;
        } else {
            split_flag(&flag, argv[i]);
            if (flag_is(&flag, "help") || strcmp(argv[i], "-h") == 0) {
                return SETTINGS_HELP;
            }
            if (flag_is(&flag, "help-markdown")) {
                return SETTINGS_MARKDOWN;
            }
            if (flag_is(&flag, "version")) {
                return SETTINGS_VERSION;
            }
            if (flag_is(&flag, "config")) {
                *config = flag_value(&flag, argc, argv, &i);
                result = *config == NULL ? error_set(error, SETTINGS_REFUSED, "--config needs a value") : 0;
            } else if (!first_pass) {
                result = read_flag(s, &flag, argc, argv, &i, error);
            } else if (flag.value == NULL) { /* step over the value: it may look like --help */
                size_t index = find_setting(s, flag.name, flag.length);
                i += index < s->setting_count && setting_at(s->spec, index)->type != SETTING_BOOLEAN;
            }
        }
        if (result != 0) {
            return result;
        }
    }
    return SETTINGS_RUN;
}

static const char *config_from_environment(const char *const *environment)
{
    for (; environment != NULL && *environment != NULL; environment++) {
        if (strncmp(*environment, "OBS_CONFIG=", strlen("OBS_CONFIG=")) == 0) {
            return *environment + strlen("OBS_CONFIG=");
        }
    }
    return NULL;
}

int settings_load(struct settings **out, const struct settings_spec *spec, int argc, const char *const *argv,
                  const char *const *environment, struct error *error)
{
    struct settings *s = calloc(1, sizeof *s);
    *out = s;
    if (s == NULL) {
        return error_set(error, SETTINGS_REFUSED, "no memory for settings");
    }
    s->spec = spec;
    s->setting_count = count_settings(spec);
    s->origins = calloc(s->setting_count + 1, sizeof *s->origins);
    s->lists = calloc(s->setting_count + 1, sizeof *s->lists);
    s->positionals = calloc(spec->max_positionals + 1, sizeof *s->positionals);
    if (s->origins == NULL || s->lists == NULL || s->positionals == NULL) {
        return error_set(error, SETTINGS_REFUSED, "no memory for settings");
    }
    const char *config = config_from_environment(environment);
    int result = read_flags(s, argc, argv, true, &config, error);
    if (result != SETTINGS_RUN) {
        return result;
    }
    result = set_defaults(s, error);
    if (result == 0 && config != NULL) {
        result = read_file(s, config, error);
    }
    if (result == 0) {
        result = read_environment(s, environment, error);
    }
    if (result == 0) {
        result = read_flags(s, argc, argv, false, &config, error);
    }
    return result;
}

void settings_destroy(struct settings *settings)
{
    if (settings == NULL) {
        return;
    }
    for (size_t i = 0; i < settings->text_count; i++) {
        free(settings->texts[i]);
    }
    for (size_t i = 0; settings->lists != NULL && i < settings->setting_count; i++) {
        free(settings->lists[i].items);
    }
    free(settings->texts);
    free(settings->lists);
    free(settings->origins);
    free(settings->positionals);
    free(settings);
}

size_t settings_positional_count(const struct settings *settings)
{
    return settings->positional_count;
}

const char *settings_positional(const struct settings *settings, size_t index)
{
    return index < settings->positional_count ? settings->positionals[index] : NULL;
}

bool settings_is_given(const struct settings *settings, const char *name)
{
    size_t index = find_setting(settings, name, strlen(name));
    return index < settings->setting_count && settings->origins[index] != ORIGIN_DEFAULT;
}
