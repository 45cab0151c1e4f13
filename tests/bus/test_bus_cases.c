/* Beside test_bus_contract, on either kind of bus too: odd records, several processes, members that come and
 * go. test_bus_cases            on an embedded bus in a temporary directory test_bus_cases kafka      on a
 * broker of its own test_bus_cases URL        on the bus at URL */
#include "cases.h"
#include "support/kafka.h"
#include "world.h"

#include <string.h>

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--child") == 0) {
        return run_child(argc, argv);
    }
    struct kafka_broker broker;
    bool on_kafka = argc > 1 && strcmp(argv[1], "kafka") == 0;
    int code = on_kafka ? kafka_broker_require(&broker) : 0;
    if (code != 0) {
        return code;
    }
    world_set_url(on_kafka ? broker.url : argc > 1 ? argv[1] : NULL);
    world_set_program(argv[0]);
    int failed = run_record_cases();
    failed += run_reading_cases();
    failed += run_commit_cases();
    failed += run_group_cases();
    world_clean_up();
    if (on_kafka) {
        kafka_broker_stop(&broker, false);
    }
    return failed == 0 ? 0 : 1;
}
