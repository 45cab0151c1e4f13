#include "bus/bus.h"
#include "bus/partitioner.h"

#include "cmocka_all.h"

#include <string.h>

/* The values of Java's UtilsTest.testMurmur2 and of librdkafka's unittest_murmur2. */
static void murmur2_gives_what_java_gives(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        uint32_t hash;
    } cases[] = {
        {"21", (uint32_t)-973932308},
        {"foobar", (uint32_t)-790332482},
        {"a-little-bit-long-string", (uint32_t)-985981536},
        {"a-little-bit-longer-string", (uint32_t)-1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", (uint32_t)-58897971},
        {"abc", 479470107},
        {"kafka", 0xd067cf64U},
        {"giberish123456789", 0x8f552b0cU},
        {"1234", 0x9fc97b14U},
        {"234", 0xe7c009caU},
        {"34", 0x873930daU},
        {"4", 0x5a4b5ca1U},
        {"PreAmbleWillBeRemoved,ThePrePartThatIs", 0x78424f1cU},
        {"reAmbleWillBeRemoved,ThePrePartThatIs", 0x4a62b377U},
        {"eAmbleWillBeRemoved,ThePrePartThatIs", 0xe0e4e09eU},
        {"AmbleWillBeRemoved,ThePrePartThatIs", 0x62b8b43fU},
        {"", 0x106e08d9U},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(partitioner_murmur2(cases[i].key, strlen(cases[i].key)), cases[i].hash);
    }
}

static void a_key_keeps_its_partition_whatever_follows_it_in_memory(void **state)
{
    (void)state;
    const char *key = "api-service|us-east-1";
    int32_t partition = bus_partition_for_key(key, strlen(key), 12);
    assert_in_range(partition, 0, 11);
    assert_int_equal(partition, (int32_t)((partitioner_murmur2(key, strlen(key)) & 0x7fffffffU) % 12));
    assert_int_equal(bus_partition_for_key("21", 2, 12), ((uint32_t)-973932308 & 0x7fffffffU) % 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(murmur2_gives_what_java_gives),
        cmocka_unit_test(a_key_keeps_its_partition_whatever_follows_it_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
