/* Answers that go on, over real sockets. */
#include "buffer/buffer.h"
#include "http/http_feed.h"
#include "http/http_server.h"

#include "cmocka_all.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_FOLLOWERS 3
#define MOST_BYTES     65536
#define PATIENCE_MS    10000

static struct http_server *server;
static struct http_feed *feed;

static void follow(void *context, const struct http_request *request, struct http_response *response)
{
    (void)context;
    (void)request;
    if (http_feed_follow(feed, response)) {
        buffer_append_text(http_response_body(response), "welcome\n");
    }
}

static int begin(void **state)
{
    (void)state;
    static const struct http_route routes[] = {{"GET", "/feed", follow, NULL}};
    const struct http_server_settings settings = {
        .address = "127.0.0.1", .setting = "test", .routes = routes, .route_count = 1};
    struct error error;
    assert_int_equal(http_feed_create(&feed, MOST_FOLLOWERS, MOST_BYTES, &error), 0);
    assert_int_equal(http_server_start(&server, &settings, &error), 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    http_feed_close(feed);
    http_server_stop(server);
    http_feed_destroy(feed);
    return 0;
}

static int ask(const char *method)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(http_server_port(server))};
    char text[128];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    int size = snprintf(text, sizeof text,
                        "%s /feed HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", method);
    assert_int_equal(write(fd, text, (size_t)size), size);
    return fd;
}

/* Reads until the text has come; false: the connection ended, or nothing comes any more. */
static bool read_until(int fd, const char *text, struct buffer *seen)
{
    const size_t overlap = strlen(text);
    size_t searched = 0;
    while (strstr(buffer_text(seen) + searched, text) == NULL) {
        char part[65536];
        searched = seen->size < overlap ? 0 : seen->size - overlap;
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        ssize_t size = poll(&wait, 1, PATIENCE_MS) == 1 ? read(fd, part, sizeof part) : -1;
        if (size <= 0) {
            return false;
        }
        buffer_append(seen, part, (size_t)size);
    }
    return true;
}

/* taken: what came before the end. */
static bool is_ended_after(int fd, size_t *taken)
{
    char part[4096];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    *taken = 0;
    while (poll(&wait, 1, PATIENCE_MS) == 1) {
        const ssize_t size = read(fd, part, sizeof part);
        if (size <= 0) {
            return true;
        }
        *taken += (size_t)size;
    }
    return false;
}

static bool is_ended(int fd)
{
    size_t taken = 0;
    return is_ended_after(fd, &taken);
}

static void wait_for_followers(size_t count)
{
    for (int i = 0; i < PATIENCE_MS && http_feed_followers(feed) != count; i++) {
        http_feed_publish(feed, ".", 1); /* who is gone is noticed by writing */
        usleep(1000);
    }
    assert_int_equal(http_feed_followers(feed), count);
}

static void every_follower_gets_what_is_published_from_its_coming_on(void **state)
{
    (void)state;
    struct buffer first;
    struct buffer second;
    buffer_init(&first, 0);
    buffer_init(&second, 0);
    int one = ask("GET");
    assert_true(read_until(one, "welcome", &first));
    http_feed_publish(feed, "[one]", 5);
    assert_true(read_until(one, "[one]", &first));
    int two = ask("GET");
    assert_true(read_until(two, "welcome", &second));
    for (int i = 0; i < 100; i++) {
        char text[16];
        int size = snprintf(text, sizeof text, "<%d>", i);
        http_feed_publish(feed, text, (size_t)size);
    }
    assert_true(read_until(one, "<99>", &first));
    assert_true(read_until(two, "<99>", &second));
    assert_null(strstr(buffer_text(&second), "[one]"));
    (void)close(one);
    (void)close(two);
    wait_for_followers(0);
    buffer_free(&first);
    buffer_free(&second);
}

static void one_too_many_is_told_to_come_later(void **state)
{
    (void)state;
    int fds[MOST_FOLLOWERS];
    struct buffer seen;
    buffer_init(&seen, 0);
    for (int i = 0; i < MOST_FOLLOWERS; i++) {
        fds[i] = ask("GET");
        buffer_clear(&seen);
        assert_true(read_until(fds[i], "welcome", &seen));
    }
    buffer_clear(&seen);
    int more = ask("GET");
    assert_true(read_until(more, "followers already", &seen));
    assert_non_null(strstr(buffer_text(&seen), "503"));
    assert_non_null(strstr(buffer_text(&seen), "Retry-After: 5"));
    (void)close(more);
    for (int i = 0; i < MOST_FOLLOWERS; i++) {
        (void)close(fds[i]);
    }
    wait_for_followers(0);
    int head = ask("HEAD"); /* no body, so no follower either */
    buffer_clear(&seen);
    assert_true(read_until(head, "200 OK", &seen));
    (void)close(head);
    wait_for_followers(0);
    buffer_free(&seen);
}

static void who_takes_nothing_is_hung_up_on_and_holds_no_more_than_the_limit(void **state)
{
    (void)state;
    static char kilobytes[8192];
    struct buffer seen;
    buffer_init(&seen, 0);
    memset(kilobytes, 'x', sizeof kilobytes);
    int lazy = ask("GET");
    int eager = ask("GET");
    assert_true(read_until(eager, "welcome", &seen));
    assert_true(read_until(lazy, "welcome", &seen));
    for (int i = 0; i < 4000; i++) { /* 32 MB: past every socket's buffer */
        http_feed_publish(feed, kilobytes, sizeof kilobytes);
        struct pollfd wait = {.fd = eager, .events = POLLIN};
        char part[65536];
        while (poll(&wait, 1, 0) == 1 && read(eager, part, sizeof part) > 0) {
        }
        usleep(20);
    }
    assert_true(is_ended(lazy));
    (void)close(lazy);
    (void)close(eager);
    wait_for_followers(0);
    buffer_free(&seen);
}

/* A beginning of "<", x and ">". */
static void set_beginning(size_t bytes)
{
    struct buffer text;
    buffer_init(&text, 0);
    char *room = buffer_reserve(&text, bytes);
    assert_non_null(room);
    memset(room, 'x', bytes);
    room[0] = '<';
    room[bytes - 1] = '>';
    text.size = bytes;
    assert_true(http_feed_set_beginning(feed, &text));
}

#define BEGINNING_BYTES                                                                                      \
    ((size_t)16 * 1048576) /* more than sockets take, and than a follower may be behind                      \
                            */

static void a_beginning_is_held_once_for_all_and_followed_by_what_was_said_since(void **state)
{
    (void)state;
    int fds[MOST_FOLLOWERS];
    struct buffer seen;
    set_beginning(BEGINNING_BYTES);
    for (int i = 0; i < MOST_FOLLOWERS; i++) {
        fds[i] = ask("GET");
        char text[16];
        const int size = snprintf(text, sizeof text, "[%d]", i);
        wait_for_followers((size_t)i + 1);
        http_feed_publish(feed, text, (size_t)size);
    }
    http_feed_drop_beginning(feed);
    http_feed_publish(feed, "[end]", 5);
    assert_in_range(http_feed_bytes(feed), BEGINNING_BYTES, BEGINNING_BYTES + MOST_BYTES);
    for (int i = 0; i < MOST_FOLLOWERS; i++) {
        buffer_init(&seen, 0);
        assert_true(read_until(fds[i], "[end]", &seen));
        assert_non_null(strstr(buffer_text(&seen), "welcome\n"));
        const char *after = strchr(strchr(buffer_text(&seen), '<'), '>');
        assert_non_null(after);
        assert_true(strstr(after, "[0]") < strstr(after, "[1]") &&
                    strstr(after, "[1]") < strstr(after, "[2]"));
        (void)close(fds[i]);
        buffer_free(&seen);
    }
    wait_for_followers(0);
    assert_int_equal(http_feed_bytes(feed), 0);
}

static void who_is_still_at_an_old_beginning_is_hung_up_on(void **state)
{
    (void)state;
    set_beginning(BEGINNING_BYTES);
    const int small = 4096; /* what its own side of the connection takes */
    size_t taken = 0;
    int lazy = ask("GET");
    assert_int_equal(setsockopt(lazy, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    wait_for_followers(1);
    for (int i = 1; i < HTTP_FEED_BEGINNINGS; i++) {
        set_beginning(1000);
    }
    assert_true(http_feed_bytes(feed) > BEGINNING_BYTES);
    set_beginning(1000);
    assert_true(http_feed_bytes(feed) < MOST_BYTES);
    assert_true(is_ended_after(lazy, &taken));
    assert_in_range(taken, 1, 1048576); /* the kernel held no more of it either */
    (void)close(lazy);
    wait_for_followers(0);
}

static void closing_ends_every_answer_and_refuses_new_ones(void **state)
{
    (void)state;
    struct buffer seen;
    buffer_init(&seen, 0);
    int one = ask("GET");
    assert_true(read_until(one, "welcome", &seen));
    http_feed_close(feed);
    assert_true(is_ended(one));
    buffer_clear(&seen);
    int two = ask("GET");
    assert_true(read_until(two, "503", &seen));
    (void)close(one);
    (void)close(two);
    buffer_free(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_follower_gets_what_is_published_from_its_coming_on, begin, end),
        cmocka_unit_test_setup_teardown(one_too_many_is_told_to_come_later, begin, end),
        cmocka_unit_test_setup_teardown(who_takes_nothing_is_hung_up_on_and_holds_no_more_than_the_limit,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_beginning_is_held_once_for_all_and_followed_by_what_was_said_since,
                                        begin, end),
        cmocka_unit_test_setup_teardown(who_is_still_at_an_old_beginning_is_hung_up_on, begin, end),
        cmocka_unit_test_setup_teardown(closing_ends_every_answer_and_refuses_new_ones, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
