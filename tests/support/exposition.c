#include "support/exposition.h"

#include <stdlib.h>
#include <string.h>

static const char *end_of_line(const char *line)
{
    return line + strcspn(line, "\n");
}

double exposition_sum(const char *page, const char *name, const char *text, size_t *count)
{
    double sum = 0;
    size_t found = 0;
    size_t length = strlen(name);
    for (const char *line = page; *line != '\0';
         line = *end_of_line(line) == '\0' ? "" : end_of_line(line) + 1) {
        size_t size = (size_t)(end_of_line(line) - line);
        if (strncmp(line, name, length) != 0 || (line[length] != '{' && line[length] != ' ')) {
            continue;
        }
        if (text != NULL && memmem(line, size, text, strlen(text)) == NULL) {
            continue;
        }
        const char *space = memrchr(line, ' ', size);
        sum += strtod(space + 1, NULL);
        found++;
    }
    if (count != NULL) {
        *count = found;
    }
    return sum;
}
