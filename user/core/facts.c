// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/facts.h"

#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "core/flows.h"
#include "steer/hash.h"

static void service_facts(struct steer_facts *facts, const struct service *service)
{
	for (size_t i = 0; i < service->n_frontends; i++) {
		const struct frontend *frontend = &service->frontends[i];

		if (address_is_ipv4(&frontend->address))
			facts->ipv4 = 1;
		else
			facts->ipv6 = 1;
		if (frontend->protocol == IPPROTO_UDP)
			facts->udp = 1;
	}
}

struct steer_facts facts_of(const struct policy *policy)
{
	const struct service *first = policy->services;
	struct steer_facts facts = {.one_prefix = 1, .buckets = flows_buckets(policy->flows)};

	for (size_t i = 0; i < policy->n_services; i++) {
		const struct service *service = &policy->services[i];

		service_facts(&facts, service);
		if (service->prefix4 != first->prefix4 || service->prefix6 != first->prefix6)
			facts.one_prefix = 0;
	}
	if (facts.one_prefix && policy->n_services) {
		facts.client_mask4 = steer_mask(first->prefix4, 0);
		for (uint32_t i = 0; i < 4; i++)
			facts.client_mask6[i] = steer_mask(first->prefix6, i);
	}
	return facts;
}

int facts_add_member(struct steer_facts *facts, uint32_t member, uint32_t master)
{
	for (size_t i = 0; i < STEER_MEMBERS; i++) {
		struct steer_member *row = &facts->member[i];

		if (row->member == member && row->master == master)
			return 0;
		if (row->member == 0) {
			row->member = member;
			row->master = master;
			return 0;
		}
	}
	return -E2BIG;
}

static bool has_same_prefix(const struct steer_facts *a, const struct steer_facts *b)
{
	return a->one_prefix && b->one_prefix && a->client_mask4 == b->client_mask4 &&
	       memcmp(a->client_mask6, b->client_mask6, sizeof(a->client_mask6)) == 0;
}

int facts_widen(const struct steer_facts *a, const struct steer_facts *b,
		struct steer_facts *ret_wide, struct diag *why)
{
	struct steer_facts wide = *a;

	wide.ipv4 |= b->ipv4;
	wide.ipv6 |= b->ipv6;
	wide.udp |= b->udp;
	if (!has_same_prefix(a, b)) {
		wide.one_prefix = 0;
		wide.client_mask4 = 0;
		memset(wide.client_mask6, 0, sizeof(wide.client_mask6));
	}
	for (size_t i = 0; i < STEER_MEMBERS && b->member[i].member; i++)
		if (facts_add_member(&wide, b->member[i].member, b->member[i].master) < 0)
			return diag_fail(why, -E2BIG,
					 "the bonds of the old and the new configuration have more "
					 "than %d members together; take the old bond out first",
					 STEER_MEMBERS);
	*ret_wide = wide;
	return 0;
}
