// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Does the kernel hold what was intended? The live tables and frontends against those that the
 * policy compiles to, the objects that the program reads against those pinned, and the pinned
 * policy against the journal's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "core/frontends.h"
#include "core/links.h"
#include "core/policy_json.h"
#include "core/steerer_private.h"
#include "core/table.h"

static int verify_table(const struct steerer *steerer, size_t service, struct diag *findings)
{
	auto_free struct steer_table *intended = calloc(1, sizeof(*intended));
	auto_free void *resident = NULL;
	size_t size, differ = 0;

	if (!intended || table_compile(&steerer->policy.services[service], intended) < 0)
		return -ENOMEM;
	if (object_read(&steerer->dp, OBJECT_TABLE, steerer->bank.now[service], &resident, &size,
			NULL) < 0 ||
	    size != sizeof(*intended)) {
		diag_line(findings, "service '%s': its table is missing",
			  steerer->policy.services[service].name);
		return 0;
	}
	for (size_t slot = 0; slot < STEER_SLOTS; slot++)
		differ +=
			((struct steer_table *)resident)->backend[slot] != intended->backend[slot];
	if (differ)
		diag_line(findings, "service '%s': %zu of %u slots differ from the policy",
			  steerer->policy.services[service].name, differ, STEER_SLOTS);
	return 0;
}

static void verify_published(const struct steerer *steerer, enum object_kind kind, uint32_t number,
			     struct diag *findings)
{
	if (!object_is_published(&steerer->dp, kind, number))
		diag_line(findings, "%s object %u is another one in the kernel than pinned",
			  object_name(kind), number);
}

static void verify_objects(const struct steerer *steerer, struct diag *findings)
{
	const struct steer_bank *bank = &steerer->bank;

	verify_published(steerer, OBJECT_FRONTENDS, bank->frontends, findings);
	for (size_t i = 0; i < steerer->policy.n_services; i++)
		verify_published(steerer, OBJECT_TABLE, bank->now[i], findings);
	for (size_t i = 0; i < STEER_PAGES; i++)
		if (bank->page[i])
			verify_published(steerer, OBJECT_PAGE, bank->page[i], findings);
}

/* The journal's policy of the live revision: what was intended. */
static int verify_intention(const struct steerer *steerer, struct diag *findings)
{
	struct policy intended = {0};
	json_t *want, *have;
	int error;

	if (journal_head(steerer->journal) > steerer->policy.revision)
		diag_line(findings, "the kernel holds revision %lu, older than the journal's %lu",
			  (unsigned long)steerer->policy.revision,
			  (unsigned long)journal_head(steerer->journal));
	error = journal_policy(steerer->journal, steerer->policy.revision, &intended, NULL);
	if (error == -ENOENT)
		return 0; /* the kernel is ahead: adopted by the next writer */
	want = error ? NULL : policy_to_json(&intended);
	have = policy_to_json(&steerer->policy);
	if (!error && !json_equal(want, have))
		diag_line(findings, "revision %lu is another policy in the kernel than journalled",
			  (unsigned long)steerer->policy.revision);
	json_decref(want);
	json_decref(have);
	policy_free(&intended);
	return error;
}

static int verify_frontends(const struct steerer *steerer, struct diag *findings)
{
	auto_free struct steer_frontends *intended = calloc(1, sizeof(*intended));
	auto_free void *resident = NULL;
	size_t size;
	int error;

	if (!intended)
		return -ENOMEM;
	error = frontends_build(&steerer->policy, intended, findings);
	if (error)
		return error;
	if (object_read(&steerer->dp, OBJECT_FRONTENDS, steerer->bank.frontends, &resident, &size,
			NULL) < 0 ||
	    size != sizeof(*intended) || memcmp(resident, intended, size) != 0)
		diag_line(findings, "the frontends in the kernel differ from the policy");
	return 0;
}

static void verify_links(const struct steerer *steerer, struct diag *findings)
{
	static const char *const trouble[LINK_CONDITION_COUNT] = {
		[LINK_NONE] = "the program is not attached",
		[LINK_DEAD] = "it vanished with the program; 'steerctl up' attaches it again",
		[LINK_RENAMED] = "it was renamed; the program is on it",
		[LINK_ELSEWHERE] = "attached in another network namespace",
	};

	for (size_t i = 0; i < steerer->policy.n_interfaces; i++) {
		const char *name = steerer->policy.interfaces[i].name;
		enum link_condition condition = link_look(steerer->dir, name).condition;

		if (trouble[condition])
			diag_line(findings, "interface %s: %s", name, trouble[condition]);
	}
}

int steerer_drift(const struct steerer *steerer, struct diag *ret_findings, struct diag *why)
{
	int error = 0;

	ret_findings->text[0] = '\0';
	for (size_t i = 0; i < steerer->policy.n_services && !error; i++)
		error = verify_table(steerer, i, ret_findings);
	if (!error)
		error = verify_frontends(steerer, ret_findings);
	if (!error && steerer->journal)
		error = verify_intention(steerer, ret_findings);
	if (error)
		return diag_fail(why, error, "cannot verify: %s", strerror(-error));
	verify_objects(steerer, ret_findings);
	return 0;
}

/* Every line, whatever the index says: a disk may have changed what nobody wrote. */
static void verify_journal(const struct steerer *steerer, struct diag *findings)
{
	struct journal *journal = NULL;
	struct diag notice, why;

	if (journal_open(steerer->state, JOURNAL_CHECK, &journal, &notice, &why))
		diag_line(findings, "%s", why.text);
	else if (notice.text[0])
		diag_line(findings, "%s", notice.text);
	journal_close(journal);
}

int steerer_verify(const struct steerer *steerer, struct diag *ret_findings, struct diag *why)
{
	int error = steerer_drift(steerer, ret_findings, why);

	if (error)
		return error;
	verify_links(steerer, ret_findings);
	if (steerer->journal)
		verify_journal(steerer, ret_findings);
	if (steerer->journal && journal_head(steerer->journal) < steerer->policy.revision)
		diag_line(ret_findings, "the kernel holds revision %lu, the journal ends at %lu",
			  (unsigned long)steerer->policy.revision,
			  (unsigned long)journal_head(steerer->journal));
	return 0;
}
