/* lib/failpoint: named places of the bus where a test can kill the process, stop it, or make a call answer
 * with an error: random moments rarely hit the few microseconds of a commit.
 *
 * A place is written FAILPOINT(NAME) and is the constant FAILPOINT_GO unless the file is compiled with
 * OBS_FAILPOINTS. Only stream-processor-chaos, a program of the tests, is: the programs that ship have none
 * of this, which a test proves. The list below is the only one. OBS_FAILPOINTS=list prints it, so that the
 * tests try a new place without being told of it.
 *
 *   OBS_FAILPOINTS=NAME=ACTION[@N][,…]   at the N-th time that it is reached (1), once
 *     kill     SIGKILL to itself
 *     stop     SIGSTOP to itself; whoever tests sends SIGCONT
 *     retry | abort | fatal | timeout | full | reset | away   the answer of the call
 *
 * "before": the call isn't made when the answer is an error. "after": it was made, and only its answer is
 * wrong, as when a broker's answer is lost.
 *
 * Threads: any. */
#ifndef OBS_FAILPOINT_FAILPOINT_H
#define OBS_FAILPOINT_FAILPOINT_H

enum failpoint_answer {
    FAILPOINT_GO,
    FAILPOINT_RETRY,   /* retriable */
    FAILPOINT_ABORT,   /* the transaction must be aborted */
    FAILPOINT_FATAL,   /* the client can't go on */
    FAILPOINT_TIMEOUT, /* no answer: done or not, nobody knows */
    FAILPOINT_FULL,
    FAILPOINT_RESET,
    FAILPOINT_AWAY
};

/* NAME, "bus.call.moment", the errors that the call can answer there, and what else has to happen for it to
 * be reached: another failpoint (NAME=ACTION@N), "" for nothing. "bus" is on every bus. */
#define FAILPOINT_LIST(F)                                                                                    \
    F(BUS_JOIN_BEFORE, "bus.join.before", "", "")                                                            \
    F(BUS_JOIN_AFTER, "bus.join.after", "", "")                                                              \
    F(BUS_POLL_BEFORE, "bus.poll.before", "", "")                                                            \
    F(BUS_POLL_AFTER, "bus.poll.after", "", "")                                                              \
    F(BUS_START_BEFORE, "bus.start.before", "", "")                                                          \
    F(BUS_START_AFTER, "bus.start.after", "", "")                                                            \
    F(BUS_PUT_BEFORE, "bus.put.before", "full", "")                                                          \
    F(BUS_PUT_AFTER, "bus.put.after", "", "")                                                                \
    F(BUS_PUT_STATE_BEFORE, "bus.put_state.before", "full", "")                                              \
    F(BUS_PUT_STATE_AFTER, "bus.put_state.after", "", "")                                                    \
    F(BUS_ADVANCE_BEFORE, "bus.advance.before", "", "")                                                      \
    F(BUS_ADVANCE_AFTER, "bus.advance.after", "", "")                                                        \
    F(BUS_COMMIT_BEFORE, "bus.commit.before", "full away", "")                                               \
    F(BUS_COMMIT_AFTER, "bus.commit.after", "", "")                                                          \
    F(BUS_RELEASE_BEFORE, "bus.release.before", "", "")                                                      \
    F(BUS_RELEASE_AFTER, "bus.release.after", "", "")                                                        \
    F(BUS_LEAVE_BEFORE, "bus.leave.before", "", "")                                                          \
    F(BUS_LEAVE_AFTER, "bus.leave.after", "", "")                                                            \
    F(EMBEDDED_POLL, "embedded.poll.before", "reset", "")                                                    \
    F(EMBEDDED_BEGIN_BEFORE, "embedded.begin_write.before", "away full", "")                                 \
    F(EMBEDDED_BEGIN_AFTER, "embedded.begin_write.after", "", "")                                            \
    F(EMBEDDED_OFFSETS_AFTER, "embedded.write_offsets.after", "full reset", "")                              \
    F(EMBEDDED_APPEND_AFTER, "embedded.append.after", "full reset", "")                                      \
    F(EMBEDDED_COMMIT_BEFORE, "embedded.commit.before", "full reset", "")                                    \
    F(EMBEDDED_COMMIT_AFTER, "embedded.commit.after", "reset", "")                                           \
    F(EMBEDDED_STATE_BEFORE, "embedded.read_state.before", "away", "")                                       \
    F(EMBEDDED_ENTER_AFTER, "embedded.enter.after", "", "")                                                  \
    F(KAFKA_POLL, "kafka.poll.before", "reset", "")                                                          \
    F(KAFKA_POLL_IN_TRANSACTION, "kafka.poll.in_transaction", "reset", "")                                   \
    F(KAFKA_COMMITTED_BEFORE, "kafka.committed.before", "away", "")                                          \
    F(KAFKA_RESTORE_BEFORE, "kafka.restore.before", "away", "")                                              \
    F(KAFKA_RESTORE_AFTER, "kafka.restore.after", "", "")                                                    \
    F(KAFKA_INIT_BEFORE, "kafka.init_transactions.before", "retry timeout", "")                              \
    F(KAFKA_INIT_AFTER, "kafka.init_transactions.after", "retry timeout", "")                                \
    F(KAFKA_BEGIN_BEFORE, "kafka.begin_transaction.before", "abort fatal", "")                               \
    F(KAFKA_BEGIN_AFTER, "kafka.begin_transaction.after", "abort fatal", "")                                 \
    F(KAFKA_OFFSETS_BEFORE, "kafka.send_offsets.before", "retry abort fatal timeout", "")                    \
    F(KAFKA_OFFSETS_AFTER, "kafka.send_offsets.after", "retry abort fatal timeout", "")                      \
    F(KAFKA_COMMIT_BEFORE, "kafka.commit_transaction.before", "retry abort fatal timeout", "")               \
    F(KAFKA_COMMIT_AFTER, "kafka.commit_transaction.after", "retry abort fatal timeout", "")                 \
    F(KAFKA_ABORT_BEFORE, "kafka.abort_transaction.before", "fatal timeout",                                 \
      "kafka.poll.in_transaction=reset")                                                                     \
    F(KAFKA_ABORT_AFTER, "kafka.abort_transaction.after", "fatal timeout", "kafka.poll.in_transaction=reset")

enum failpoint {
#define FAILPOINT_ENUM(name, text, errors, needs) FAILPOINT_##name,
    FAILPOINT_LIST(FAILPOINT_ENUM)
#undef FAILPOINT_ENUM
        FAILPOINT_COUNT
};

#ifdef OBS_FAILPOINTS
enum failpoint_answer failpoint_reach(enum failpoint failpoint);
#define FAILPOINT(name) failpoint_reach(FAILPOINT_##name)
#else
#define FAILPOINT(name) FAILPOINT_GO
#endif

#endif
