// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/banks.h"

#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/own.h"
#include "core/column.h"

static const struct policy *policy_of(const struct ways *ways, enum role role)
{
	if (role >= ROLE_UNDO)
		return ways->has_undo ? &ways->undo : NULL;
	if (role >= ROLE_BACK)
		return ways->has_back ? &ways->back : NULL;
	return ways->live;
}

static void begin_bank(struct build *build, enum role role, const struct policy *policy)
{
	struct steer_bank *bank = &build->planned[role].bank;

	bank->generation = ++build->resident.newest;
	bank->revision = policy->revision;
	bank->parent = policy->revision ? policy->revision - 1 : 0;
	memcpy(bank->address_seed, build->address_seed, sizeof(bank->address_seed));
	bank->port_seed = build->port_seed;
	bank->frontends = build->frontends;
	bank->services = (uint32_t)policy->n_services;
	memcpy(bank->page, build->page, sizeof(bank->page));
	for (size_t i = 0; i < policy->n_services; i++) {
		bank->prefix4[i] = policy->services[i].prefix4 |
				   (policy->services[i].udp_flow ? STEER_UDP_FLOW : 0);
		bank->prefix6[i] = policy->services[i].prefix6;
	}
}

/* Is it any different from the bank that is settled further by one step? */
static bool is_needed(const struct build *build, enum role role)
{
	const struct planned_bank *live = &build->planned[ROLE_LIVE];
	bool is_touched = live->until_ms != 0;
	bool is_stepwise =
		is_touched && live->origins_until_ms && live->origins_until_ms < live->until_ms;

	switch (role) {
	case ROLE_FINISHED:
	case ROLE_BACK_FINISHED:
	case ROLE_UNDO_FINISHED:
		return is_stepwise;
	case ROLE_SETTLED:
	case ROLE_BACK_SETTLED:
	case ROLE_UNDO_SETTLED:
		return is_touched;
	default:
		return true;
	}
}

static int number_banks(struct build *build, const struct ways *ways)
{
	for (int role = 0; role < ROLE_COUNT; role++) {
		struct planned_bank *planned = &build->planned[role];
		const struct policy *policy = policy_of(ways, (enum role)role);
		int error;

		if (!policy || !is_needed(build, (enum role)role))
			continue;
		planned->number = resident_take_bank(&build->resident);
		if (planned->number == 0)
			return diag_fail(build->why, -ENOSPC, "all %d banks are in use",
					 STEER_BANKS - 1);
		error = build_policy(build, planned->number, policy);
		if (!error)
			error = build_times(build, planned);
		if (error)
			return error;
	}
	return 0;
}

/* First of the roles that was built. */
static uint32_t number_of(const struct build *build, enum role role, enum role otherwise)
{
	return build->planned[role].number ? build->planned[role].number
					   : build->planned[otherwise].number;
}

static uint64_t due_ns(uint64_t ms)
{
	return ms == TRANSITION_NEVER ? 0 : ms * 1000000;
}

/* Links of the bank at @stage (0 live, 1 finished, 2 settled). */
static void link_stage(struct build *build, int stage)
{
	const struct planned_bank *live = &build->planned[ROLE_LIVE];
	uint32_t number = build->planned[ROLE_LIVE + stage].number;
	uint32_t settled = number_of(build, ROLE_SETTLED, ROLE_LIVE);
	uint32_t finished = build->planned[ROLE_FINISHED].number;
	struct steer_links *links = &build->dp->control->links[number];

	if (!number)
		return;
	*links = (struct steer_links){
		.rollback = number_of(build, (enum role)(ROLE_BACK + stage), ROLE_BACK) ?: number,
		.undo = number_of(build, (enum role)(ROLE_UNDO + stage), ROLE_UNDO),
		.settled = settled,
	};
	if (stage == 2 || settled == live->number)
		return;
	links->next = stage == 0 && finished ? finished : settled;
	links->due_ns = due_ns(stage == 0 && finished ? live->origins_until_ms : live->until_ms);
}

/* Links of the ways back: a bank that is selected at a time not known yet. */
static void link_way(struct build *build, enum role first, uint32_t rollback, uint64_t hold_ms)
{
	uint32_t settled = build->planned[first + 3].number;

	for (int i = 0; i < 4; i++) {
		uint32_t number = build->planned[first + i].number;

		if (!number)
			continue;
		build->dp->control->links[number] = (struct steer_links){
			.rollback = rollback ?: number,
			.settled = settled,
			.next = number != settled && build->planned[first + i].until_ms ? settled
											: 0,
			.hold_ns = due_ns(hold_ms),
		};
	}
}

static uint64_t longest_hold_ms(const struct policy *policy)
{
	uint64_t hold_ms = 0;

	for (size_t i = 0; i < policy->n_services; i++)
		if (policy->services[i].deadline_ms > hold_ms)
			hold_ms = policy->services[i].deadline_ms;
	return hold_ms;
}

/* 32 ages are twice as long as the longest transition, or for ever. */
static uint32_t age_epochs(uint64_t hold_ms)
{
	uint64_t epochs = hold_ms / (STEER_EPOCH_NS / 1000000) / (STEER_CONFIRMED_AGES / 2) + 1;

	return hold_ms == TRANSITION_NEVER ? 0 : (uint32_t)epochs;
}

/* The window's end goes one commit back, which the undo bank does for a commit of shares. */
static bool can_undo(const struct build *build, const struct policy *live,
		     const struct install *install)
{
	for (size_t i = 0; build->was && i < live->n_services; i++)
		if (live->services[i].before.revision == build->was->revision)
			return true;
	return install->keeps_window;
}

void banks_write(struct build *build, const struct policy *live, const struct install *install)
{
	uint64_t hold_ms = longest_hold_ms(live);
	uint32_t bank = build->planned[ROLE_LIVE].number;
	struct steer_links *links = &build->dp->control->links[bank];

	for (int role = 0; role < ROLE_COUNT; role++)
		if (build->planned[role].number)
			dataplane_write_bank(build->dp, build->planned[role].number,
					     &build->planned[role].bank);
	for (int stage = 0; stage < 3; stage++)
		link_stage(build, stage);
	link_way(build, ROLE_BACK, 0, hold_ms);
	link_way(build, ROLE_UNDO, build->planned[ROLE_BACK].number ?: bank, hold_ms);
	if (install->confirm_ms && links->undo && can_undo(build, live, install)) {
		links->next = links->undo;
		links->due_ns = due_ns(touched_now_ms() + install->confirm_ms);
	}
	build->dp->control->age_epochs = age_epochs(hold_ms);
}

int banks_put(struct build *build, const struct ways *ways, const struct install *install)
{
	auto_free struct column *column = calloc(1, sizeof(*column));
	int error = 0;

	if (!column)
		return diag_fail(build->why, -ENOMEM, "out of memory building the banks");
	column->now_ms = touched_now_ms();
	for (int role = 0; role < ROLE_COUNT; role++)
		if (policy_of(ways, (enum role)role))
			begin_bank(build, (enum role)role, policy_of(ways, (enum role)role));
	for (size_t i = 0; i < ways->live->n_services && !error; i++) {
		column->index = i;
		error = column_put(build, column, ways, install);
	}
	return error ? error : number_banks(build, ways);
}
