/* tests/docs/alert_list: every alert that the platform can send, with the page that it links to: of
 * rules/ (Prometheus) and config/anomaly-rules.yaml (stream-processor). Functions fail the running test
 * themselves. */
#ifndef OBS_TESTS_DOCS_ALERT_LIST_H
#define OBS_TESTS_DOCS_ALERT_LIST_H

#include <stddef.h>

struct alert_link {
    char file[128], name[96];
    int line;
    char link[256]; /* as written; "" when there is none */
    char page[128]; /* "runbooks/x.md"; "" when the link isn't of the wanted form */
    char severity[16];
    char *expression; /* Prometheus' query; NULL: a rule of the stream-processor */
};

struct alert_list {
    struct alert_link *alerts;
    size_t count;
};

void alert_list_find(struct alert_list *list);
void alert_list_free(struct alert_list *list);

#endif
