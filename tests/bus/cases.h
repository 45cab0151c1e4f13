/* tests/bus: the cases of test_bus_cases, by subject; each runs its own and returns how many failed. */
#ifndef OBS_TESTS_BUS_CASES_H
#define OBS_TESTS_BUS_CASES_H

int run_record_cases(void);
int run_reading_cases(void);
int run_commit_cases(void);
int run_group_cases(void);

/* What a child process of test_bus does: argv[2…] of "test_bus_cases --child WHAT URL …". */
int run_child(int argc, char **argv);

#endif
