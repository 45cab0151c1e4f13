#include "chaos/failpoint_list.h"

#include "buffer/buffer.h"
#include "support/process.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CASES 512

static struct failpoint_case cases[CASES];

static void add(size_t *count, const char *name, const char *action, const char *needs)
{
    assert_true(*count < CASES);
    struct failpoint_case *item = &cases[(*count)++];
    (void)snprintf(item->name, sizeof item->name, "%s", name);
    (void)snprintf(item->action, sizeof item->action, "%s", action);
    (void)snprintf(item->needs, sizeof item->needs, "%s", needs == NULL ? "" : needs);
}

/* NAME TAB errors TAB needs */
static void add_line(size_t *count, char *line)
{
    char *rest = line;
    char *name = strsep(&rest, "\t");
    char *errors = strsep(&rest, "\t");
    add(count, name, "kill", rest);
    add(count, name, "stop", rest);
    char *place = NULL;
    for (char *error = errors == NULL ? NULL : strtok_r(errors, " ", &place); error != NULL;
         error = strtok_r(NULL, " ", &place)) {
        add(count, name, error, rest);
    }
}

const struct failpoint_case *failpoint_list_cases(const char *bus, size_t *count)
{
    struct buffer output;
    const char *const argv[] = {"env", "OBS_FAILPOINTS=list", OBS_TEST_DIR "/stream-processor-chaos", NULL};
    buffer_init(&output, 0);
    assert_int_equal(process_run(argv, 10000, &output), 0);
    char *text = strdup(buffer_text(&output));
    char *place = NULL;
    *count = 0;
    for (char *line = strtok_r(text, "\n", &place); line != NULL; line = strtok_r(NULL, "\n", &place)) {
        size_t dot = strcspn(line, ".");
        if (strncmp(line, "bus.", 4) == 0 || (strncmp(line, bus, dot) == 0 && bus[dot] == '\0')) {
            add_line(count, line);
        }
    }
    free(text);
    buffer_free(&output);
    return cases;
}
