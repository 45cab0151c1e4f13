/* One objective of an SLO, as the rules need it. */
#ifndef SLO_RULES_SLO_H
#define SLO_RULES_SLO_H

/* A counter's selector, such as http_server_requests_total{status_class="5xx"}, and where it is written. */
struct slo_counter {
    const char *text; /* NULL: not given */
    int size;         /* bytes; the text goes on behind */
};

enum { SLO_NAME_BYTES = 80 };

struct slo {
    char service[SLO_NAME_BYTES];
    char name[SLO_NAME_BYTES];    /* sloth_slo; with "-0", "-1" … where a document has several objectives */
    char id[2 * SLO_NAME_BYTES];  /* sloth_id: service-name, unique over all files */
    struct slo_counter bad, good; /* one of the two */
    struct slo_counter total;
    double objective; /* share of good events asked for, between 0 and 1, neither of them */
    int window_days;
    int line; /* of the document */
};

#endif
