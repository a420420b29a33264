/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Frontends: every one is found, no other is, up to the limit and in any shape. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "core/frontends.h"

static struct frontend frontends[STEER_FRONTENDS + 1];
static struct steer_frontends built, again;
static struct diag why;

static struct address numbered(const char *base, uint32_t number, bool in_high_half)
{
	struct address address;
	uint8_t *bytes = address.bytes + (in_high_half ? 4 : 12);

	assert_int_equal(address_parse(base, &address, &why), 0);
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(bytes[i] + (number >> (24 - 8 * i)));
	return address;
}

/* Build @n frontends of one service 3 and look all of them up. */
static void build_and_find(size_t n)
{
	struct service services[4] = {0};
	struct policy policy = {.services = services, .n_services = 4};

	services[3].frontends = frontends;
	services[3].n_frontends = n;
	assert_int_equal(frontends_build(&policy, &built, &why), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(frontends_find(&built, &frontends[i].address,
						frontends[i].protocol, frontends[i].port),
				 3);
	assert_int_equal(frontends_build(&policy, &again, &why), 0);
	assert_memory_equal(&built, &again, sizeof(built));
}

static void check_addresses(const char *base, bool in_high_half)
{
	for (uint32_t i = 0; i < STEER_FRONTENDS; i++)
		frontends[i] = (struct frontend){numbered(base, i, in_high_half), 443, IPPROTO_TCP};
	build_and_find(STEER_FRONTENDS);
	for (uint32_t i = 0; i < 4 * STEER_FRONTENDS; i++) {
		struct address address = numbered(base, i, in_high_half);
		uint32_t expected = i < STEER_FRONTENDS ? 3 : STEER_NO_SERVICE;

		assert_int_equal(frontends_find(&built, &address, IPPROTO_TCP, 443), expected);
		assert_int_equal(frontends_find(&built, &address, IPPROTO_UDP, 443),
				 STEER_NO_SERVICE);
		assert_int_equal(frontends_find(&built, &address, IPPROTO_TCP, 80),
				 STEER_NO_SERVICE);
	}
}

static void limit_of_ipv4_addresses_fits(void **state)
{
	(void)state;
	check_addresses("198.51.0.0", false);
}

static void limit_of_ipv6_addresses_fits(void **state)
{
	(void)state;
	check_addresses("2001:db8::", false);
	check_addresses("2001:db8::1", true);
}

static void limit_of_ports_fits(void **state)
{
	struct address other = numbered("192.0.2.2", 0, false);

	(void)state;
	for (uint32_t i = 0; i < STEER_FRONTENDS; i++)
		frontends[i] = (struct frontend){numbered("192.0.2.1", 0, false), (uint16_t)(1 + i),
						 IPPROTO_UDP};
	build_and_find(STEER_FRONTENDS);
	for (uint32_t port = 0; port < 65536; port++) {
		uint32_t expected = port && port <= STEER_FRONTENDS ? 3 : STEER_NO_SERVICE;

		assert_int_equal(
			frontends_find(&built, &frontends[0].address, IPPROTO_UDP, (uint16_t)port),
			expected);
		assert_int_equal(
			frontends_find(&built, &frontends[0].address, IPPROTO_TCP, (uint16_t)port),
			STEER_NO_SERVICE);
		assert_int_equal(frontends_find(&built, &other, IPPROTO_UDP, (uint16_t)port),
				 STEER_NO_SERVICE);
	}
}

static void mixed_shapes_fit(void **state)
{
	(void)state;
	for (uint32_t ports = 2; ports <= 1024; ports *= 2) {
		for (uint32_t i = 0; i < STEER_FRONTENDS; i++)
			frontends[i] = (struct frontend){
				numbered(i / ports % 2 ? "198.51.0.0" : "2001:db8::1", i / ports,
					 false),
				(uint16_t)(8000 + i % ports / 2),
				i % 2 ? IPPROTO_TCP : IPPROTO_UDP,
			};
		build_and_find(STEER_FRONTENDS);
	}
}

static void addresses_that_differ_in_top_bits_fit(void **state)
{
	const char *texts[] = {"2001:db8::1", "2001:db8:0:80:0:80:0:81", "2001:db8:0:80::81"};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		frontends[i] = (struct frontend){numbered(texts[i], 0, false), 53, IPPROTO_UDP};
	build_and_find(3);
}

static void exact_port_wins_over_any_port(void **state)
{
	struct address address = numbered("192.0.2.1", 0, false);
	struct frontend any[] = {{address, 0, IPPROTO_TCP}};
	struct frontend exact[] = {{address, 80, IPPROTO_TCP}, {address, 80, IPPROTO_TCP}};
	struct service services[2] = {{.frontends = any, .n_frontends = 1},
				      {.frontends = exact, .n_frontends = 2}};
	struct policy policy = {.services = services, .n_services = 2};

	(void)state;
	assert_int_equal(frontends_build(&policy, &built, &why), 0);
	assert_int_equal(frontends_find(&built, &address, IPPROTO_TCP, 80), 1);
	assert_int_equal(frontends_find(&built, &address, IPPROTO_TCP, 81), 0);
	assert_int_equal(frontends_find(&built, &address, IPPROTO_UDP, 80), STEER_NO_SERVICE);
}

static void frontend_of_two_services_is_refused_by_name(void **state)
{
	struct frontend one[] = {{numbered("192.0.2.1", 0, false), 80, IPPROTO_TCP}};
	struct service services[2] = {{.name = "web", .frontends = one, .n_frontends = 1},
				      {.name = "shop", .frontends = one, .n_frontends = 1}};
	struct policy policy = {.services = services, .n_services = 2};

	(void)state;
	assert_int_equal(frontends_build(&policy, &built, &why), -EEXIST);
	assert_non_null(strstr(why.text, "web"));
	assert_non_null(strstr(why.text, "shop"));
	assert_non_null(strstr(why.text, "192.0.2.1"));
}

static void one_frontend_too_many_is_refused_and_none_is_fine(void **state)
{
	struct service service = {.frontends = frontends, .n_frontends = STEER_FRONTENDS + 1};
	struct policy policy = {.services = &service, .n_services = 1};
	struct address address = numbered("192.0.2.1", 0, false);
	struct address zero = {{0}};

	(void)state;
	assert_int_equal(frontends_build(&policy, &built, &why), -E2BIG);
	service.n_frontends = 0;
	assert_int_equal(frontends_build(&policy, &built, &why), 0);
	assert_int_equal(frontends_find(&built, &address, IPPROTO_TCP, 80), STEER_NO_SERVICE);
	assert_int_equal(frontends_find(&built, &zero, IPPROTO_TCP, 0), STEER_NO_SERVICE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limit_of_ipv4_addresses_fits),
		cmocka_unit_test(limit_of_ipv6_addresses_fits),
		cmocka_unit_test(limit_of_ports_fits),
		cmocka_unit_test(mixed_shapes_fit),
		cmocka_unit_test(addresses_that_differ_in_top_bits_fit),
		cmocka_unit_test(exact_port_wins_over_any_port),
		cmocka_unit_test(frontend_of_two_services_is_refused_by_name),
		cmocka_unit_test(one_frontend_too_many_is_refused_and_none_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
