// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/own.h"
#include "core/rolling.h"

#define SERVERS 5

struct fixture {
	struct rolling_server servers[SERVERS];
	struct rolling rolling;
	size_t next[SERVERS];
};

static void make(struct fixture *fixture, uint32_t each, uint32_t max_unavailable)
{
	memset(fixture, 0, sizeof(*fixture));
	fixture->rolling = (struct rolling){.service = "shop",
					    .pool = "blue",
					    .hook = "/usr/bin/update --now",
					    .each = each,
					    .max_unavailable = max_unavailable,
					    .timeout_ms = 1500,
					    .servers = fixture->servers,
					    .n_servers = SERVERS};
	for (size_t i = 0; i < SERVERS; i++)
		(void)snprintf(fixture->servers[i].name, NAME_TEXT, "blue-%zu", i + 1);
}

static size_t next(struct fixture *fixture, size_t others)
{
	return rolling_next(&fixture->rolling, others, fixture->next);
}

static void servers_are_taken_in_order_and_each_at_a_time(void **state)
{
	struct fixture f;

	(void)state;
	make(&f, 2, 0);
	assert_int_equal(next(&f, 0), 2);
	assert_int_equal(f.next[0], 0);
	assert_int_equal(f.next[1], 1);
	f.servers[0].step = f.servers[1].step = f.servers[2].step = f.servers[3].step =
		ROLLING_DONE;
	assert_int_equal(next(&f, 0), 1);
	assert_int_equal(f.next[0], 4);
}

static void a_server_that_was_begun_comes_before_all_others(void **state)
{
	static const enum rolling_step begun[] = {ROLLING_DRAINING, ROLLING_HOOK, ROLLING_UPDATED,
						  ROLLING_FAILED};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(begun); i++) {
		make(&f, 1, 0);
		f.servers[3].step = begun[i];
		assert_true(rolling_has_begun(&f.servers[3]));
		assert_int_equal(next(&f, 0), 1);
		assert_int_equal(f.next[0], 3);
	}
}

static void no_more_are_out_than_allowed_whoever_took_them_out(void **state)
{
	struct fixture f;

	(void)state;
	make(&f, 4, 3);
	assert_int_equal(next(&f, 0), 3);
	assert_int_equal(next(&f, 1), 2);
	assert_int_equal(next(&f, 3), 0);
	assert_int_equal(next(&f, 4), 0);
	assert_false(rolling_is_over(&f.rolling));
}

static void it_is_over_when_all_are_done_or_were_out_before(void **state)
{
	struct fixture f;

	(void)state;
	make(&f, 1, 0);
	for (size_t i = 0; i < SERVERS; i++)
		f.servers[i].step = i % 2 ? ROLLING_SKIPPED : ROLLING_DONE;
	assert_true(rolling_is_over(&f.rolling));
	assert_int_equal(next(&f, 0), 0);
	f.servers[0].step = ROLLING_FAILED;
	assert_false(rolling_is_over(&f.rolling));
}

static void what_is_out_of_service_already_is_skipped(void **state)
{
	struct backend backends[3] = {{.name = "a"},
				      {.name = "b", .state = BACKEND_MAINT},
				      {.name = "c", .state = BACKEND_DRAIN}};
	const struct pool pool = {.name = "blue", .backends = backends, .n_backends = 3};
	struct rolling rolling = {.each = 1};

	(void)state;
	assert_int_equal(rolling_list(&pool, &rolling), 0);
	assert_int_equal(rolling_count(&rolling, ROLLING_WAITING), 1);
	assert_int_equal(rolling_count(&rolling, ROLLING_SKIPPED), 2);
	assert_string_equal(rolling.servers[0].name, "a");
	rolling_free(&rolling);
}

static void the_file_gives_back_what_was_written(void **state)
{
	char path[] = "/tmp/steer-rolling.XXXXXX";
	auto_close int fd = mkstemp(path);
	struct rolling rolling = {0};
	struct diag why = {0};
	struct fixture f;

	(void)state;
	assert_true(fd >= 0);
	make(&f, 2, 3);
	f.servers[1].step = ROLLING_FAILED;
	assert_int_equal(rolling_write(path, &f.rolling, &why), 0);
	assert_int_equal(rolling_read(path, &rolling, &why), 0);
	assert_string_equal(rolling.hook, f.rolling.hook);
	assert_string_equal(rolling.check, "");
	assert_int_equal(rolling.each, 2);
	assert_int_equal(rolling.max_unavailable, 3);
	assert_int_equal(rolling.timeout_ms, 1500);
	assert_int_equal(rolling.n_servers, SERVERS);
	assert_memory_equal(rolling.servers, f.servers, sizeof(f.servers));
	rolling_free(&rolling);
	(void)unlink(path);
}

static void a_damaged_or_missing_file_is_named_and_changes_nothing(void **state)
{
	static const char *const damaged[] = {
		"",
		"{",
		"[]",
		"{\"service\":\"shop\"}",
		"{\"service\":\"s\",\"pool\":\"p\",\"hook\":\"h\",\"check\":\"\",\"each\":0,"
		"\"max_unavailable\":0,\"timeout_ms\":0,\"idle_ms\":0,\"servers\":[]}",
		"{\"service\":\"s\",\"pool\":\"p\",\"hook\":\"h\",\"check\":\"\",\"each\":1,"
		"\"max_unavailable\":0,\"timeout_ms\":0,\"idle_ms\":0,"
		"\"servers\":[{\"name\":\"a\",\"step\":\"lost\"}]}"};
	char path[] = "/tmp/steer-rolling.XXXXXX";
	auto_close int fd = mkstemp(path);
	struct rolling rolling = {.each = 7};
	struct diag why = {0};

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, damaged[i], strlen(damaged[i]), 0), strlen(damaged[i]));
		assert_int_equal(rolling_read(path, &rolling, &why), -EINVAL);
		assert_non_null(strstr(why.text, path));
		assert_int_equal(rolling.each, 7);
	}
	(void)unlink(path);
	assert_int_equal(rolling_read(path, &rolling, &why), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_are_taken_in_order_and_each_at_a_time),
		cmocka_unit_test(a_server_that_was_begun_comes_before_all_others),
		cmocka_unit_test(no_more_are_out_than_allowed_whoever_took_them_out),
		cmocka_unit_test(it_is_over_when_all_are_done_or_were_out_before),
		cmocka_unit_test(what_is_out_of_service_already_is_skipped),
		cmocka_unit_test(the_file_gives_back_what_was_written),
		cmocka_unit_test(a_damaged_or_missing_file_is_named_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
