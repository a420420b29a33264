// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Taking a changed inventory over: wider program, commit, narrower program.
 *
 * At every instant the program that any interface runs is right for the policy that is live, so
 * that a process killed here leaves nothing worse than facts wider than needed and an interface
 * too many; the next "up" or "apply" narrows them.
 */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "core/flows.h"
#include "core/generation.h"
#include "core/inventory.h"
#include "core/links.h"
#include "core/loader.h"
#include "core/steerer_private.h"

struct change {
	struct policy former; /* interfaces of the live policy, to go back to */
	const struct policy *next;
	struct steer_facts facts_former;
	struct steer_facts facts_next;
	struct diag *notice;
	struct diag *why;
};

/* Ids in the policies of all resident generations. */
static int collect_resident(const struct steerer *steerer, struct id_set *taken, struct diag *why)
{
	bool pinned[STEER_BANKS];
	int error = object_list(&steerer->dp, OBJECT_POLICY, pinned, ARRAY_SIZE(pinned), why);

	for (uint32_t n = 1; n < STEER_BANKS && !error; n++) {
		struct policy policy = {0};

		if (!pinned[n])
			continue;
		error = generation_policy(&steerer->dp, n, &policy, why);
		if (!error)
			ids_collect(&policy, taken);
		policy_free(&policy);
	}
	return error;
}

int steerer_merge(const struct steerer *steerer, const struct policy *config,
		  struct policy *ret_next, struct diag *why)
{
	auto_free struct id_set *taken = NULL;
	struct policy next = {0};
	int error = inventory_merge(&steerer->policy, config, &next, why);

	if (error)
		return error;
	if (inventory_needs_reuse(&next)) {
		taken = calloc(1, sizeof(*taken));
		error = taken ? collect_resident(steerer, taken, why)
			      : diag_fail(why, -ENOMEM, "out of memory numbering the backends");
	}
	if (!error)
		error = inventory_number(&next, taken, why);
	if (error)
		policy_free(&next);
	else
		*ret_next = next;
	return error;
}

static const struct interface *find_interface(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_interfaces; i++)
		if (strcmp(policy->interfaces[i].name, name) == 0)
			return &policy->interfaces[i];
	return NULL;
}

static bool is_new(const struct policy *former, const struct interface *interface)
{
	const struct interface *was = find_interface(former, interface->name);

	return !was || was->mode != interface->mode;
}

/* Undo what attach_new() did to the first @n interfaces. */
static void detach_new(struct steerer *steerer, const struct change *change, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct interface *interface = &change->next->interfaces[i];
		const struct interface *was = find_interface(&change->former, interface->name);
		bool created;

		if (!was)
			(void)link_detach(steerer->dir, interface->name, NULL);
		else if (was->mode != interface->mode)
			(void)link_attach(steerer->dir, was, &created, change->notice, NULL);
	}
}

static int attach_new(struct steerer *steerer, const struct change *change)
{
	for (size_t i = 0; i < change->next->n_interfaces; i++) {
		const struct interface *interface = &change->next->interfaces[i];
		bool created;
		int error = 0;

		if (is_new(&change->former, interface))
			error = link_attach(steerer->dir, interface, &created, change->notice,
					    change->why);
		if (error) {
			detach_new(steerer, change, i);
			return error;
		}
	}
	return 0;
}

/* Everything that must be there before the commit. Undone on error. */
static int widen(struct steerer *steerer, const struct change *change)
{
	struct steer_facts wide;
	bool changed;
	int error = facts_widen(&change->facts_former, &change->facts_next, &wide, change->why);

	if (!error)
		error = loader_install(steerer->dir, &wide, &changed, change->why);
	if (error)
		return error;
	error = attach_new(steerer, change);
	if (error)
		(void)loader_install(steerer->dir, &change->facts_former, &changed, NULL);
	return error;
}

/* The commit was refused; nobody else's may have happened in between. */
static void take_back(struct steerer *steerer, const struct change *change)
{
	bool changed;

	detach_new(steerer, change, change->next->n_interfaces);
	(void)loader_install(steerer->dir, &change->facts_former, &changed, NULL);
}

static void narrow(struct steerer *steerer, const struct change *change)
{
	struct diag trouble;
	bool changed;

	for (size_t i = 0; i < change->former.n_interfaces; i++) {
		const char *name = change->former.interfaces[i].name;

		if (!find_interface(change->next, name) &&
		    link_detach(steerer->dir, name, &trouble) < 0)
			diag_line(change->notice, "%s: applied, but still attached: %.1000s", name,
				  trouble.text);
	}
	if (loader_install(steerer->dir, &change->facts_next, &changed, &trouble) < 0)
		diag_line(change->notice,
			  "applied, but the narrower program was refused and the wide one stays: "
			  "%.1000s",
			  trouble.text);
}

static int apply(struct steerer *steerer, struct policy *next, const struct commit_note *note,
		 struct change *change)
{
	uint64_t word = steerer->word;
	int error = wanted_facts(&change->former, &change->facts_former, change->why);

	if (!error)
		error = wanted_facts(next, &change->facts_next, change->why);
	if (!error)
		error = widen(steerer, change);
	if (error)
		return error;
	error = steerer_commit(steerer, next, note, change->why);
	if (!error)
		narrow(steerer, change);
	else if (dataplane_word(&steerer->dp) == word)
		take_back(steerer, change);
	return error;
}

int steerer_apply(struct steerer *steerer, struct policy *next, const struct commit_note *note,
		  struct diag *notice, struct diag *why)
{
	struct change change = {.next = next, .notice = notice, .why = why};
	int error;

	if (flows_buckets(next->flows) != flows_buckets(steerer->policy.flows))
		return diag_fail(why, -EBUSY,
				 "limits.flows is %u where %u is in force, and cannot change while "
				 "records may be in the table: 'steerctl down', then 'up'",
				 next->flows, steerer->policy.flows);
	error = policy_copy(&steerer->policy, &change.former);
	if (error)
		return diag_fail(why, error, "out of memory applying the configuration");
	error = apply(steerer, next, note, &change);
	policy_free(&change.former);
	return error;
}
