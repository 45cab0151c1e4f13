/* tests/bus: the cases of test_bus_contract, by subject; each runs its own and returns how many failed. */
#ifndef OBS_TESTS_BUS_CASES_H
#define OBS_TESTS_BUS_CASES_H

/* Called by main before the cases; url NULL: an embedded bus of their own. */
void world_set_url(const char *url);
void world_set_program(const char *path); /* argv[0], for child processes */

int run_contract_records(void);
int run_contract_positions(void);
int run_contract_group(void);
int run_record_cases(void);
int run_reading_cases(void);
int run_commit_cases(void);
int run_group_cases(void);

/* What a child process of test_bus_contract does: argv[2…] of "test_bus_contract --child WHAT URL …". */
int run_child(int argc, char **argv);

#endif
