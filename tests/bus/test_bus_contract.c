/* What bus.h promises, the same for every driver: test_bus_contract [URL | kafka]. Without an argument the
 * embedded bus in a directory of its own; "kafka" starts a real broker. Names are new in each run, waits are
 * polls. The cases are in contract_*.c, and in cases_*.c by subject: odd records, reading, several processes,
 * members that come and go. */
#include "cases.h"
#include "scene.h"

#include "support/files.h"
#include "support/kafka.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

/* The subjects, one after the other; how many cases failed. */
static int run_suite(const char *url)
{
    scene_set_url(url);
    world_set_url(url);
    return run_contract_records() + run_contract_positions() + run_contract_group() + run_record_cases() +
           run_reading_cases() + run_commit_cases() + run_group_cases();
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--child") == 0) {
        return run_child(argc, argv);
    }
    world_set_program(argv[0]);
    if (argc > 2) { /* one case: its name, or with * */
        cmocka_set_test_filter(argv[2]);
    }
    if (argc > 1 && strcmp(argv[1], "kafka") == 0) {
        struct kafka_broker broker;
        const int code = kafka_broker_require(&broker);
        if (code != 0) {
            return code;
        }
        const int failed = run_suite(broker.url);
        kafka_broker_stop(&broker, false);
        return failed == 0 ? 0 : 1;
    }
    if (argc > 1) {
        return run_suite(argv[1]) == 0 ? 0 : 1;
    }
    char directory[TEST_PATH_BYTES];
    char url[TEST_PATH_BYTES + 64];
    temp_directory_create(directory, "bus");
    (void)snprintf(url, sizeof url, "embedded:%s/bus?lease_ms=2000", directory);
    const int failed = run_suite(url);
    temp_directory_remove(directory);
    return failed == 0 ? 0 : 1;
}
