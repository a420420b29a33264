// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Bond members from netlink messages made by hand: the bond driver is not on every kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "base/diag.h"
#include "core/facts.h"
#include "core/members.h"

#define BOND	 7
#define BOND_TWO 8

struct fixture {
	struct interface interfaces[2];
	uint32_t masters[2];
	struct steer_facts facts;
	struct diag why;
	struct members members;
};

static void begin(struct fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	strncpy(fixture->interfaces[0].name, "bond0", sizeof(fixture->interfaces[0].name) - 1);
	strncpy(fixture->interfaces[1].name, "bond1", sizeof(fixture->interfaces[1].name) - 1);
	fixture->masters[0] = BOND;
	fixture->masters[1] = BOND_TWO;
	fixture->members = (struct members){.interfaces = fixture->interfaces,
					    .masters = fixture->masters,
					    .n_masters = 2,
					    .facts = &fixture->facts,
					    .why = &fixture->why};
}

/* What the kernel says of one link. @kind NULL: enslaved by nobody. */
static int take_link(struct fixture *fixture, int ifindex, uint32_t master, const char *kind)
{
	uint8_t buffer[512] = {0};
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *message;

	header->nlmsg_type = RTM_NEWLINK;
	message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	message->ifi_index = ifindex;
	mnl_attr_put_strz(header, IFLA_IFNAME, "member");
	if (kind) {
		struct nlattr *info;

		mnl_attr_put_u32(header, IFLA_MASTER, master);
		info = mnl_attr_nest_start(header, IFLA_LINKINFO);
		mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
		mnl_attr_put_strz(header, IFLA_INFO_SLAVE_KIND, kind);
		mnl_attr_nest_end(header, info);
	}
	return members_read(header, &fixture->members);
}

static void members_of_attached_bonds_become_rows(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	assert_int_equal(take_link(&fixture, 3, BOND, "bond"), 0);
	assert_int_equal(take_link(&fixture, 4, BOND_TWO, "bond"), 0);
	assert_int_equal(fixture.facts.member[0].member, 3);
	assert_int_equal(fixture.facts.member[0].master, BOND);
	assert_int_equal(fixture.facts.member[1].member, 4);
	assert_int_equal(fixture.facts.member[1].master, BOND_TWO);
	assert_int_equal(fixture.facts.member[2].member, 0);
}

static void other_links_do_not(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	assert_int_equal(take_link(&fixture, 3, 0, NULL), 0);
	assert_int_equal(take_link(&fixture, 4, 99, "bond"), 0);     /* a bond that is not ours */
	assert_int_equal(take_link(&fixture, 5, BOND, "bridge"), 0); /* XDP sees the bridge */
	assert_int_equal(fixture.facts.member[0].member, 0);
}

static void one_member_more_than_rows_is_refused_by_name(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	for (int i = 0; i < STEER_MEMBERS; i++)
		assert_int_equal(take_link(&fixture, 10 + i, BOND, "bond"), 0);
	assert_int_equal(take_link(&fixture, 10, BOND, "bond"), 0); /* known already */
	assert_int_equal(take_link(&fixture, 30, BOND_TWO, "bond"), -E2BIG);
	assert_non_null(strstr(fixture.why.text, "bond1"));
}

static void wide_facts_hold_for_both(void **state)
{
	struct steer_facts narrow = {
		.ipv4 = 1, .one_prefix = 1, .client_mask4 = 0xffffffff, .member = {{3, BOND}}};
	struct steer_facts other = narrow, wide;
	struct diag why;

	(void)state;
	assert_int_equal(facts_widen(&narrow, &narrow, &wide, &why), 0);
	assert_memory_equal(&wide, &narrow, sizeof(wide));

	other.ipv4 = 0;
	other.ipv6 = 1;
	other.udp = 1;
	other.client_mask4 = 0x00ffffff;
	other.member[0] = (struct steer_member){4, BOND_TWO};
	assert_int_equal(facts_widen(&narrow, &other, &wide, &why), 0);
	assert_true(wide.ipv4 && wide.ipv6 && wide.udp && !wide.one_prefix);
	assert_int_equal(wide.client_mask4, 0);
	assert_int_equal(wide.member[0].member, 3);
	assert_int_equal(wide.member[1].member, 4);
}

static void bonds_too_many_to_widen_are_refused(void **state)
{
	struct steer_facts old = {0}, new = {0}, wide = {0};
	struct diag why;

	(void)state;
	for (uint32_t i = 0; i < STEER_MEMBERS; i++)
		assert_int_equal(facts_add_member(&old, 10 + i, BOND), 0);
	assert_int_equal(facts_add_member(&new, 30, BOND_TWO), 0);
	assert_int_equal(facts_widen(&old, &new, &wide, &why), -E2BIG);
	assert_int_equal(wide.member[0].member, 0); /* outputs change only on success */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_of_attached_bonds_become_rows),
		cmocka_unit_test(other_links_do_not),
		cmocka_unit_test(one_member_more_than_rows_is_refused_by_name),
		cmocka_unit_test(wide_facts_hold_for_both),
		cmocka_unit_test(bonds_too_many_to_widen_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
