/* A record of the bridge's state, as damage or another program could leave it: refused, or numbers that are
 * saved and shown as they were read. The first byte chooses the kind. What is left of it is also an Accept
 * header. */
#include "buffer/buffer.h"
#include "http/http_accept.h"
#include "label_numbers.h"
#include "negotiation.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_round_trip(const struct label_numbers *numbers, enum counter_kind kind)
{
    struct buffer scratch;
    struct label_numbers again;
    struct error error;
    buffer_init(&scratch, 0);
    struct packed_numbers *packed = label_numbers_pack(numbers, kind, NULL, &scratch);
    label_numbers_init(&again, kind);
    require(packed != NULL);
    require(label_numbers_read(&again, kind, (struct bus_bytes){packed->data, packed->record_bytes}, "again",
                               &error) == 0);
    require(memcmp(again.values, numbers->values, sizeof again.values) == 0);
    require(again.native.count == numbers->native.count && again.native.schema == numbers->native.schema);
    require(again.native.count == 0 || memcmp(again.native.buckets, numbers->native.buckets,
                                              again.native.count * sizeof *again.native.buckets) == 0);
    require(label_numbers_unpack(&again, kind, packed));
    require(native_histogram_total(&again.native) == native_histogram_total(&numbers->native));
    label_numbers_deinit(&again);
    packed_numbers_drop(packed);
    buffer_free(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    enum counter_kind kind = (enum counter_kind)(data[0] % COUNTER_KINDS);
    struct label_numbers numbers;
    struct error error;
    label_numbers_init(&numbers, kind);
    if (label_numbers_read(&numbers, kind, (struct bus_bytes){data + 1, size - 1}, "fuzz", &error) == 0) {
        require(numbers.native.count <= NATIVE_BUCKETS_MOST);
        check_round_trip(&numbers, kind);
    }
    label_numbers_deinit(&numbers);

    char *header = malloc(size);
    require(header != NULL);
    memcpy(header, data + 1, size - 1);
    header[size - 1] = '\0';
    require(negotiate_format(header) < METRIC_FORMAT_COUNT);
    (void)http_coding_is_accepted(header, "gzip");
    free(header);
    return 0;
}
