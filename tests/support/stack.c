#include "support/stack.h"

#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "support/net.h"
#include "support/process.h"

#include <stdio.h>
#include <string.h>

void stack_create(struct stack *stack)
{
    static const uint16_t ports[] = {STACK_CONSOLE,   STACK_BRIDGE,     STACK_SIMULATOR,   STACK_PROCESSOR,
                                     STACK_FORWARDER, STACK_PROMETHEUS, STACK_ALERTMANAGER};
    process_require_command("prometheus");
    process_require_command("prometheus-alertmanager");
    memset(stack, 0, sizeof *stack);
    temp_directory_create(stack->directory, "stack");
    path_join(stack->data, stack->directory, "data");
    path_join(stack->output, stack->directory, "output");
    if (snprintf(stack->bus_url, sizeof stack->bus_url, "embedded:%s/bus", stack->data) < 0) {
        fail();
    }
    stack->port_offset = net_free_port_offset(ports, sizeof ports / sizeof ports[0]);
}

void stack_start(struct stack *stack, const char *const *arguments)
{
    char offset[32];
    const char *argv[32] = {process_program("local-stack"),
                            "--source",
                            OBS_SOURCE_DIR,
                            "--data",
                            stack->data,
                            "--port-offset",
                            offset};
    size_t count = 7;
    snprintf(offset, sizeof offset, "%d", stack->port_offset);
    for (; arguments != NULL && *arguments != NULL; arguments++) {
        assert_true(count < 31);
        argv[count++] = *arguments;
    }
    remove(stack->output);
    process_free(stack->process);
    const struct process_options options = {.log_path = stack->output};
    stack->process = process_start(argv, &options);
}

static bool is_up_or_ended(void *context)
{
    struct stack *stack = context;
    return file_count_lines(stack->output, "The platform is up") > 0 || !process_is_running(stack->process);
}

void stack_wait_until_up(struct stack *stack, int timeout_ms)
{
    (void)process_wait_until(is_up_or_ended, stack, timeout_ms);
    if (file_count_lines(stack->output, "The platform is up") == 0) {
        struct buffer text;
        buffer_init(&text, 0);
        file_read(stack->output, &text);
        print_error("%s", buffer_text(&text));
        buffer_free(&text);
        fail_msg("the stack isn't up after %d ms", timeout_ms);
    }
}

int stack_stop(struct stack *stack)
{
    const int code = process_stop(stack->process);
    process_free(stack->process);
    stack->process = NULL;
    return code;
}

void stack_destroy(struct stack *stack)
{
    process_free(stack->process);
    stack->process = NULL;
    /* Its children go by the kernel's hand, but not in an instant. */
    for (int i = 0; i < 250 && process_count_mentioning(stack->data) > 0; i++) {
        process_sleep_ms(20);
    }
    temp_directory_remove(stack->directory);
}

const char *stack_url(const struct stack *stack, enum stack_port port, const char *path)
{
    static char urls[8][256];
    static unsigned next;
    char *url = urls[next++ % 8];
    snprintf(url, sizeof urls[0], "http://127.0.0.1:%d%s", (int)port + stack->port_offset, path);
    return url;
}
