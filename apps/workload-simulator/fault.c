#include "fault.h"

#include "catalog.h"
#include "clock/rfc3339.h"
#include "yaml/yaml_tree.h"

#include <string.h>

struct type_info {
    const char *name;
    const char *magnitude; /* what it is and what is allowed */
    double minimum, maximum;
    double default_magnitude; /* 0: must be given */
};

static const struct type_info types[FAULT_TYPE_COUNT] = {
    [FAULT_LATENCY_SPIKE] = {"latency_spike", "a factor from 1 to 1000", 1, 1000, 0},
    [FAULT_ERROR_BURST] = {"error_burst", "a share of 5xx from 0 to 1", 0, 1, 0},
    [FAULT_TRAFFIC_SURGE] = {"traffic_surge", "a factor from 0 to 1000", 0, 1000, 0},
    [FAULT_SATURATION] = {"saturation", "a utilisation from 0 to 1", 0, 1, 0},
    [FAULT_REGION_OUTAGE] = {"region_outage", "a share of lost requests from 0 to 1", 0, 1, 1},
};

const char *fault_type_name(enum fault_type type)
{
    return (unsigned)type < FAULT_TYPE_COUNT ? types[type].name : "unknown";
}

/* --- reading ---- */

/* NULL: absent, or null as a JSON client may say it. */
static const struct yaml_node *get_given(const struct yaml_node *fault, const char *key)
{
    const struct yaml_node *node = yaml_get(fault, key);
    bool is_null =
        node != NULL && node->kind == YAML_SCALAR && !node->quoted && strcmp(node->text, "null") == 0;
    return is_null ? NULL : node;
}

static int parse_type(struct fault_spec *spec, const struct yaml_tree *tree, const struct yaml_node *fault,
                      struct error *error)
{
    const struct yaml_node *node = get_given(fault, "type");
    if (node == NULL) {
        return yaml_refuse(tree, fault, error, "a fault needs 'type'");
    }
    const char *name = NULL;
    if (yaml_read_text(tree, node, "type", &name, error) != 0) {
        return -1;
    }
    for (int i = 0; i < FAULT_TYPE_COUNT; i++) {
        if (strcmp(types[i].name, name) == 0) {
            spec->type = (enum fault_type)i;
            return 0;
        }
    }
    return yaml_refuse(
        tree, node, error,
        "'type' must be latency_spike, error_burst, traffic_surge, saturation or region_outage, "
        "not '%.60s'",
        name);
}

/* A name of the catalog; absent or "all": everywhere. */
static int parse_place(const struct yaml_tree *tree, const struct yaml_node *fault, const char *key,
                       int (*find)(const char *), const char *allowed, int *place, struct error *error)
{
    *place = FAULT_EVERYWHERE;
    const struct yaml_node *node = get_given(fault, key);
    if (node == NULL) {
        return 0;
    }
    const char *name = NULL;
    if (yaml_read_text(tree, node, key, &name, error) != 0) {
        return -1;
    }
    if (strcmp(name, "all") == 0) {
        return 0;
    }
    *place = find(name);
    return *place >= 0 ? 0
                       : yaml_refuse(tree, node, error, "'%s' must be %s, not '%.60s'", key, allowed, name);
}

static int parse_service(struct fault_spec *spec, const struct yaml_tree *tree, const struct yaml_node *fault,
                         struct error *error)
{
    return parse_place(tree, fault, "service", catalog_find_service,
                       "api-service, auth-service, payment-service, inventory-service or left out (all)",
                       &spec->service, error);
}

static int parse_region(struct fault_spec *spec, const struct yaml_tree *tree, const struct yaml_node *fault,
                        struct error *error)
{
    return parse_place(tree, fault, "region", catalog_find_region,
                       "us-east-1, eu-west-1, ap-southeast-1 or left out (all)", &spec->region, error);
}

static int parse_start(struct fault_spec *spec, const struct yaml_tree *tree, const struct yaml_node *fault,
                       struct error *error)
{
    const struct yaml_node *node = get_given(fault, "start");
    spec->at_unix_ms = -1;
    if (node == NULL) {
        return 0;
    }
    if (node->kind == YAML_SCALAR && rfc3339_parse(node->text, strlen(node->text), &spec->at_unix_ms)) {
        return 0;
    }
    if (yaml_read_duration_ms(tree, node, "start", &spec->start_ms, error) != 0) {
        return -1;
    }
    return spec->start_ms >= 0 && spec->start_ms <= FAULT_MAX_MS
               ? 0
               : yaml_refuse(tree, node, error, "'start' must be from 0 to 366 days, not '%.60s'",
                             node->text);
}

static int parse_duration(struct fault_spec *spec, const struct yaml_tree *tree,
                          const struct yaml_node *fault, struct error *error)
{
    const struct yaml_node *node = get_given(fault, "duration");
    if (node == NULL) {
        return 0;
    }
    if (yaml_read_duration_ms(tree, node, "duration", &spec->duration_ms, error) != 0) {
        return -1;
    }
    return spec->duration_ms > 0 && spec->duration_ms <= FAULT_MAX_MS
               ? 0
               : yaml_refuse(tree, node, error, "'duration' must be over 0 and at most 366 days, not '%.60s'",
                             node->text);
}

static int parse_magnitude(struct fault_spec *spec, const struct yaml_tree *tree,
                           const struct yaml_node *fault, struct error *error)
{
    const struct type_info *type = &types[spec->type];
    const struct yaml_node *node = get_given(fault, "magnitude");
    spec->magnitude = type->default_magnitude;
    if (node == NULL) {
        return type->default_magnitude > 0
                   ? 0
                   : yaml_refuse(tree, fault, error, "%s needs 'magnitude': %s", type->name, type->magnitude);
    }
    if (yaml_read_real(tree, node, "magnitude", &spec->magnitude, error) != 0) {
        return -1;
    }
    return spec->magnitude >= type->minimum && spec->magnitude <= type->maximum
               ? 0
               : yaml_refuse(tree, node, error, "'magnitude' of %s must be %s, not '%.60s'", type->name,
                             type->magnitude, node->text);
}

int fault_parse(struct fault_spec *spec, const struct yaml_tree *tree, const struct yaml_node *node,
                struct error *error)
{
    static const char *const keys[] = {"type", "service", "region", "start", "duration", "magnitude", NULL};
    *spec = (struct fault_spec){0};
    if (node->kind != YAML_MAPPING) {
        return yaml_refuse(tree, node, error,
                           "a fault must be a mapping with 'type', 'magnitude', 'duration', …");
    }
    if (yaml_check_keys(tree, node, keys, error) != 0 || parse_type(spec, tree, node, error) != 0 ||
        parse_service(spec, tree, node, error) != 0 || parse_region(spec, tree, node, error) != 0 ||
        parse_start(spec, tree, node, error) != 0 || parse_duration(spec, tree, node, error) != 0) {
        return -1;
    }
    return parse_magnitude(spec, tree, node, error);
}

/* --- what it does ---- */

void fault_effect_init(struct fault_effect *effect)
{
    *effect = (struct fault_effect){.latency_factor = 1, .traffic_factor = 1};
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

void fault_effect_add(struct fault_effect *effect, const struct fault_spec *spec, int service, int region)
{
    if ((spec->service != FAULT_EVERYWHERE && spec->service != service) ||
        (spec->region != FAULT_EVERYWHERE && spec->region != region)) {
        return;
    }
    switch (spec->type) {
    case FAULT_LATENCY_SPIKE:
        effect->latency_factor *= spec->magnitude;
        break;
    case FAULT_ERROR_BURST:
        effect->error_share = larger(effect->error_share, spec->magnitude);
        break;
    case FAULT_TRAFFIC_SURGE:
        effect->traffic_factor *= spec->magnitude;
        break;
    case FAULT_SATURATION:
        effect->saturation = larger(effect->saturation, spec->magnitude);
        break;
    case FAULT_REGION_OUTAGE:
        effect->traffic_factor *= 1 - spec->magnitude;
        break;
    case FAULT_TYPE_COUNT:
        break;
    }
}
