#include "alert/transition.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

static void hash_text(XXH64_state_t *hash, const char *text)
{
    uint32_t length = (uint32_t)strlen(text);
    const unsigned char prefix[4] = {(unsigned char)length, (unsigned char)(length >> 8),
                                     (unsigned char)(length >> 16), (unsigned char)(length >> 24)};
    (void)XXH64_update(hash, prefix, sizeof prefix);
    (void)XXH64_update(hash, text, length);
}

const char *alert_state_name(enum alert_state state)
{
    return state == ALERT_FIRING ? "firing" : "resolved";
}

const char *alert_reason_name(enum alert_reason reason)
{
    static const char *const names[] = {"none", "clear", "no_data", "rule_removed"};
    return names[reason];
}

int alert_transition_compare(const struct alert_transition *a, const struct alert_transition *b)
{
    return a->fingerprint != b->fingerprint
               ? (a->fingerprint > b->fingerprint) - (a->fingerprint < b->fingerprint)
               : (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

uint64_t alert_fingerprint(const char *rule, const char *service, const char *region, const char *route)
{
    XXH64_state_t *hash = XXH64_createState();
    if (hash == NULL) {
        return 0;
    }
    (void)XXH64_reset(hash, 0);
    hash_text(hash, rule);
    hash_text(hash, "cloud.region");
    hash_text(hash, region);
    if (route[0] != '\0') {
        hash_text(hash, "http.route");
        hash_text(hash, route);
    }
    hash_text(hash, "service.name");
    hash_text(hash, service);
    uint64_t fingerprint = XXH64_digest(hash);
    (void)XXH64_freeState(hash);
    return fingerprint;
}

void alert_fingerprint_format(char out[ALERT_FINGERPRINT_BYTES], uint64_t fingerprint)
{
    (void)snprintf(out, ALERT_FINGERPRINT_BYTES, "%016" PRIx64, fingerprint);
}

void alert_id_format(char out[ALERT_ID_BYTES], uint64_t fingerprint, uint32_t sequence)
{
    (void)snprintf(out, ALERT_ID_BYTES, "%016" PRIx64 "-%" PRIu32, fingerprint, sequence);
}
